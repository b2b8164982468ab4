"""Stores of which bytes are wrong: what is read is what was written, or is said to be damaged in one line."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.faults.children import FaultError
from benchmarks.faults.trials import Survival, tried
from cache import repair
from cache.store import Part, Store
from engine.errors import AcesError
from engine.records.draws import to_bytes
from engine.records.meta import Meta
from engine.records.runs import Run, same
from tests.store_writer import KEY, draws, version
from tests.toy import core_run, smoothed_run

Looked = TypeVar("Looked")
BLOCKS = 12
RUNS = {"toy-noisy": smoothed_run(n_images=6), "toy-core": core_run(n_images=6)}
SCHEMES = (
    "CREATE TRIGGER t AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END",
    "CREATE VIEW v AS SELECT * FROM Cache",
    "CREATE TABLE t (a)",
    "UPDATE Settings SET value = '1; DROP TABLE Cache' WHERE key = 'size_limit'",
    "UPDATE Cache SET mode = 4",
    "UPDATE Cache SET filename = '../../../etc/passwd', mode = 2, value = NULL",
    "DROP TABLE Cache",
    "DROP TABLE Settings",
    "UPDATE Cache SET key = 'meta/toy-noisy' WHERE key = 'meta/toy-core'",
    "UPDATE Cache SET value = (SELECT value FROM Cache WHERE key = 'run/toy-core') WHERE key = 'run/toy-noisy'",
    "ALTER TABLE Cache RENAME TO Other",
    "DELETE FROM Settings",
)


def flipped(seed: str, seconds: float) -> Iterator[Survival]:
    """Random bytes of the two databases."""
    with _whole() as whole:
        yield tried("bytes flipped in cache.db", seed, seconds, _damaging(whole, _flip))


def cut(seed: str, seconds: float) -> Iterator[Survival]:
    """Databases that end too early, or have pages of zeros."""
    with _whole() as whole:
        yield tried("cache.db cut off, or with empty pages", seed, seconds, _damaging(whole, _cut))


def planted(seed: str, seconds: float) -> Iterator[Survival]:
    """What somebody else put into the database: triggers, views, settings, pickles, names of files."""
    with _whole() as whole:
        yield tried("triggers, views, settings and pickles planted", seed, seconds, _damaging(whole, _plant))


def stale(seed: str, seconds: float) -> Iterator[Survival]:
    """A database beside the write-ahead log of another moment."""
    with tempfile.TemporaryDirectory(prefix="aces-faults-") as room:
        moments = _moments(Path(room))
        yield tried("cache.db beside a write-ahead log of another moment", seed, seconds, _mixing(moments, Path(room)))


@contextmanager
def _whole() -> Iterator[Path]:
    """A folder with a store in it, of two runs and draws."""
    with tempfile.TemporaryDirectory(prefix="aces-faults-") as room:
        with Store(Path(room) / "whole") as store:
            for run in RUNS.values():
                store.put(run)
            store.put_parts(Part(replace(KEY, block=k), 0, draws(k, 500)) for k in range(BLOCKS))
        yield Path(room)


Harm = Callable[[random.Random, Path], None]


def _damaging(room: Path, harm: Harm) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        place = room / "try"
        shutil.rmtree(room / "try", ignore_errors=True)
        shutil.copytree(room / "whole", place)
        for part in chance.sample(["runs", "blocks"], chance.randint(1, 2)):
            harm(chance, place / part / "cache.db")
        _check(place, lambda meta: RUNS[meta.name])
        with suppress(AcesError):  # where nothing of it is a database any more
            repair.repair(place)
            found = repair.check(place)
            assert found.is_intact, f"still damaged after a repair: {found.damaged[:1]}"
        _check(place, lambda meta: RUNS[meta.name])
        return 1

    return trial


def _check(place: Path, written: Callable[[Meta], Run]) -> None:
    """Whatever can be read is what was written. Raises ``FaultError`` for any other error than the project's."""
    try:
        with Store(place) as store:
            for meta in _said(lambda: store.listing().metas) or ():
                run = _said(partial(store.get, meta.name))
                assert run is None or same(run, written(run.meta)), f"'{meta.name}' was read with other counts"
            for k in range(BLOCKS):
                held = _said(partial(store.get_block, replace(KEY, block=k)))
                assert held is None or to_bytes(held) == to_bytes(draws(k, 500)), f"block {k} has other draws"
    except (AssertionError, FaultError):
        raise
    except Exception as error:  # what must not come out
        raise FaultError(f"{type(error).__name__}: {error}") from error


def _said(look: Callable[[], Looked]) -> Looked | None:
    """What is there, None where it is damaged, which is said in a line."""
    try:
        return look()
    except AcesError as error:
        if len(str(error).splitlines()) > 1:
            raise FaultError("an error of several lines") from error
        return None


def _flip(chance: random.Random, file: Path) -> None:
    data = bytearray(file.read_bytes())
    for _ in range(chance.choice([1, 3, 30, 300])):
        at = chance.randrange(len(data)) if chance.random() < 0.7 else chance.randrange(min(len(data), 8192))
        data[at] ^= 1 << chance.randrange(8)
    file.write_bytes(data)


def _cut(chance: random.Random, file: Path) -> None:
    data = file.read_bytes()
    at = chance.randrange(len(data))
    if chance.random() < 0.5:
        file.write_bytes(data[:at])
    else:
        at -= at % 4096
        file.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])


def _plant(chance: random.Random, file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for statement in chance.sample(SCHEMES, chance.randint(1, 2)):
            with suppress(sqlite3.Error):
                connection.execute(statement)
    finally:
        connection.close()


def _moments(room: Path) -> list[Path]:
    """Copies of a store that is being written, taken while its log was not yet in its database."""
    found = []
    with Store(room / "written") as store:
        for k in range(BLOCKS // 3):
            for i in range(3 * k, 3 * k + 3):
                store.put(version(i), replace=True)
                store.put_parts([Part(replace(KEY, block=i), 0, draws(i, 500))])
            found.append(Path(shutil.copytree(room / "written", room / f"moment-{k}")))
    return found


def _mixing(moments: list[Path], room: Path) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        place = room / "try"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(chance.choice(moments), place)
        for part in ("runs", "blocks"):
            log = chance.choice(moments) / part / "cache.db-wal"
            (place / part / "cache.db-shm").unlink(missing_ok=True)
            (place / part / "cache.db-wal").unlink(missing_ok=True)
            if log.exists():
                shutil.copyfile(log, place / part / "cache.db-wal")
        _check(place, lambda meta: version(meta.seed or 0))
        return 1

    return trial
