"""The store's entries: bytes under text keys in SQLite, through diskcache, each with its checksum; never a pickle."""

from __future__ import annotations

import errno
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import DBNAME, MODE_RAW

from cache import layout
from cache.errors import TROUBLE, DamagedError
from cache.finished import Finished
from engine.errors import AcesError

LOCK_SECONDS = 60  # how long a write waits for another process's
REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT}  # to whoever would write
SETTINGS: dict[str, object] = {  # what is kept is kept
    "eviction_policy": "none", "size_limit": 2**62, "cull_limit": 0, "statistics": 0,
}  # fmt: skip


def run_key(name: str) -> str:
    return f"run/{name}"


def card_key(name: str) -> str:
    return f"meta/{name}"


def stored_names(cache: diskcache.Cache) -> list[str]:
    """The stored runs' names, in order, as ``iterkeys`` gives them."""
    return [key.removeprefix("meta/") for key in cache.iterkeys() if key.startswith("meta/")]


def note_key(name: str) -> str:
    return f"note/{name}"


def noted_names(cache: diskcache.Cache) -> list[str]:
    """The names of runs of which something is noted, in order."""
    return [key.removeprefix("note/") for key in cache.iterkeys() if key.startswith("note/")]


def view_key(name: str) -> str:
    return f"view/{name}"


def kept_names(cache: diskcache.Cache) -> list[str]:
    """The names of the views that are kept, in order."""
    return [key.removeprefix("view/") for key in cache.iterkeys() if key.startswith("view/")]


def trash_key(id: str, part: str) -> str:
    return f"trash/{part}/{id}"


def trashed(cache: diskcache.Cache) -> list[str]:
    """The ids of deleted runs."""
    return [key.removeprefix("trash/head/") for key in cache.iterkeys() if key.startswith("trash/head/")]


def _checksum(key: str, payload: bytes) -> bytes:
    """Of key and payload together: a payload under another key's name is as wrong as a changed one."""
    return hashlib.sha256(key.encode() + b"\0" + payload).digest()


def write(cache: diskcache.Cache, key: str, payload: bytes) -> None:
    cache.set(key, _checksum(key, payload) + payload)


def read(cache: diskcache.Cache, key: str) -> bytes | None:
    """The payload under ``key``, None where there is none. Raises ``DamagedError``."""
    value = cache.get(key)
    return None if value is None else checked_payload(key, value)


def checked_payload(key: str, value: bytes) -> bytes:
    """What was written under ``key``. Raises ``DamagedError`` where ``value`` is not that."""
    checksum, payload = value[:32], value[32:]
    if checksum != _checksum(key, payload):
        raise DamagedError("its checksum is wrong")
    return payload


class BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Text keys and bytes values, all inside SQLite: no pickle is written or read, no file is opened or removed.

    diskcache itself unpickles whatever a row declares a pickle (CVE-2025-69872) and follows the file name that a row
    gives. A row that this class did not write is damage, as a value, and the empty text, which names nothing, as a key.
    """

    def put(self, key: Any) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError(f"a key is text here, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        return key if raw and type(key) is str else ""

    def store(self, value: Any, read: bool, key: Any = None) -> tuple[int, int, None, bytes]:
        if read or type(value) is not bytes:
            raise TypeError(f"a value is bytes here, not {type(value).__name__}")
        return 0, MODE_RAW, None, value

    def fetch(self, mode: int, filename: Any, value: Any, read: bool) -> bytes:
        if read or mode != MODE_RAW or type(value) is not bytes:
            raise DamagedError("it is not the plain bytes that were written")
        return value

    def remove(self, file_path: Any) -> None:
        """There are no files of ours to remove."""


class Database:
    """One diskcache folder, opened at the first use. Trouble with the disk comes out as one line of ``AcesError``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cache: diskcache.Cache | Finished | None = None
        self._unwritable: Exception | None = None
        self._file: tuple[int, int] | None = None  # device and inode of what was opened

    @property
    def exists(self) -> bool:
        return (self.directory / DBNAME).is_file()

    @contextmanager
    def reading(self) -> Iterator[diskcache.Cache]:
        """Its entries, also where nothing can be written."""
        try:
            yield self._open()
            self.check_place()
        except (OSError, *TROUBLE, diskcache.Timeout) as error:
            self.close()  # a COMMIT that fails may leave its transaction open, and the store locked
            self.check_place()
            raise AcesError(_advice(self.directory, error)) from error

    @contextmanager
    def writing(self) -> Iterator[diskcache.Cache]:
        """One transaction: all of it is written or nothing.

        Without diskcache's ``retry``, which repeats whatever error BEGIN gives, a read-only disk too, for ever;
        SQLite itself waits ``LOCK_SECONDS`` for the lock.
        """
        with self.reading() as cache:
            if self._unwritable is not None:
                raise AcesError(_advice(self.directory, self._unwritable)) from self._unwritable
            with cache.transact():
                yield cache

    def check_place(self) -> None:
        """Raises ``AcesError`` where the file that was opened no longer stands there: SQLite would not notice."""
        if self._file is not None and self._file != self._there():
            raise AcesError(
                f"{self.directory} was removed or replaced while it was in use: nothing more can be stored in it; run "
                f"the command again"
            )

    def renew(self) -> None:
        if self._file is not None and self._file != self._there():
            self.close()
            self._cache = self._file = self._unwritable = None

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> diskcache.Cache:
        self.check_place()
        if self._cache is None:
            try:
                self._cache = self._opened()
            except DamagedError as error:
                raise DamagedError(_damaged(self.directory, error)) from error
            self._file = self._there()
        return self._cache

    def _opened(self) -> diskcache.Cache | Finished:
        file = self.directory / DBNAME
        try:
            for folder in (self.directory.parent, self.directory):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if file.exists():
                self._check_layout(file)
            return layout.make(self.directory, LOCK_SECONDS, BytesDisk, SETTINGS)
        except (OSError, sqlite3.Error) as error:
            if not (file.is_file() and _refuses_writing(error)):
                raise
            self._unwritable = error
            return Finished(file)

    def _check_layout(self, file: Path) -> None:
        connection = layout.connect(file)
        try:
            layout.check(connection)
        finally:
            connection.close()

    def _there(self) -> tuple[int, int] | None:
        try:
            found = (self.directory / DBNAME).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _advice(directory: Path, error: Exception) -> str:
    """What went wrong with a folder of the store, and what to do."""
    if isinstance(error, diskcache.Timeout) and isinstance(error.__context__, sqlite3.Error):
        error = error.__context__  # diskcache calls every BEGIN that fails a timeout, on a read-only disk as well
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits are details of the same trouble
    if isinstance(error, diskcache.Timeout) or code == sqlite3.SQLITE_BUSY:
        return f"{directory} could not be locked for writing: wait for other commands on this store, or stop them"
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {directory} is full: free some space, or name another folder with --cache or ACES_CACHE; "
            f"what was stored is kept"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or isinstance(error, UnicodeDecodeError):
        return _damaged(directory, error)
    reason = getattr(error, "strerror", None) or error
    return f"no store can be kept in {directory} ({reason}): name a folder you may write with --cache or ACES_CACHE"


def _damaged(directory: Path, error: Exception) -> str:
    return (
        f"{directory / DBNAME} is damaged ({error}): `python -m engine store repair` keeps what can be read; sample or "
        f"import again what it lost"
    )


def _refuses_writing(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in layout.CANNOT_WRITE or getattr(error, "errno", None) in REFUSED
