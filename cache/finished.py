"""A database on a read-only or a full disk: what diskcache would read, and the file untouched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from diskcache.core import MODE_RAW

from cache import layout
from cache.errors import DamagedError


class Finished:
    """Reads entries as ``diskcache.Cache`` does with the store's own disk class. Threads may share it."""

    def __init__(self, file: Path) -> None:
        """Raises ``sqlite3.Error``, and ``DamagedError`` for a database that is none of the store's."""
        self._connection = layout.connect(file)
        layout.check(self._connection)

    def get(self, key: str) -> bytes | None:
        found = self._connection.execute("SELECT mode, value FROM Cache WHERE key = ? AND raw = 1", (key,)).fetchone()
        if found is None:
            return None
        mode, value = found
        if mode != MODE_RAW or type(value) is not bytes:
            raise DamagedError("it is not the plain bytes that were written")
        return value

    def iterkeys(self) -> Iterator[str]:
        for (key,) in self._connection.execute("SELECT key FROM Cache WHERE raw = 1 ORDER BY key").fetchall():
            yield key if type(key) is str else ""

    def delete(self, key: str) -> bool:
        """Nothing can be removed here; what is damaged stays where it is, and as good as none."""
        return False

    def close(self) -> None:
        """A connection that only reads holds nobody up."""
