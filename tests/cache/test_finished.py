from __future__ import annotations

import sqlite3

import pytest

from cache.catalog import Catalog
from cache.errors import DamagedError
from cache.finished import Finished
from cache.store import Store
from engine.errors import AcesError
from engine.records.runs import same
from tests.cache.damage import flip, put, sql
from tests.disk import full_disk
from tests.store_writer import KEY, draws
from tests.toy import core_run


@pytest.fixture
def held(store):
    """A finished store that nobody has open."""
    store.put(core_run("c"))
    put(store, KEY, draws())
    store.close()
    return store.directory


def test_on_a_full_disk_everything_can_be_read_and_nothing_is_written(held, tmp_path):
    before = {path: path.read_bytes() for path in held.rglob("cache.db")}
    with full_disk(0), Store(held) as full:
        assert [meta.name for meta in full.metas()] == ["c"]
        assert same(full.get("c"), core_run("c"))
        assert full.get_block(KEY) is not None
        assert [meta.name for meta in Catalog(held, tmp_path / "no demo").metas()] == ["c"]
        with pytest.raises(AcesError, match="--cache or ACES_CACHE"):
            full.put(core_run("d"))
    after = {path: path.read_bytes() for path in held.rglob("cache.db")}
    assert after == before


def test_once_there_is_room_it_is_written_again(held):
    with full_disk(0), Store(held) as full:
        full.metas()
    with Store(held) as roomy:
        roomy.put(core_run("d"))
        assert [meta.name for meta in roomy.metas()] == ["c", "d"]


def test_what_waits_in_the_log_is_read(held):
    with Store(held) as writer:  # open, so that its log is not folded in yet
        writer.put(core_run("d"))
        assert (held / "runs" / "cache.db-wal").stat().st_size > 0
        found = Finished(held / "runs" / "cache.db")
        assert [key for key in found.iterkeys() if key.startswith("meta/")] == ["meta/c", "meta/d"]


def test_damage_is_damage_here_too(held):
    store = Store(held)
    flip(store, "runs", "run/c")
    sql(store, "runs", "INSERT INTO Cache (key, raw, mode, value) VALUES ('run/file', 1, 2, 'x.txt')")
    sql(store, "runs", "INSERT INTO Cache (key, raw, mode, value) VALUES (x'00', 1, 1, x'00')")
    found = Finished(held / "runs" / "cache.db")
    with pytest.raises(DamagedError):
        found.get("run/file")
    assert "" in [*found.iterkeys()]
    assert found.get("run/none") is None
    with full_disk(0), Store(held) as full, pytest.raises(DamagedError, match="run 'c'"):
        full.get("c")
    flip(store, "blocks", sql(store, "blocks", "SELECT key FROM Cache")[0][0])
    with full_disk(0), Store(held) as full:
        assert full.get_block(KEY) is None


def test_a_database_of_others_is_not_opened(tmp_path):
    (tmp_path / "a.db").write_bytes(b"no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Finished(tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "b.db")
    connection.executescript("CREATE VIEW Cache AS SELECT 1")
    connection.close()
    with pytest.raises(DamagedError):
        Finished(tmp_path / "b.db")
