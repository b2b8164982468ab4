"""What befalls a store behind its back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import diskcache

from cache.store import BlockKey, Part, Store
from engine.records.draws import Draws, to_bytes


def equal(a: Draws | None, b: Draws) -> bool:
    return a is not None and to_bytes(a) == to_bytes(b)


def put(store: Store, key: BlockKey, content: Draws) -> None:
    store.put_parts([Part(key, 0, content)])


def sql(store: Store, part: str, statement: str, *values: object) -> list[tuple]:
    """Behind the store's back, as a damaged disk or an attacker would."""
    connection = sqlite3.connect(store.directory / part / "cache.db", isolation_level=None)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def flip(store: Store, part: str, key: str, at: int = -1) -> None:
    """Change one bit of a stored value."""
    ((value,),) = sql(store, part, "SELECT value FROM Cache WHERE key = ?", key)
    value = bytearray(value)
    value[at] ^= 1
    sql(store, part, "UPDATE Cache SET value = ? WHERE key = ?", bytes(value), key)


class Bomb:
    """Its pickle, when read, creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def explodes(store: Store, part: str, read) -> bool:
    """Whether plain diskcache, reading the same rows, sets off the bomb: else the test would prove nothing."""
    with diskcache.Cache(str(store.directory / part)) as plain:
        read(plain)
    return (store.directory.parent / "exploded").exists()
