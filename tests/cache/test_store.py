"""cache.store: what goes in comes out, or is missing, or is an error that names it; never something else."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import diskcache
import numpy as np
import pytest

from cache import entries
from cache import store as store_module
from cache.entries import BytesDisk
from cache.errors import DamagedError
from cache.store import Part, Store, block_key
from engine.errors import AcesError
from engine.records.draws import Draws
from engine.records.meta import NewerFormatError
from engine.records.runs import same
from tests import ROOT
from tests.cache.damage import equal, flip, put, sql
from tests.store_writer import KEY, draws, version
from tests.toy import core_run, smoothed_run

# --- the key of a block ----------------------------------------------------------------------------------------


def test_the_key_of_a_block_is_known():
    """A key that changes orphans every stored draw; raise the engine's version and say so if it must."""
    assert block_key(KEY) == (
        f'["draws", "{"ab" * 32}", "toy", "test", 17, "0x1.0000000000000p-2", 0, '
        f'"entropy", "float32/cpu/AVX2/channels_last/50/False", "estimate", 3]'
    )


@pytest.mark.parametrize(
    "change",
    [
        {"network": "cd" * 32},
        {"dataset": "toy2"},
        {"split": "train"},
        {"index": 18},
        {"sigma": np.nextafter(0.25, 1)},
        {"seed": 1},
        {"as_run": "bfloat16/cpu/AVX2/channels_last/50/False"},
        {"mechanism": "core_probability"},
        {"smoothing": "uniform"},
        {"stage": "guess"},
        {"block": 4},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_changes_the_key(change):
    assert block_key(replace(KEY, **change)) != block_key(KEY)


def test_fields_do_not_run_into_each_other():
    assert block_key(replace(KEY, dataset="a", split="bc")) != block_key(replace(KEY, dataset="ab", split="c"))
    assert block_key(replace(KEY, dataset='a", "b')) != block_key(replace(KEY, dataset="a", split="b"))


def test_equal_numbers_of_other_types_give_the_same_key():
    assert block_key(replace(KEY, sigma=np.float64(0.25), index=np.int64(17))) == block_key(KEY)
    assert block_key(replace(KEY, sigma=1)) == block_key(replace(KEY, sigma=1.0))


@pytest.mark.parametrize("change", [{"stage": "train"}, {"network": ""}])
def test_a_key_that_could_mix_streams_is_a_bug(change):
    with pytest.raises(AssertionError):
        replace(KEY, **change)


# --- blocks ----------------------------------------------------------------------------------------------------


def test_draws_come_back_and_outlive_the_store_object(store):
    assert store.get_block(KEY) is None
    put(store, KEY, draws())
    assert equal(store.get_block(KEY), draws())
    with Store(store.directory) as again:
        assert equal(again.get_block(KEY), draws())


def test_a_shorter_block_does_not_displace_a_longer_one(store):
    for k in (100, 2500, 250):
        put(store, KEY, draws().first(k))
    assert equal(store.get_block(KEY), draws())


def test_parts_lengthen_a_block_whatever_two_processes_have_stored_meanwhile(store):
    whole = draws()
    for first, last in ((0, 100), (100, 700), (50, 300), (700, 2500)):
        store.put_parts([Part(KEY, first, Draws(whole.classes[first:last], whole.scores[first:last]))])
    assert equal(store.get_block(KEY), whole)


@pytest.mark.parametrize("held", [0, 100])
def test_a_part_after_a_gap_is_left_out(store, held):
    put(store, KEY, draws().first(held))
    store.put_parts([Part(KEY, held + 1, draws(1))])
    block = store.get_block(KEY)
    assert len(block or ()) == held


def test_threads_share_a_store(store):
    def work(block: int) -> bool:
        key = replace(KEY, block=block)
        put(store, key, draws(block))
        found = equal(store.get_block(key), draws(block))
        store.close()  # of this thread
        return found

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(40)))


# --- runs ------------------------------------------------------------------------------------------------------


def test_runs_come_back_and_are_listed_by_name(store):
    for run in (smoothed_run("b"), core_run("c"), smoothed_run("a", seed=1)):
        store.put(run)
    assert store.metas() == [smoothed_run("a", seed=1).meta, smoothed_run("b").meta, core_run("c").meta]
    assert same(store.get("a"), smoothed_run("a", seed=1))
    assert same(store.get("c"), core_run("c"))


def test_putting_the_same_run_again_changes_nothing(store):
    store.put(core_run("c"))
    before = sql(store, "runs", "SELECT key, value, store_time FROM Cache")
    store.put(core_run("c"))
    assert sql(store, "runs", "SELECT key, value, store_time FROM Cache") == before


def test_another_run_of_the_same_name_needs_replace(store):
    store.put(core_run("c"))
    first = store.fingerprint("c")
    with pytest.raises(AcesError, match=r"holds another run named 'c': replace it"):
        store.put(core_run("c", wrong=5))
    assert same(store.get("c"), core_run("c"))
    store.put(core_run("c", wrong=5), replace=True)
    assert same(store.get("c"), core_run("c", wrong=5))
    assert store.fingerprint("c") != first


def test_fingerprint_is_of_the_content(store, tmp_path):
    store.put(core_run("c"))
    with Store(tmp_path / "elsewhere") as other:
        other.put(core_run("c"))
        assert other.fingerprint("c") == store.fingerprint("c")


def test_removed_runs_are_gone(store):
    store.put(core_run("c"))
    store.put(core_run("d"))
    store.remove("c")
    assert [meta.name for meta in store.metas()] == ["d"]
    assert len(sql(store, "runs", "SELECT key FROM Cache")) == 2


def test_a_run_is_written_whole_or_not_at_all(store, monkeypatch):
    store.put(core_run("c"))
    write, written = entries.write, []

    def write_once(cache, key, payload):
        if written:
            raise OSError(errno.EIO, "the power went off")
        written.append(key)
        write(cache, key, payload)

    monkeypatch.setattr(store_module, "write", write_once)
    for run, replacing in ((core_run("c", wrong=5), True), (core_run("d"), False)):
        written.clear()
        with pytest.raises(AcesError, match="the power went off"):
            store.put(run, replace=replacing)
    assert store.metas() == [core_run("c").meta]
    assert same(store.get("c"), core_run("c"))
    assert len(sql(store, "runs", "SELECT key FROM Cache")) == 2


@pytest.mark.parametrize("ask", [Store.get, Store.remove, Store.fingerprint])
def test_an_unknown_run_is_an_error_with_the_next_step(store, ask):
    with pytest.raises(AcesError, match=r"no run named 'x'; `python -m engine runs`"):
        ask(store, "x")


def test_metas_do_not_read_the_arrays(store):
    store.put(core_run("c"))
    sql(store, "runs", "DELETE FROM Cache WHERE key = 'run/c'")
    assert store.metas() == [core_run("c").meta]


def test_a_damaged_run_is_an_error_that_names_it_until_it_is_put_again(store):
    store.put(core_run("c"))
    flip(store, "runs", "run/c")
    with pytest.raises(DamagedError, match=r"run 'c' in .* is damaged .*import its file again"):
        store.get("c")
    store.put(core_run("c", wrong=5))
    assert same(store.get("c"), core_run("c", wrong=5))


def test_a_run_with_a_damaged_meta_hides_no_other(store):
    for name in "abc":
        store.put(core_run(name))
    flip(store, "runs", "meta/b")
    assert [meta.name for meta in store.metas()] == ["a", "c"]
    assert list(store.listing().broken) == ["b"]
    assert "run 'b'" in store.listing().broken["b"]
    store.remove("b")
    assert [meta.name for meta in store.metas()] == ["a", "c"]
    assert store.listing().broken == {}


@pytest.fixture(params=["both", "card", "run"])
def newer(request, store) -> str:
    """A stored run that a program of format version 4 wrote, as its two entries or one of them say."""
    run = core_run("c")
    store.put(run)
    meta = run.meta.to_json() | {"version": 4, "unheard": "of"}
    data = io.BytesIO()
    np.savez(data, meta=np.array(json.dumps(meta)), kernels=np.arange(3))
    card = json.dumps({"meta": meta, "sha256": hashlib.sha256(data.getvalue()).hexdigest()}).encode()
    with diskcache.Cache(str(store.directory / "runs"), disk=BytesDisk) as cache:
        if request.param != "run":
            entries.write(cache, "meta/c", card)
        if request.param != "card":
            entries.write(cache, "run/c", data.getvalue())
    return request.param


def test_what_a_newer_program_wrote_is_not_damaged_and_never_touched(store, newer):
    before = sql(store, "runs", "SELECT key, value, store_time FROM Cache ORDER BY key")
    said = (
        r"run 'c' in .* was written by a newer program \((run: )?meta\.version is 4; .*update it\); it is left as it is"
    )
    asks = [
        lambda: store.put(core_run("c", wrong=5)),
        lambda: store.put(core_run("c", wrong=5), replace=True),
        lambda: store.remove("c"),
        lambda: store.find("c"),
    ]
    for ask in asks:
        with pytest.raises(NewerFormatError, match=said) as caught:
            ask()
        assert "damaged" not in str(caught.value)
    assert sql(store, "runs", "SELECT key, value, store_time FROM Cache ORDER BY key") == before
    store.put(core_run("d"))
    listed = [meta.name for meta in store.metas()]
    assert listed == (["c", "d"] if newer == "run" else ["d"])
    if newer != "run":
        assert re.search(said, store.listing().broken["c"])


def test_a_newer_run_beside_a_damaged_entry_is_not_touched_either(store):
    newer = core_run("c").meta.to_json() | {"version": 4}
    store.put(core_run("c"))
    with diskcache.Cache(str(store.directory / "runs"), disk=BytesDisk) as cache:
        entries.write(cache, "meta/c", json.dumps({"meta": newer, "sha256": ""}).encode())
    flip(store, "runs", "run/c")
    for ask in (lambda: store.put(core_run("c"), replace=True), lambda: store.remove("c")):
        with pytest.raises(NewerFormatError):
            ask()


def test_finding_tells_no_run_from_a_damaged_one(store):
    assert store.find("c") is None
    for part in ("run", "meta"):
        store.put(core_run("c"), replace=True)
        assert same(store.find("c"), core_run("c"))
        flip(store, "runs", f"{part}/c")
        with pytest.raises(DamagedError, match="run 'c'"):
            store.find("c")


def test_swapped_runs_are_damaged(store):
    store.put(core_run("c"))
    store.put(core_run("d"))
    for new, old in [("aside", "run/c"), ("run/c", "run/d"), ("run/d", "aside")]:
        sql(store, "runs", "UPDATE Cache SET key = ? WHERE key = ?", new, old)
    for name in "cd":
        with pytest.raises(DamagedError, match=f"run '{name}'"):
            store.get(name)


# --- the place -------------------------------------------------------------------------------------------------


def test_folders_are_the_owners_alone(store):
    before = os.umask(0)
    try:
        put(store, KEY, draws())
        store.put(core_run())
    finally:
        os.umask(before)
    for folder in (store.directory, store.directory / "runs", store.directory / "blocks"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_default_place_is_the_variable_then_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("ACES_CACHE", str(tmp_path / "variable"))
    assert Store().directory == tmp_path / "variable"
    assert Store(tmp_path / "argument").directory == tmp_path / "argument"
    monkeypatch.delenv("ACES_CACHE")
    assert Store().directory == ROOT / "cache" / "store"


def test_nothing_is_created_before_it_is_needed(tmp_path):
    store = Store(tmp_path / "store")
    assert not store.exists
    assert list(tmp_path.iterdir()) == []
    store.put(core_run())
    store.close()
    assert store.exists
    assert not (store.directory / "blocks").exists()


@pytest.mark.parametrize("use", [Store.metas, lambda s: s.put(core_run()), lambda s: put(s, KEY, draws())])
def test_a_place_that_cannot_be_written_is_one_line_that_says_what_to_do(tmp_path, use):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(AcesError, match=r"no store can be kept in .*file/store.*--cache or ACES_CACHE") as caught:
        use(Store(tmp_path / "file" / "store"))
    assert "\n" not in str(caught.value)


def fill(store: Store) -> None:
    for block in range(100):
        put(store, replace(KEY, block=block), draws(block))


def test_a_full_disk_says_so_keeps_what_was_stored_and_goes_on_once_there_is_room(store, monkeypatch):
    put(store, KEY, draws(KEY.block))
    store.close()
    with monkeypatch.context() as patched, Store(store.directory) as full:
        patched.setitem(entries.SETTINGS, "sqlite_max_page_count", 60)  # makes SQLite say SQLITE_FULL
        with pytest.raises(AcesError, match="is full: free some space"):
            fill(full)
    sql(store, "blocks", "DELETE FROM Settings WHERE key = 'sqlite_max_page_count'")
    kept = [d for i in range(100) if (d := store.get_block(replace(KEY, block=i))) is not None]
    assert 1 < len(kept) < 60
    assert all(equal(d, draws(i)) for i, d in enumerate(kept))
    with Store(store.directory) as roomy:
        fill(roomy)
        assert all(equal(roomy.get_block(replace(KEY, block=i)), draws(i)) for i in range(100))


def test_a_folder_that_finds_no_room_says_so(store, monkeypatch):
    def no_room(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", no_room)
    with pytest.raises(AcesError, match="is full: free some space"):
        store.put(core_run())


# --- removed or replaced under way -----------------------------------------------------------------------------


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def moved_away(folder: Path) -> None:
    folder.rename(folder.with_name(f"{folder.name}-away"))


def replaced(folder: Path) -> None:
    moved_away(folder)
    with Store(folder if folder.name == "here" else folder.parent) as another:
        another.put(core_run("another"))
        put(another, replace(KEY, block=9), draws(9))


def file_removed(folder: Path) -> None:
    for database in folder.rglob("cache.db"):
        database.unlink()


GONE = [removed, moved_away, replaced, file_removed]
USES = {
    "put_parts": lambda s: put(s, replace(KEY, block=4), draws(4)),
    "get_block": lambda s: s.get_block(KEY),
    "put": lambda s: s.put(core_run("d")),
    "remember": lambda s: s.remember("a", "b"),
    "check_writable": Store.check_writable,
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("happens", GONE, ids=lambda f: f.__name__)
def test_a_store_that_is_removed_or_replaced_is_noticed_at_the_next_use(store, happens, use):
    store.put(core_run("c"))
    put(store, KEY, draws())
    happens(store.directory)
    with pytest.raises(AcesError, match=r"was removed or replaced while.*run the command again") as caught:
        USES[use](store)
    assert "\n" not in str(caught.value)
    with pytest.raises(AcesError):  # and again: nobody goes on in what was made anew
        USES[use](store)
    there = {path.name for path in store.directory.rglob("*")} if store.directory.exists() else set()
    assert happens is replaced or "cache.db" not in there


@pytest.mark.parametrize("part", ["runs", "blocks"])
@pytest.mark.parametrize("happens", [removed, moved_away, file_removed], ids=lambda f: f.__name__)
def test_draws_are_not_stored_for_a_run_that_could_not_be(store, happens, part):
    store.check_writable()
    happens(store.directory / part)
    with pytest.raises(AcesError, match=f"{part} was removed or replaced"):
        put(store, KEY, draws())


def test_a_store_removed_in_the_middle_of_a_transaction_is_noticed_at_its_end(store, monkeypatch):
    store.put(core_run("c"))
    write = entries.write

    def write_then_remove(cache, key, payload):
        write(cache, key, payload)
        shutil.rmtree(store.directory, ignore_errors=True)

    monkeypatch.setattr(store_module, "write", write_then_remove)
    with pytest.raises(AcesError, match="was removed or replaced"):
        store.put(core_run("d"))


def test_a_run_is_confirmed_by_what_stands_in_the_folder_now(store):
    store.put(core_run("c"))
    store.confirm(core_run("c"))
    store.put(core_run("c", wrong=5), replace=True)
    with pytest.raises(AcesError, match="'c' was replaced in"):
        store.confirm(core_run("c"))
    store.remove("c")
    with pytest.raises(AcesError, match="no run named 'c'"):
        store.confirm(core_run("c"))
    shutil.rmtree(store.directory)
    with pytest.raises(AcesError, match="was removed, and 'c' with it"):
        store.confirm(core_run("c"))
    assert not store.directory.exists()


def test_a_run_that_another_process_made_at_another_moment_is_confirmed(store):
    run = core_run("c")
    store.put(replace(run, meta=replace(run.meta, created="2026-01-01T00:00:00+00:00")))
    store.confirm(replace(run, meta=replace(run.meta, created="2026-01-02T00:00:00+00:00")))


# --- kill -9 and company ---------------------------------------------------------------------------------------


@contextmanager
def writer(directory: Path, first: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that writes entries ``first``, ``first`` + 1, ... and has just been let go; killed at the end."""
    command = [sys.executable, "-m", "tests.store_writer", str(directory), str(first), str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


def check_all(store: Store, blocks: int) -> int:
    """Every block is right or missing, every run is whole; returns how many blocks are there."""
    found = [store.get_block(replace(KEY, block=i)) for i in range(blocks)]
    assert all(d is None or equal(d, draws(i)) for i, d in enumerate(found))
    for meta in store.metas():
        assert same(store.get(meta.name), version(meta.seed))
    assert store.listing().broken == {}
    return sum(d is not None for d in found)


def test_kill_9_at_any_instant_leaves_no_wrong_entry_and_loses_no_finished_one(store, caplog):
    rng = random.Random(0)
    done = 0
    for count in (0, 0, 0, 1, 3, 5, 10, 20):  # killed while it opens the store, and while it writes
        with writer(store.directory, done, 10_000) as process:
            for _ in range(count):
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.02))
            process.kill()
            done += count + len(process.stdout.readlines())
        assert check_all(store, done + 2) >= done
    assert caplog.text == ""  # nothing was damaged


def test_two_processes_may_write_the_same_entries_at_once(store):
    with writer(store.directory, 0, 60) as a, writer(store.directory, 0, 60) as b:
        for process in (a, b):
            assert len(process.stdout.readlines()) == 60
            assert process.wait() == 0
    assert check_all(store, 60) == 60
    assert [meta.seed for meta in store.metas()] == [57, 58, 59]
    assert len(sql(store, "blocks", "SELECT key FROM Cache")) == 60
