"""Long names made short, in the one way that never makes two of them alike. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.figures.settings import SEPARATOR

LENGTH = 16
ELLIPSIS = "…"


def short_names(names: Iterable[str], length: int = LENGTH) -> dict[str, str]:
    """Every name -> a short one of at most ``length`` letters; longer only where two would be the same otherwise.

    A long name loses its middle; those that are then alike are cut to the part in which they differ; those that are
    still alike grow until they are not. Distinct names stay distinct.

    >>> short_names(["core", "resnet110-run-of-monday", "resnet110-run-of-friday"])
    {'core': 'core', 'resnet110-run-of-monday': 'resnet110…monday', 'resnet110-run-of-friday': 'resnet110…friday'}
    """
    every = list(dict.fromkeys(names))
    short = {name: _without_middle(name, length) for name in every}
    for group in _alike(short):
        short |= _where_they_differ(group, length)
    at = length
    while clashing := [name for group in _alike(short) for name in group]:
        at += 1
        short |= {name: _without_middle(name, at) for name in clashing}
    return short


def short_labels(labels: Iterable[str], length: int = LENGTH) -> dict[str, str]:
    """The same for labels of several components, each component shortened for itself."""
    parts = {label: label.split(SEPARATOR) for label in labels}
    short = short_names((part for label in parts.values() for part in label), length)
    return {label: SEPARATOR.join(short[part] for part in parts[label]) for label in parts}


def _alike(short: dict[str, str]) -> list[list[str]]:
    """The names that have one short form, in groups."""
    counts = Counter(short.values())
    return [[name for name in short if short[name] == form] for form, count in counts.items() if count > 1]


def _without_middle(name: str, length: int) -> str:
    if len(name) <= length:
        return name
    tail = (length - 1) * 2 // 5
    return f"{name[: length - 1 - tail]}{ELLIPSIS}{name[len(name) - tail :]}"


def _where_they_differ(names: list[str], length: int) -> dict[str, str]:
    """The names from a little before their first difference."""
    same = next(
        (k for k, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), min(map(len, names))
    )
    start = max(0, same - 4)
    return {name: _window(name, start, length) for name in names}


def _window(name: str, start: int, length: int) -> str:
    if len(name) <= length:
        return name
    rest = name[start:]
    if start:
        rest = ELLIPSIS + rest
    return rest if len(rest) <= length else rest[: length - 1] + ELLIPSIS
