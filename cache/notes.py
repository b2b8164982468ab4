"""What people have said of runs: a label, a collection, whether they are hidden. Run files know none of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import diskcache

from cache.entries import Database, note_key, noted_names, read, write
from cache.errors import DamagedError
from engine.errors import AcesError
from engine.names import fault, quoted

LONGEST_LABEL = 60  # letters: a label stands in legends
IN_ADDRESSES = "›"  # stands behind a collection's name there
DEMO, OWN = "demo", "own"  # the collections of what ships, and of what nobody has put into another

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """Of one run: ``label`` and ``collection``, empty where none was given; ``hidden`` ones the explorer leaves out."""

    label: str = ""
    collection: str = ""
    hidden: bool = False

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Raises ``AcesError`` for what is no note: others may have written it."""
        if not isinstance(data, dict) or not isinstance(data.get("hidden"), bool):
            raise AcesError("it is no note")
        label, collection = data.get("label", ""), data.get("collection", "")
        return cls(checked(label, "label"), checked(collection, "collection"), data["hidden"])


def checked(text: Any, what: str) -> str:
    """A label or the name of a collection, "" for none. Raises ``AcesError`` where it is not one short visible line."""
    text = text.strip() if isinstance(text, str) else text
    if what == "collection" and isinstance(text, str) and IN_ADDRESSES in text:
        raise AcesError(f"a collection of {quoted(text)} cannot be kept: expected a name without {IN_ADDRESSES}")
    if text != "" and (wrong := fault(text, LONGEST_LABEL)) is not None:
        raise AcesError(f"a {what} of {quoted(text)} cannot be kept: expected {wrong}")
    return str(text)


class Notes:
    """The notes of the store at ``directory``, by the names of runs, the demo's too. Looking creates nothing."""

    def __init__(self, runs: Database) -> None:
        self._runs = runs

    @classmethod
    def at(cls, directory: Path) -> Self:
        return cls(Database(directory / "runs"))

    def every(self) -> dict[str, Note]:
        """All that is noted; a damaged note is none."""
        if not self._runs.exists:
            return {}
        with self._runs.reading() as cache:
            found = {name: _note(cache, name) for name in noted_names(cache)}
        return {name: note for name, note in found.items() if note is not None}

    def change(self, names: Iterable[str], **fields: object) -> None:
        """Note ``label``, ``collection`` or ``hidden`` of runs, all or none. Raises ``AcesError`` for a bad text."""
        for what in ("label", "collection"):
            if what in fields:
                fields[what] = checked(fields[what], what)
        with self._runs.writing() as cache:
            for name in names:
                put(cache, name, replace(_note(cache, name) or Note(), **fields))  # type: ignore[arg-type]

    def close(self) -> None:
        self._runs.close()


def put(cache: diskcache.Cache, name: str, note: Note) -> None:
    """Keep a note; one that says nothing is none."""
    if note == Note():
        cache.delete(note_key(name))
    else:
        write(cache, note_key(name), json.dumps(asdict(note), sort_keys=True).encode())


def take(cache: diskcache.Cache, name: str) -> Note:
    """The note of a run, removed."""
    note = _note(cache, name)
    cache.delete(note_key(name))
    return note or Note()


def _note(cache: diskcache.Cache, name: str) -> Note | None:
    try:
        payload = read(cache, note_key(name))
        return None if payload is None else Note.from_json(json.loads(payload))
    except (DamagedError, ValueError, RecursionError, AcesError) as error:
        logger.warning("passed over the note on run %s: %s", quoted(name), error)
        return None


def display_names(names: Iterable[str], notes: Mapping[str, Note]) -> dict[str, str]:
    """What every run is called where it is shown: its label, with the name behind it where two labels are the same.

    >>> display_names(["a", "b", "c"], {"a": Note("wide"), "b": Note("deep"), "c": Note("deep")})
    {'a': 'wide', 'b': 'deep (b)', 'c': 'deep (c)'}
    """
    every = list(dict.fromkeys(names))
    called = {name: notes.get(name, Note()).label or name for name in every}
    times = Counter(called.values())
    return {name: text if times[text] == 1 or text == name else f"{text} ({name})" for name, text in called.items()}
