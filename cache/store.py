"""The store: finished runs, and the draws of unfinished ones, by content. It never computes a statistic.

Two SQLite files under one folder, ``runs/`` and ``blocks/``, through diskcache: damage to the draws, which can be made
again, leaves the runs alone. A value is ``sha256(key, payload)`` and the payload, so that a damaged or swapped entry is
found out; nothing is ever pickled or unpickled, and nothing is evicted. Every write is one transaction: ``kill -9``
leaves an entry as it was or as it should be, and two processes may work on one store.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import diskcache
from diskcache.core import DBNAME, MODE_RAW

from engine import draws as draw_bytes
from engine import runs
from engine.draws import Draws
from engine.errors import AcesError
from engine.runs import Meta, Run

DEFAULT_DIRECTORY = Path(__file__).resolve().parent / "store"
STAGES = ("guess", "estimate")
LOCK_SECONDS = 60  # how long a write waits for another process's
SETTINGS = {"eviction_policy": "none", "size_limit": 2**62, "cull_limit": 0, "statistics": 0}  # what is kept is kept

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockKey:
    """Everything that the draws of one block depend on, and nothing else.

    ``network`` is the sha256 of its weights; ``index`` the image's position in the split; ``sigma`` in pixel units;
    ``mechanism`` names what scored the draws; ``as_run`` precision, device and layout; ``block`` counts within the
    stream of ``stage``. The number of draws is not in it, since raising it continues the streams, and neither is
    anything that is turned afterwards (alpha, theta).
    """

    network: str
    dataset: str
    split: str
    index: int
    sigma: float
    seed: int
    mechanism: str
    as_run: str
    stage: str
    block: int

    def __post_init__(self) -> None:
        assert self.network, "without its sha256, two networks would share their draws"
        assert self.stage in STAGES, f"stage {self.stage!r}; allowed: {', '.join(STAGES)}"


def block_key(key: BlockKey) -> str:
    """The text under which a block is stored: equal for equal keys (0.5 and 1/2), different for different ones."""
    place = (key.network, key.dataset, key.split, int(key.index))
    stream = (float(key.sigma).hex(), int(key.seed), key.mechanism, key.as_run, key.stage, int(key.block))
    return json.dumps(["draws", *place, *stream])


@dataclass(frozen=True, eq=False)
class Part:
    """Draws of one block from its draw ``first`` on."""

    key: BlockKey
    first: int
    draws: Draws


class DamagedError(AcesError):
    """A stored entry that is not what was written."""


class Store:
    """Finished runs by name, and blocks of draws by ``BlockKey``, under ``directory``.

    By default that is ``ACES_CACHE``, else ``cache/store/``. It is created (mode 0700) and opened at the first use;
    a place that cannot be used, a full disk and a lock that is never released raise ``AcesError``. Threads may share
    a store; ``close`` closes the calling thread's connections, which open again when needed.

    ``broken`` maps the runs that the last ``metas`` had to leave out to what is wrong with them.
    """

    def __init__(self, directory: Path | None = None) -> None:
        place = directory or Path(os.environ.get("ACES_CACHE") or DEFAULT_DIRECTORY)
        self.directory = place.expanduser().absolute()
        self.broken: dict[str, str] = {}
        self._runs = _Database(self.directory / "runs")
        self._blocks = _Database(self.directory / "blocks")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connections."""
        self._runs.close()
        self._blocks.close()

    @property
    def exists(self) -> bool:
        """Whether a run may have been stored here; asking creates nothing."""
        return self._runs.exists

    # --- blocks of draws ---------------------------------------------------------------------------------------

    def get_block(self, key: BlockKey) -> Draws | None:
        """The stored draws of a block, or None. A damaged entry is named in the log, removed, and as good as none."""
        with self._blocks.reading() as cache:
            return self._block(cache, block_key(key))

    def put_parts(self, parts: Iterable[Part]) -> None:
        """Lengthen blocks, all in one transaction. What is there already stays: equal keys mean equal draws.

        A part that begins after the end of its block is left out: what came before it was found damaged meanwhile.
        """
        with self._blocks.writing() as cache:
            for part in parts:
                text = block_key(part.key)
                held = self._block(cache, text)
                have = 0 if held is None else len(held)
                if part.first <= have < part.first + len(part.draws):
                    before = [] if held is None else [held.first(part.first)]
                    _write(cache, text, draw_bytes.to_bytes(draw_bytes.concatenate([*before, part.draws])))

    def check_writable(self) -> None:
        """Raises ``AcesError`` where nothing could be stored, before anything is sampled."""
        for database in (self._runs, self._blocks):
            with database.writing() as cache:
                cache.set("writable", b"")
                cache.delete("writable")

    def _block(self, cache: diskcache.Cache, text: str) -> Draws | None:
        try:
            payload = _read(cache, text)
            return None if payload is None else draw_bytes.from_bytes(payload)
        except AcesError as error:
            logger.warning("dropped the draws %s, which %s holds damaged (%s)", text, self.directory, error)
            cache.delete(text)
            return None

    # --- finished runs -----------------------------------------------------------------------------------------

    def put(self, run: Run, *, replace: bool = False) -> None:
        """Store a run under its name; to store it twice changes nothing.

        Raises ``AcesError`` if a run of that name but other content is there, unless ``replace``. A damaged one gives
        way.
        """
        name, data = run.meta.name, runs.to_bytes(run)
        card = {"meta": run.meta.to_json(), "sha256": hashlib.sha256(data).hexdigest()}
        with self._runs.writing() as cache:
            held = None if replace else self._intact(cache, name)
            if held is not None and not runs.same(held, run):
                raise AcesError(
                    f"{self.directory} holds another run named '{name}': replace it, or give this one another name"
                )
            if held is None:
                _write(cache, _run_key(name), data)
                _write(cache, _card_key(name), json.dumps(card, sort_keys=True).encode())

    def get(self, name: str) -> Run:
        """The run of exactly this name. Raises ``AcesError`` if there is none, ``DamagedError`` if it is damaged."""
        with self._runs.reading() as cache:
            run = self._run(cache, name)
        if run is None:
            raise self._missing(name)
        return run

    def metas(self) -> list[Meta]:
        """What the stored runs are, by name, without reading their arrays. Damaged ones go to ``broken`` instead."""
        found: list[Meta] = []
        broken: dict[str, str] = {}
        with self._runs.reading() as cache:
            for name in _names(cache):
                try:
                    card = self._card(cache, name)
                except DamagedError as error:
                    broken[name] = str(error)
                    continue
                if card is not None:  # else another process has just removed it
                    found.append(card[0])
        self.broken = broken
        return found

    def fingerprint(self, name: str) -> str:
        """The sha256 of a run's file bytes, without reading them: it changes whenever the run is replaced."""
        with self._runs.reading() as cache:
            card = self._card(cache, name)
        if card is None:
            raise self._missing(name)
        return card[1]

    def remove(self, name: str) -> None:
        """Remove the run of exactly this name, damaged or not, but not its draws. ``AcesError`` if there is none."""
        with self._runs.writing() as cache:
            gone = [cache.delete(key) for key in (_run_key(name), _card_key(name))]
        if not any(gone):
            raise self._missing(name)

    def _intact(self, cache: diskcache.Cache, name: str) -> Run | None:
        try:
            return self._run(cache, name)
        except DamagedError:
            return None

    def _run(self, cache: diskcache.Cache, name: str) -> Run | None:
        try:
            data = _read(cache, _run_key(name))
            return None if data is None else runs.from_bytes(data)
        except AcesError as error:
            raise self._damaged(name, error) from error

    def _card(self, cache: diskcache.Cache, name: str) -> tuple[Meta, str] | None:
        """The meta of a run and the sha256 of its bytes."""
        try:
            card = _read(cache, _card_key(name))
            if card is None:
                return None
            fields = json.loads(card)
            return Meta.from_json(fields["meta"]), str(fields["sha256"])
        except AcesError as error:
            raise self._damaged(name, error) from error

    def _missing(self, name: str) -> AcesError:
        return AcesError(f"{self.directory} holds no run named '{name}'; `python -m engine runs` lists the runs")

    def _damaged(self, name: str, error: AcesError) -> DamagedError:
        return DamagedError(
            f"run '{name}' in {self.directory} is damaged ({error}): import its file again, or precompute it again, "
            f"for which its stored draws are used"
        )


# --- entries ---------------------------------------------------------------------------------------------------


def _run_key(name: str) -> str:
    return f"run/{name}"


def _card_key(name: str) -> str:
    return f"meta/{name}"


def _names(cache: diskcache.Cache) -> list[str]:
    """The stored runs' names, in order, as ``iterkeys`` gives them."""
    return [key.removeprefix("meta/") for key in cache.iterkeys() if key.startswith("meta/")]


def _checksum(key: str, payload: bytes) -> bytes:
    """Of key and payload together: a payload under another key's name is as wrong as a changed one."""
    return hashlib.sha256(key.encode() + b"\0" + payload).digest()


def _write(cache: diskcache.Cache, key: str, payload: bytes) -> None:
    cache.set(key, _checksum(key, payload) + payload)


def _read(cache: diskcache.Cache, key: str) -> bytes | None:
    """The payload under ``key``, None where there is none. Raises ``DamagedError``."""
    value = cache.get(key)
    if value is None:
        return None
    checksum, payload = value[:32], value[32:]
    if checksum != _checksum(key, payload):
        raise DamagedError("its checksum is wrong")
    return payload


# --- diskcache, without pickles --------------------------------------------------------------------------------


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


class _Database:
    """One diskcache folder, opened at the first use. Trouble with the disk comes out as one line of ``AcesError``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cache: diskcache.Cache | None = None

    @property
    def exists(self) -> bool:
        return (self.directory / DBNAME).is_file()

    @contextmanager
    def reading(self) -> Iterator[diskcache.Cache]:
        try:
            yield self._open()
        except (OSError, sqlite3.Error, diskcache.Timeout) as error:
            self.close()  # a COMMIT that fails may leave its transaction open, and the store locked
            raise AcesError(_advice(self.directory, error)) from error

    @contextmanager
    def writing(self) -> Iterator[diskcache.Cache]:
        """One transaction: all of it is written or nothing.

        Without diskcache's ``retry``, which repeats whatever error BEGIN gives, a read-only disk too, for ever;
        SQLite itself waits ``LOCK_SECONDS`` for the lock.
        """
        with self.reading() as cache, cache.transact():
            yield cache

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> diskcache.Cache:
        if self._cache is None:
            for folder in (self.directory.parent, self.directory):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._cache = diskcache.Cache(str(self.directory), timeout=LOCK_SECONDS, disk=BytesDisk, **SETTINGS)
        return self._cache


def _advice(directory: Path, error: Exception) -> str:
    """What went wrong with a folder of the store, and what to do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the upper bits are details of the same trouble
    if isinstance(error, diskcache.Timeout) or code == sqlite3.SQLITE_BUSY:
        return f"{directory} could not be locked for writing: wait for other commands on this store, or stop them"
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {directory} is full: free some space, or name another folder with --cache or ACES_CACHE; "
            f"what was stored is kept"
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"{directory / DBNAME} is damaged ({error}): move the folder {directory} away, then sample or import again "
            f"what it held"
        )
    reason = getattr(error, "strerror", None) or error
    return f"no store can be kept in {directory} ({reason}): name a folder you may write with --cache or ACES_CACHE"
