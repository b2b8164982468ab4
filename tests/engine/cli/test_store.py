from __future__ import annotations

from cache.store import Store
from tests.cache.damage import flip
from tests.toy import core_run


def test_a_store_is_checked_repaired_and_intact(call, tmp_path):
    with Store(tmp_path / "store") as store:
        store.put(core_run("c"))
        store.put(core_run("d"))
    assert call("store", "check") == (0, "intact: 2 runs, 0 blocks of draws, 0 other entries\n", "")
    flip(store, "runs", "run/c")
    status, out, err = call("store", "check")
    assert (status, err) == (1, "")
    assert out.splitlines()[1].startswith("damaged: run 'c': its checksum is wrong")
    assert "store repair" in out.splitlines()[-1]
    status, out, err = call("store", "repair")
    assert (status, err) == (0, "")
    assert "runs.damaged-1 now" in out.splitlines()[-1]
    assert call("store", "check") == (0, "intact: 1 runs, 0 blocks of draws, 0 other entries\n", "")


def test_many_damaged_entries_are_counted(call, tmp_path):
    with Store(tmp_path / "store") as store:
        for number in range(30):
            store.put(core_run(f"c{number}"))
    for number in range(30):
        flip(store, "runs", f"meta/c{number}")
    lines = call("store", "check")[1].splitlines()
    assert len(lines) == 1 + 20 + 1 + 1
    assert lines[-2].startswith("damaged: ")
    assert lines[-2].endswith(" more")


def test_no_store_is_one_line(call, tmp_path):
    status, out, err = call("store", "check", "--cache", tmp_path / "none")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
