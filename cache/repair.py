"""Is every entry of a store what was written? What is not can be dropped; the rest is kept, and nothing is guessed.

Rows are read without diskcache, one by one where a page of the file is damaged. A repaired database is made beside the
old one, which is moved aside and left there.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from diskcache.core import DBNAME, MODE_RAW

from cache import layout
from cache.entries import Database, card_key, checked_payload, run_key, write
from cache.errors import TROUBLE, DamagedError
from cache.store import parsed_card
from engine.errors import AcesError
from engine.names import quoted
from engine.records import draws, runs
from engine.records.meta import NewerFormatError

PARTS = ("runs", "blocks")
AT_ONCE = 256  # row numbers in one question
PATIENCE = 20_000  # questions that may fail: behind a damaged page, each row number is asked for
ROWS = "SELECT rowid, key, mode, value FROM main.Cache WHERE rowid >= ? AND rowid < ? ORDER BY rowid LIMIT ?"


@dataclass
class Inventory:
    """What a store holds: intact ``runs`` and ``blocks`` of draws, ``other`` entries, and what is wrong, by name."""

    runs: int = 0
    blocks: int = 0
    other: int = 0
    damaged: list[str] = field(default_factory=list)
    moved: list[Path] = field(default_factory=list)

    @property
    def is_intact(self) -> bool:
        return not self.damaged


@dataclass(frozen=True)
class _Salvaged:
    """The intact entries of one database by their keys, and what is wrong with it and with others."""

    entries: dict[str, bytes]
    damaged: list[str]


def check(directory: Path) -> Inventory:
    """Read every entry of the store at ``directory`` and write nothing. Raises ``AcesError`` where there is none."""
    report = Inventory()
    for part in _parts(directory):
        _count(report, _salvage(directory / part))
    return report


def repair(directory: Path) -> Inventory:
    """Make a database anew where something is wrong with it, of its intact entries.

    What was there is moved aside, into ``report.moved``. A card is made again of its run. Other programs that use the
    store are told that it was replaced.
    """
    report = Inventory()
    for part in _parts(directory):
        found = _salvage(directory / part)
        _count(report, found)
        if found.damaged:
            report.moved.append(_replace(directory / part, found.entries))
    return report


def _parts(directory: Path) -> list[str]:
    for part in PARTS:
        made = _made(directory / part)
        if made.is_dir() and not (directory / part).exists():  # stopped between the two moves
            made.rename(directory / part)
    found = [part for part in PARTS if (directory / part / DBNAME).is_file()]
    if not found:
        raise AcesError(f"{directory} holds no store")
    return found


def _made(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.repaired")


def _count(report: Inventory, found: _Salvaged) -> None:
    for key in found.entries:
        if key.startswith("run/"):
            report.runs += 1
        elif key.startswith('["draws"'):
            report.blocks += 1
        elif not key.startswith("meta/"):
            report.other += 1
    report.damaged += found.damaged


def _replace(folder: Path, entries: dict[str, bytes]) -> Path:
    made, aside = _made(folder), _free(folder)
    _remove_unfinished(made)
    database = Database(made)
    with database.writing() as cache:
        for key, payload in entries.items():
            write(cache, key, payload)
    database.close()
    folder.rename(aside)
    made.rename(folder)
    return aside


def _free(folder: Path) -> Path:
    number = 1
    while (aside := folder.with_name(f"{folder.name}.damaged-{number}")).exists():
        number += 1
    return aside


def _remove_unfinished(folder: Path) -> None:
    """What an interrupted repair has left: only what SQLite makes is removed."""
    for end in ("", "-wal", "-shm", "-journal"):
        (folder / f"{DBNAME}{end}").unlink(missing_ok=True)


def _salvage(folder: Path) -> _Salvaged:
    damaged: list[str] = []
    entries: dict[str, bytes] = {}
    try:
        connection = layout.connect(folder / DBNAME)
        try:
            damaged += _faults(connection, folder)
            for key, mode, value in _rows(connection, damaged):
                _take(entries, damaged, key, mode, value)
        finally:
            connection.close()
    except TROUBLE as error:
        damaged.append(f"{folder / DBNAME}: {error}")
    _match_cards(entries, damaged)
    return _Salvaged(entries, damaged)


def _faults(connection: sqlite3.Connection, folder: Path) -> list[str]:
    """What is wrong with a database as such."""
    try:
        layout.check(connection)
        found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(3)").fetchall()]
    except (DamagedError, *TROUBLE) as error:
        return [f"{folder / DBNAME}: {error}"]
    return [] if found == ["ok"] else [f"{folder / DBNAME}: {' '.join(line.split())}" for line in found[:1]]


def _rows(connection: sqlite3.Connection, damaged: list[str]) -> Iterator[tuple[object, object, object]]:
    """Key, mode and value of every row that can be read, by row numbers."""
    ((last,),) = connection.execute("SELECT max(rowid) FROM main.Cache").fetchall()
    waiting = [(0, 0 if last is None else int(last) + 1)]
    failed = 0
    while waiting:
        first, end = waiting.pop()
        try:
            found = connection.execute(ROWS, (first, end, AT_ONCE)).fetchall()
        except TROUBLE:
            failed += 1
            if failed > PATIENCE:
                damaged.append("rows that cannot be read")
                return
            middle = (first + end) // 2
            waiting += [(middle, end), (first, middle)] if end - first > 1 else []
            continue
        yield from (row[1:] for row in found)
        if len(found) == AT_ONCE:
            waiting.append((found[-1][0] + 1, end))


def _take(entries: dict[str, bytes], damaged: list[str], key: object, mode: object, value: object) -> None:
    """Keep an entry that is what was written, under the key that it was written under."""
    if type(key) is not str or key in entries:
        damaged.append("an entry whose key is not what was written")
        return
    try:
        if mode != MODE_RAW or type(value) is not bytes:
            raise DamagedError("it is not the plain bytes that were written")
        payload = checked_payload(key, value)
        _check_content(key, payload)
    except NewerFormatError:
        entries[key] = payload  # of a newer program: its checksum holds, so it stays
    except (AcesError, ValueError, KeyError, TypeError, RecursionError) as error:
        damaged.append(f"{_called(key)}: {error}")
    else:
        entries[key] = payload


def _check_content(key: str, payload: bytes) -> None:
    if key.startswith("run/"):
        if run_key(runs.from_bytes(payload).meta.name) != key:
            raise DamagedError("it is another run")
    elif key.startswith("meta/"):
        parsed_card(payload)
    elif key.startswith('["draws"'):
        draws.from_bytes(payload)


def _match_cards(entries: dict[str, bytes], damaged: list[str]) -> None:
    """Every run with its card: a card that is missing or of other bytes is made of the run; one without a run goes."""
    cards = [key.removeprefix("meta/") for key in entries if key.startswith("meta/")]
    for name in [key.removeprefix("run/") for key in entries if key.startswith("run/")]:
        data, card = entries[run_key(name)], entries.get(card_key(name))
        try:
            meta, digest = runs.meta_from_bytes(data), hashlib.sha256(data).hexdigest()
            fits = card is not None and _said_of(card) == (name, digest)
        except NewerFormatError:
            continue
        if not fits:
            damaged.append(f"the card of run {quoted(name)}: it is gone, or of other counts")
            entries[card_key(name)] = json.dumps({"meta": meta.to_json(), "sha256": digest}, sort_keys=True).encode()
    for name in cards:
        if run_key(name) not in entries:
            damaged.append(f"run {quoted(name)}: its counts are gone")
            del entries[card_key(name)]


def _said_of(card: bytes) -> tuple[str, str]:
    """Which run a card is of, by name and by the sha256 of its bytes."""
    meta, digest = parsed_card(card)
    return meta.name, digest


def _called(key: str) -> str:
    kind, _, name = key.partition("/")
    names = {"run": "run", "meta": "the card of run", "note": "the note on run", "trash": "deleted run", "view": "view"}
    if kind in names and name:
        return f"{names[kind]} {quoted(name)}"
    return "draws" if key.startswith("[") else quoted(key)
