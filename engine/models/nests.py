"""Where the weights lie in what a file holds, and which wrappers' names stand before theirs.

A file may nest its state dict under any key, and hold several: the network's and an average of it, a student's and a
teacher's. Which one is meant is for the user to say. Wrappers put their own name before every other one; which of these
names are the network's own is told by the architecture, so every level is kept (``levels``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.errors import AcesError
from engine.models.kinds import shown

MAX_DEPTH = 8  # of nests
MAX_LEVELS = 16  # of wrappers
SMALLEST = 0.5  # of the tensors of the largest set: a smaller one is a loss's or a metric's
TRAINING_STATE = ("optim", "sched", "lr_", "scaler", "rng", "amp")  # what keys of a training's own state begin with
INNER = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module")  # anywhere in a name
AVERAGED = "n_averaged"  # torch.optim.swa_utils: how many steps were averaged
MEANS, DEVIATIONS = ("means", "mean", "mu"), ("sds", "std", "stds", "sigma")
CONSTANTS = {**dict.fromkeys(MEANS, "mean"), **dict.fromkeys(DEVIATIONS, "std")}
COLOURS = (1, 3)  # values of a normaliser's constant
OWN_CONSTANTS = ("0.means", "0.sds")  # forks that register what Cohen et al. keep as plain attributes


@dataclass(frozen=True, eq=False)
class Nest:
    """A set of weights by name, the ``keys`` that lead to it, and the architecture that is named beside it."""

    keys: tuple[str, ...]
    weights: Mapping[str, Tensor]
    arch: str | None = None

    @property
    def name(self) -> str:
        """As ``--weights`` takes it."""
        return ".".join(self.keys)

    def answers(self, key: str) -> bool:
        """Whether ``key`` leads here, alone or as a part of the way."""
        return key == self.name or self.name.startswith(f"{key}.") or key in self.keys

    def __str__(self) -> str:
        return f"{shown(self.name) or 'the file itself'} ({len(self.weights)} tensors)"


@dataclass(frozen=True, eq=False)
class Level:
    """Weights without some of what wraps them; ``constants``: mean and std of a normaliser that stood in front."""

    weights: Mapping[str, Tensor]
    constants: Mapping[str, Tensor]


def nests(data: Mapping[Any, Any]) -> list[Nest]:
    """The sets of weights that a file holds, the outermost first; without what is far smaller than the largest."""
    found = list(_inside(data, (), set(), None))
    most = max((len(nest.weights) for nest in found), default=0)
    return [nest for nest in found if len(nest.weights) >= SMALLEST * most]


def _inside(data: Mapping[Any, Any], keys: tuple[str, ...], seen: set[int], arch: str | None) -> Iterator[Nest]:
    if id(data) in seen or len(keys) > MAX_DEPTH:  # a pickle may hold itself
        return
    seen.add(id(data))
    said = data.get("arch")
    arch = said if isinstance(said, str) else arch
    if data and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in data.items()):
        yield Nest(keys, data, arch)
        return
    for key, value in data.items():
        if isinstance(key, str) and isinstance(value, Mapping) and not key.lower().startswith(TRAINING_STATE):
            yield from _inside(value, (*keys, key), seen, arch)


def choose(path: Path, found: list[Nest], key: str | None) -> Nest:
    """The set that ``key`` leads to, or the only one. A key may also be what the names of a set's part begin with.

    Raises ``AcesError`` that lists the sets where none or several are meant.
    """
    meant = found if key is None else [nest for nest in found if nest.answers(key)]
    if not meant and key is not None:
        meant = [part for nest in found if (part := _beginning_with(nest, key)) is not None]
    if len(meant) == 1:
        return meant[0]
    held = ", ".join(map(str, (meant or found)[:6]))
    if not meant:
        raise AcesError(f"{path} holds no weights under {shown(key or '')!r}; it holds {held}")
    first = shown(meant[0].name) or "KEY"
    raise AcesError(f"{path} holds several sets of weights: {held}; say which with --weights {first}, or `weights`")


def _beginning_with(nest: Nest, key: str) -> Nest | None:
    """The part of a set whose names begin with ``key``, which may also say where the set lies."""
    key = key.removeprefix(f"{nest.name}.")
    part = {name.removeprefix(f"{key}."): t for name, t in nest.weights.items() if name.startswith(f"{key}.")}
    return replace(nest, keys=(*nest.keys, key), weights=part) if part else None


def levels(weights: Mapping[str, Tensor]) -> tuple[Level, ...]:
    """The weights as they are, then without what wrappers put in front: names that all share, and a normaliser.

    >>> import torch
    >>> [list(level.weights) for level in levels({"module.a.w": torch.zeros(1), "module.b.w": torch.zeros(1)})]
    [['module.a.w', 'module.b.w'], ['a.w', 'b.w']]
    """
    found: list[Level] = []
    waiting = deque([Level(_without_inner(weights), {})])
    while waiting and len(found) < MAX_LEVELS:
        found.append(waiting.popleft())
        waiting.extend(inside for inside in (_unwrapped(found[-1]), _without_normaliser(found[-1])) if inside)
    return tuple(found)


def _unwrapped(level: Level) -> Level | None:
    """Without the name that all share; None where they share none."""
    weights = {name: tensor for name, tensor in level.weights.items() if name != AVERAGED}
    heads = {name.partition(".")[0] for name in weights}
    if len(heads) != 1 or not all("." in name for name in weights):
        return None
    return replace(level, weights={name.partition(".")[2]: tensor for name, tensor in weights.items()})


def _without_normaliser(level: Level) -> Level | None:
    """Without the constants of a normaliser in front, which are kept beside; None where there are none."""
    constants = _constants(level.weights)
    if not constants:
        return None
    rest = {name: tensor for name, tensor in level.weights.items() if name not in constants}
    said = {CONSTANTS[name.rpartition(".")[2]]: tensor for name, tensor in constants.items()}
    return Level(rest, {**level.constants, **said})


def _constants(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The constants of a normaliser in front: a mean or a deviation of colours, alone under their part of the names."""
    beside: dict[str, list[str]] = {}
    for name in weights:
        beside.setdefault(name.rpartition(".")[0], []).append(name)
    found = {
        name: tensor
        for name, tensor in weights.items()
        if name in OWN_CONSTANTS
        or (
            name.count(".") <= 1
            and tensor.numel() in COLOURS
            and all(other.rpartition(".")[2] in CONSTANTS for other in beside[name.rpartition(".")[0]])
        )
    }
    said = [CONSTANTS[name.rpartition(".")[2]] for name in found]
    return found if len(found) < len(weights) and len(set(said)) == len(said) else {}


def _without_inner(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the names of torch.compile, FSDP and checkpointing, which wrap layers as well as networks."""
    named = {".".join(part for part in name.split(".") if part not in INNER): t for name, t in weights.items()}
    return named if len(named) == len(weights) and all(named) else dict(weights)
