"""What a text may be that names something in a run, and where a name may lead. Names come from other people's files.

A name is a line of letters that one can see: it is shown on pages and terminals, compared by eye, and typed again. What
may stand in it is no promise to whoever prints it: ``engine.escape`` makes it harmless for where it is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import AcesError

LONGEST = 200  # letters of a name
LONGEST_NOTE = 1_000  # letters of a sentence, such as what an import had to infer
LONGEST_FILE = 255  # bytes of a file's name on every file system in use
SHOWN = 60  # letters of a longer value that a message quotes
INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(k) for k in range(0xFE00, 0xFE10)}


def fault(value: Any, longest: int = LONGEST) -> str | None:
    """What a text must be and ``value`` is not, None if nothing.

    >>> fault("net@0.5"), fault("a\\nb")
    (None, 'visible letters in one line')
    """
    if not isinstance(value, str):
        return "a text"
    if not value.strip():
        return "a non-empty text"
    if len(value) > longest:
        return f"at most {longest:,} letters"
    # isprintable is false for controls, and for what hides or turns letters: zero-width and bidirectional marks
    if not value.isprintable() or not INVISIBLE.isdisjoint(value):
        return "visible letters in one line"
    return None if value == value.strip() else "a text without spaces around it"


def file_fault(value: Any) -> str | None:
    """As ``fault``, of a text that also stands in the name of a file.

    >>> file_fault("cifar10"), file_fault("../x")
    (None, 'no path: without /, \\\\ and .., and without a dot in front')
    """
    if (wrong := fault(value)) is not None:
        return wrong
    if len(value.encode()) > LONGEST:
        return f"at most {LONGEST} bytes"
    if any(part in value for part in ("/", "\\", "..")) or value.startswith("."):
        return "no path: without /, \\ and .., and without a dot in front"
    return None


def faulty_part(value: Any, where: str = "", longest: int = LONGEST) -> tuple[str, Any, str] | None:
    """The first text inside a JSON value that is no line to be shown: its place, itself, and what it must be.

    Its texts have at most ``longest`` letters; keys are names.
    """
    if isinstance(value, str):
        wrong = fault(value, longest) if value else None
        return None if wrong is None else (where, value, wrong)
    inside = list(value.items()) if isinstance(value, dict) else []
    if isinstance(value, list | tuple):
        inside = list(enumerate(value))
    for key, part in inside:
        if isinstance(key, str) and (wrong := fault(key)) is not None:
            return where, key, wrong
        if (found := faulty_part(part, f"{where}.{key}", longest)) is not None:
            return found
    return None


def quoted(value: Any) -> str:
    """A value for a message: as Python writes it, cut where it is long.

    >>> quoted("a\\tb"), len(quoted("x" * 20_000))
    ("'a\\\\tb'", 80)
    """
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:SHOWN]!r}… ({len(value):,} letters)"
    text = repr(value)
    return text if isinstance(value, str) or len(text) <= LONGEST else f"{text[:SHOWN]}…"


def file_in(folder: Path, name: str) -> Path:
    """The file called ``name`` in ``folder``. Raises ``AcesError`` where the name would lead out of it, or is none."""
    outside = name in ("", ".", "..") or any(letter in name for letter in "/\\\0")
    if outside or len(name.encode(errors="replace")) > LONGEST_FILE:
        raise AcesError(f"{quoted(name)} is no name of a file in {folder}")
    return folder / name
