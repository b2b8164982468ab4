"""What a database of the store consists of, checked before anything is done with it.

SQLite runs what a file brings along: a trigger fires, a view stands in for a table, and diskcache puts settings that
it finds into PRAGMAs. So a file that holds more than ``diskcache`` itself makes is opened by nobody.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

import diskcache
from diskcache.core import DEFAULT_SETTINGS, METADATA

from cache.errors import DamagedError

TRIGGERS = {
    "Settings_count_insert": "AFTER INSERT ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value + 1 "
    'WHERE key = "count"; END',
    "Settings_count_delete": "AFTER DELETE ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value - 1 "
    'WHERE key = "count"; END',
    "Settings_size_insert": "AFTER INSERT ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value + NEW.size "
    'WHERE key = "size"; END',
    "Settings_size_update": "AFTER UPDATE ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value + NEW.size - "
    'OLD.size WHERE key = "size"; END',
    "Settings_size_delete": "AFTER DELETE ON Cache FOR EACH ROW BEGIN UPDATE Settings SET value = value - OLD.size "
    'WHERE key = "size"; END',
}
TABLES = {"Settings": ("key", "value"), "Cache": ("rowid", "key", "raw", "store_time", "expire_time", "access_time",
          "access_count", "tag", "size", "mode", "filename", "value")}  # fmt: skip
INDEXES = {"sqlite_autoindex_Settings_1", "Cache_key_raw", "Cache_expire_time"}
CANNOT_WRITE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
KNOWN_SETTINGS = {*DEFAULT_SETTINGS, *METADATA}


def connect(file: Path) -> sqlite3.Connection:
    """A connection that reads only, also where SQLite can make none of its files beside. Raises ``sqlite3.Error``."""
    try:
        return _connect(file, "mode=ro")
    except sqlite3.Error as error:
        log = file.with_name(f"{file.name}-wal")
        is_waiting = log.exists() and log.stat().st_size > 0  # what was written last would not be seen
        if is_waiting or error.sqlite_errorcode & 0xFF not in CANNOT_WRITE:
            raise
    return _connect(file, "mode=ro&immutable=1")


def _connect(file: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(file))}?{options}", uri=True, isolation_level=None, timeout=60, check_same_thread=False
    )
    connection.text_factory = lambda text: text.decode(errors="replace")  # bytes that are no text match no checksum
    connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # the file is opened now, not later
    return connection


def check(connection: sqlite3.Connection) -> None:
    """Raises ``DamagedError`` for what a store's database never holds; one being made lacks some yet."""
    connection.execute("PRAGMA trusted_schema = OFF")
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if not _is_ours(kind, name, sql):
            raise DamagedError(f"it holds a {str(kind)[:20]} that this program did not make")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in TABLES.keys() & names:
        if tuple(row[1] for row in connection.execute(f"PRAGMA table_info({table})")) != TABLES[table]:
            raise DamagedError("its tables are not those of this version")
    if "Settings" in names:
        _check_settings(dict(connection.execute("SELECT key, value FROM Settings").fetchall()))
    if "Cache" in names and connection.execute("SELECT 1 FROM Cache WHERE key IS NULL LIMIT 1").fetchone():
        raise DamagedError("it holds an entry without a key")  # behind which diskcache lists no other


def _is_ours(kind: object, name: object, sql: object) -> bool:
    if kind == "trigger":
        return _words(sql) == f"CREATE TRIGGER {name} {TRIGGERS.get(str(name))}"
    return name in (TABLES if kind == "table" else INDEXES if kind == "index" else ())


def _words(sql: object) -> str:
    return " ".join(str(sql).split())


def _check_settings(found: dict[object, object]) -> None:
    for key, value in found.items():
        is_plain = type(value) is int or (type(value) is str and value.isalpha() and value.isascii())
        if key not in KNOWN_SETTINGS or not is_plain:
            raise DamagedError("it holds a setting that this program did not make")


def make(directory: Path, timeout: float, disk: type[diskcache.Disk], settings: dict[str, object]) -> diskcache.Cache:
    """diskcache on a folder whose database, where there is one, is what it should be. Raises ``DamagedError``."""
    try:
        return diskcache.Cache(str(directory), timeout=timeout, disk=disk, **settings)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:  # of values that nobody wrote
        raise DamagedError(f"it is not what was written ({type(error).__name__})") from error
