"""Deleted runs, moved aside in the store until they are restored or the trash is emptied."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import diskcache

from cache import notes
from cache.entries import Database, card_key, read, run_key, trash_key, trashed, write
from cache.errors import DamagedError
from cache.notes import Note
from engine.errors import AcesError
from engine.names import fault, quoted

Parsed = TypeVar("Parsed")
LATEST = 253_402_300_800.0  # seconds until the year 10000, which no calendar of Python has


@dataclass(frozen=True)
class Deleted:
    """A run in the trash: ``id`` names it there, ``at`` is when it was deleted, in seconds since 1970."""

    id: str
    name: str
    at: float


class Trash:
    """The trash of the store at ``directory``. Looking creates nothing; every move is one transaction."""

    def __init__(self, runs: Database) -> None:
        self._runs = runs

    @classmethod
    def at(cls, directory: Path) -> Self:
        return cls(Database(directory / "runs"))

    def listing(self) -> list[Deleted]:
        """What can be restored, newest first; what is damaged is left out."""
        if not self._runs.exists:
            return []
        with self._runs.reading() as cache:
            found = [(id, _head(cache, id)) for id in trashed(cache)]
        listed = [Deleted(id, head["name"], head["at"]) for id, head in found if head is not None]
        return sorted(listed, key=lambda one: (-one.at, one.id))

    def move(self, name: str) -> str:
        """Move a stored run aside, byte by byte, with what is noted of it; the id by which it comes back.

        Raises ``AcesError`` where the store has no such run, or it cannot be read: ``runs --remove`` takes those.
        """
        with self._runs.writing() as cache:
            card, data = read(cache, card_key(name)), read(cache, run_key(name))
            if card is None or data is None or fault(name) is not None:
                raise AcesError(f"the store holds no run named {quoted(name)}; what ships can be hidden, not deleted")
            at = time.time()
            id = f"{time.time_ns():x}"
            head = {"name": name, "at": at, "card": card.decode(), "note": asdict(notes.take(cache, name))}
            write(cache, trash_key(id, "head"), json.dumps(head, sort_keys=True).encode())
            write(cache, trash_key(id, "run"), data)
            for key in (card_key(name), run_key(name)):
                cache.delete(key)
        return id

    def restore(self, id: str) -> str:
        """Bring a run back as it was; its name. Raises ``AcesError`` if it is gone, damaged, or its name is taken."""
        with self._runs.writing() as cache:
            head, data = _head(cache, id), _run_bytes(cache, id)
            if head is None or data is None:
                raise AcesError(
                    "this run is in the trash no longer: it was restored elsewhere, or the trash was emptied"
                )
            name = head["name"]
            if cache.get(card_key(name)) is not None or cache.get(run_key(name)) is not None:
                raise AcesError(f"another run is named {quoted(name)} now: rename its file or delete it first")
            write(cache, run_key(name), data)
            write(cache, card_key(name), head["card"])
            notes.put(cache, name, Note.from_json(head["note"]))
            _drop(cache, id)
        return name

    def restore_name(self, name: str) -> str:
        """Bring the run of this name back that was deleted last."""
        found = [one.id for one in self.listing() if one.name == name]
        if not found:
            raise AcesError(f"no run named {quoted(name)} is in the trash; `python -m engine runs --deleted` lists it")
        return self.restore(found[0])

    def empty(self) -> int:
        """Remove for good what was deleted; how many runs."""
        if not self._runs.exists:
            return 0
        with self._runs.writing() as cache:
            ids = trashed(cache)
            for id in ids:
                _drop(cache, id)
        return len(ids)

    def close(self) -> None:
        self._runs.close()


def _drop(cache: diskcache.Cache, id: str) -> None:
    for part in ("head", "run"):
        cache.delete(trash_key(id, part))


def _head(cache: diskcache.Cache, id: str) -> dict[str, Any] | None:
    return _intact(cache, trash_key(id, "head"), _parsed)


def _parsed(payload: bytes) -> dict[str, Any]:
    """What ``move`` wrote. Raises ``ValueError`` and the like for what it never writes: others may have."""
    head = json.loads(payload)
    name, at, card = head["name"], float(head["at"]), head["card"]
    if fault(name) is not None or not 0 <= at < LATEST:
        raise ValueError("no name of a run, or no moment")
    Note.from_json(head["note"])
    return {"name": name, "at": at, "card": card.encode(), "note": head["note"]}


def _run_bytes(cache: diskcache.Cache, id: str) -> bytes | None:
    return _intact(cache, trash_key(id, "run"), bytes)


def _intact(cache: diskcache.Cache, key: str, parsed: Callable[[bytes], Parsed]) -> Parsed | None:
    try:
        payload = read(cache, key)
        return None if payload is None else parsed(payload)
    except (DamagedError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
