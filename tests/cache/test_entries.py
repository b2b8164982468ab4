from __future__ import annotations

import pickle
import sqlite3
from dataclasses import replace

import diskcache
import pytest

from cache import entries
from cache.entries import BytesDisk
from cache.errors import DamagedError
from cache.store import Store, block_key
from engine.errors import AcesError
from engine.records.runs import same
from tests.cache.damage import Bomb, equal, explodes, flip, put, sql
from tests.store_writer import KEY, draws
from tests.toy import core_run


@pytest.mark.parametrize("at", [0, 31, 32, 36, -1], ids=["checksum", "checksum end", "k", "first class", "last score"])
def test_a_damaged_block_is_named_dropped_and_written_again(store, caplog, at):
    put(store, KEY, draws())
    flip(store, "blocks", block_key(KEY), at)
    assert store.get_block(KEY) is None
    assert block_key(KEY) in caplog.text
    assert sql(store, "blocks", "SELECT key FROM Cache") == []
    put(store, KEY, draws())
    assert equal(store.get_block(KEY), draws())


def test_a_damaged_block_gives_way_to_a_shorter_one(store):
    put(store, KEY, draws())
    flip(store, "blocks", block_key(KEY))
    put(store, KEY, draws().first(100))
    assert equal(store.get_block(KEY), draws().first(100))


def test_damage_in_the_file_itself_is_found(store):
    put(store, KEY, draws())
    store.close()
    file = store.directory / "blocks" / "cache.db"
    content = bytearray(file.read_bytes())
    at = content.index(draws().scores[100:104].tobytes())
    content[at] ^= 1
    file.write_bytes(content)
    assert store.get_block(KEY) is None


def test_swapped_blocks_are_both_missing(store):
    other = replace(KEY, block=4)
    put(store, KEY, draws(0))
    put(store, other, draws(1))
    for new, old in [("aside", block_key(KEY)), (block_key(KEY), block_key(other)), (block_key(other), "aside")]:
        sql(store, "blocks", "UPDATE Cache SET key = ? WHERE key = ?", new, old)
    assert store.get_block(KEY) is None
    assert store.get_block(other) is None


def test_short_texts_are_remembered_beside_the_draws_and_forgotten_when_damaged(store):
    assert store.recall("layout") is None
    store.remember("layout", "channels_last")
    assert store.recall("layout") == "channels_last"
    assert store.get_block(KEY) is None
    flip(store, "blocks", "layout")
    assert store.recall("layout") is None


def test_nothing_is_ever_evicted(store):
    put(store, KEY, draws())
    settings = dict(sql(store, "blocks", "SELECT key, value FROM Settings"))
    assert (settings["eviction_policy"], settings["cull_limit"], settings["size_limit"]) == ("none", 0, 2**62)


@pytest.mark.parametrize("place", ["row", "file"])
def test_a_planted_pickle_value_executes_nothing(store, tmp_path, place):
    marker, bomb = tmp_path / "exploded", pickle.dumps(Bomb(tmp_path / "exploded"))
    put(store, KEY, draws())
    store.put(core_run("c"))
    (tmp_path / "bomb.val").write_bytes(bomb)
    planted = (None, bomb) if place == "row" else ("../../bomb.val", None)
    for part in ("blocks", "runs"):
        sql(store, part, "UPDATE Cache SET mode = 4, filename = ?, value = ?", *planted)

    with pytest.raises(DamagedError, match="run 'c'"):
        store.get("c")
    assert store.metas() == []
    assert store.get_block(KEY) is None
    store.put(core_run("c"))
    assert not marker.exists()

    sql(store, "runs", "UPDATE Cache SET mode = 4, filename = ?, value = ?", *planted)
    assert explodes(store, "runs", lambda plain: plain.get("run/c"))


def test_a_planted_pickle_key_executes_nothing_and_hides_nothing(store, tmp_path):
    store.put(core_run("c"))
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    sql(store, "runs", "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 0, 1, 'x')", bomb)
    assert [meta.name for meta in store.metas()] == ["c"]
    assert not (tmp_path / "exploded").exists()
    assert explodes(store, "runs", list)


def test_a_planted_file_name_neither_reads_nor_removes_that_file(store, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    put(store, KEY, draws())
    sql(store, "blocks", "UPDATE Cache SET mode = 2, value = NULL, filename = '../../victim'")
    assert store.get_block(KEY) is None
    put(store, KEY, draws())
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("value", ["text", 1, 0.5, None, {"a": 1}, [b"x"]])
def test_nothing_but_bytes_is_written(tmp_path, value):
    with diskcache.Cache(str(tmp_path), disk=BytesDisk) as cache, pytest.raises(TypeError, match="a value is bytes"):
        cache.set("key", value)


@pytest.mark.parametrize("key", [b"bytes", 1, 0.5, None, ("a", 1)])
def test_nothing_but_text_is_a_key(tmp_path, key):
    with diskcache.Cache(str(tmp_path), disk=BytesDisk) as cache, pytest.raises(TypeError, match="a key is text"):
        cache.set(key, b"value")


def test_a_database_that_is_none_is_one_line_that_says_what_to_do(store):
    store.put(core_run("c"))
    put(store, KEY, draws())
    store.close()
    (store.directory / "blocks" / "cache.db").write_bytes(b"not SQLite" * 1000)
    with Store(store.directory) as again:
        with pytest.raises(AcesError, match=r"blocks/cache\.db is damaged .*`python -m engine store repair`"):
            again.get_block(KEY)
        assert same(again.get("c"), core_run("c"))


def test_a_failed_commit_gives_the_lock_back(store):
    """An unmet deferred foreign key makes COMMIT fail and leaves the transaction open."""
    put(store, KEY, draws())
    store.close()
    for statement in (
        "INSERT INTO Settings VALUES ('sqlite_foreign_keys', 1)",
        "CREATE TABLE Parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE Child (id REFERENCES Parent DEFERRABLE INITIALLY DEFERRED)",
        "CREATE TRIGGER Fail AFTER INSERT ON Cache BEGIN INSERT INTO Child VALUES (1); END",
    ):
        sql(store, "blocks", statement)
    with pytest.raises(AcesError, match="FOREIGN KEY"):
        put(store, replace(KEY, block=4), draws())
    sql(store, "blocks", "DROP TRIGGER Fail")
    put(store, replace(KEY, block=4), draws())
    assert equal(store.get_block(replace(KEY, block=4)), draws())


def test_a_lock_that_is_never_released_is_an_error(store, monkeypatch):
    monkeypatch.setattr(entries, "LOCK_SECONDS", 0.05)
    put(store, KEY, draws())
    holder = sqlite3.connect(store.directory / "blocks" / "cache.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(AcesError, match="could not be locked"):
            put(store, replace(KEY, block=4), draws())
        assert equal(store.get_block(KEY), draws())  # readers do not wait for writers
    finally:
        holder.close()
    put(store, replace(KEY, block=4), draws())


def test_a_store_that_is_read_only_now_is_one_line(store):
    put(store, KEY, draws())
    with store.blocks.reading() as cache:
        cache._sql("PRAGMA query_only = 1")  # what a read-only file system answers
    with pytest.raises(AcesError, match=r"readonly database.*--cache or ACES_CACHE") as caught:
        put(store, replace(KEY, block=4), draws(4))
    assert "\n" not in str(caught.value)
