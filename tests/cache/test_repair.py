from __future__ import annotations

import random
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cache import repair
from cache.entries import Database, read, write
from cache.errors import DamagedError
from cache.notes import Notes
from cache.store import Store
from engine.errors import AcesError
from engine.records.runs import same
from tests.cache.damage import flip, put, sql
from tests.store_writer import KEY, draws
from tests.toy import core_run, smoothed_run

BLOCKS = 30


@pytest.fixture
def held(store):
    """Two runs, a note, and draws."""
    store.put(core_run("c"))
    store.put(smoothed_run("s"))
    Notes(store.runs).change(["c"], label="the core")
    for block in range(BLOCKS):
        put(store, replace(KEY, block=block), draws(block))
    store.close()
    return store


def counts(report: repair.Inventory) -> tuple[int, int, int]:
    return report.runs, report.blocks, report.other


def test_an_intact_store_is_told_so_and_left_as_it_is(held):
    report = repair.repair(held.directory)
    assert counts(report) == (2, BLOCKS, 1)
    assert report.is_intact
    assert not report.moved
    assert counts(repair.check(held.directory)) == (2, BLOCKS, 1)


@pytest.mark.parametrize("key", ["run/c", "meta/c", "note/c"])
def test_what_is_damaged_is_named_and_dropped_and_the_rest_is_kept(held, key):
    flip(held, "runs", key)
    flip(held, "blocks", sql(held, "blocks", "SELECT key FROM Cache")[3][0])
    found = repair.check(held.directory)
    assert any("'c'" in what for what in found.damaged)
    assert any(what.startswith("draws: ") for what in found.damaged)
    assert [meta.name for meta in Store(held.directory).metas()] != []  # a check changes nothing
    report = repair.repair(held.directory)
    assert report.blocks == BLOCKS - 1
    assert [folder.name for folder in report.moved] == ["runs.damaged-1", "blocks.damaged-1"]
    assert all((folder / "cache.db").is_file() for folder in report.moved)
    assert repair.check(held.directory).is_intact
    with Store(held.directory) as again:
        assert same(again.get("s"), smoothed_run("s"))
        assert [meta.name for meta in again.metas()] == (["s"] if key == "run/c" else ["c", "s"])
        if key != "run/c":
            assert same(again.get("c"), core_run("c"))  # a damaged card is made again of its run


def test_a_second_repair_moves_into_another_folder(held):
    for expected in ("runs.damaged-1", "runs.damaged-2"):
        flip(held, "runs", "note/c" if expected.endswith("1") else "meta/c")
        assert [folder.name for folder in repair.repair(held.directory).moved] == [expected]


def test_entries_of_swapped_keys_and_of_other_kinds_go(held):
    ((value,),) = sql(held, "runs", "SELECT value FROM Cache WHERE key = 'run/s'")
    sql(held, "runs", "UPDATE Cache SET value = ? WHERE key = 'run/c'", value)
    sql(held, "runs", "INSERT INTO Cache (key, raw, mode, value) VALUES ('run/pickled', 1, 4, x'80')")
    sql(held, "runs", "INSERT INTO Cache (key, raw, mode, value) VALUES (x'00ff', 1, 1, x'00')")
    report = repair.repair(held.directory)
    assert report.runs == 1
    assert len(report.damaged) == 4  # the two, the one without a name, and the card of 'c', whose counts are gone
    with Store(held.directory) as again:
        assert [meta.name for meta in again.metas()] == ["s"]


@pytest.mark.parametrize("key", ["run/c", "meta/c"])
def test_a_run_or_card_of_another_name_is_damage_although_its_checksum_is_right(held, key):
    with Database(held.directory / "runs").writing() as cache:
        other = read(cache, key.removesuffix("c") + "s")
        assert other is not None
        write(cache, key, other)
    with Store(held.directory) as damaged, pytest.raises(DamagedError, match=r"'c' .* is damaged \(it"):
        damaged.find("c")
    repair.repair(held.directory)
    assert repair.check(held.directory).is_intact
    with Store(held.directory) as again:
        assert [meta.name for meta in again.metas()] == (["s"] if key == "run/c" else ["c", "s"])


def test_a_trigger_does_not_come_along(held):
    sql(held, "runs", "CREATE TRIGGER t AFTER INSERT ON Cache BEGIN DELETE FROM Settings; END")
    assert not repair.check(held.directory).is_intact
    repair.repair(held.directory)
    assert repair.check(held.directory).is_intact
    assert counts(repair.check(held.directory)) == (2, BLOCKS, 1)


def test_a_card_of_json_that_is_no_run_is_made_again(held):
    with Database(held.directory / "runs").writing() as cache:
        for name, card in (("c", b'{"meta": 5}'), ("s", b"\xff")):
            write(cache, f"meta/{name}", card)
    with Store(held.directory) as damaged:
        listing = damaged.listing()
        assert sorted(listing.broken) == ["c", "s"]
        assert all("damaged" in text for text in listing.broken.values())
    repair.repair(held.directory)
    with Store(held.directory) as again:
        assert [meta.name for meta in again.metas()] == ["c", "s"]


@pytest.mark.parametrize("keep", [0, 100, 4096, 0.3, 0.6, 0.9])
def test_a_file_that_is_cut_keeps_what_can_be_read(held, keep):
    file = held.directory / "blocks" / "cache.db"
    data = file.read_bytes()
    file.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    assert not repair.check(held.directory).is_intact
    repair.repair(held.directory)
    assert_right(held)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_bytes_are_wrong_what_is_left_is_right(held, seed):
    chance = random.Random(seed)
    for part in ("runs", "blocks"):
        file = held.directory / part / "cache.db"
        data = bytearray(file.read_bytes())
        for _ in range(chance.choice([1, 20, 400])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data)
    with suppress(AcesError), Store(held.directory) as store:  # and no other error
        for meta in store.listing().metas:
            store.get(meta.name)
    report = repair.repair(held.directory)
    assert report.runs <= 2
    assert_right(held)


def assert_right(held: Store) -> None:
    """The store is intact, and nothing in it is other than what was written."""
    assert repair.check(held.directory).is_intact
    with Store(held.directory) as again:
        for meta in again.metas():
            assert same(again.get(meta.name), core_run("c") if meta.name == "c" else smoothed_run("s"))
        kept = {block: again.get_block(replace(KEY, block=block)) for block in range(BLOCKS)}
        again.put(core_run("new"))
    for block, found in kept.items():
        assert found is None or (found.classes == draws(block).classes).all()


def test_an_interrupted_repair_is_finished_or_begun_again(held):
    flip(held, "runs", "meta/c")
    folder = held.directory / "runs"
    shutil.copytree(folder, folder.with_name("runs.repaired"))  # stopped while it was made: it is made again
    repair.repair(held.directory)
    assert repair.check(held.directory).is_intact
    folder.rename(folder.with_name("runs.repaired"))  # stopped between the two moves
    assert counts(repair.check(held.directory))[0] == 2


def test_no_store_is_an_error(tmp_path: Path):
    with pytest.raises(AcesError, match="holds no store"):
        repair.check(tmp_path)
