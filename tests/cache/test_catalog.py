"""cache.catalog: every run that can be looked at, found by name, whatever lies broken beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cache.catalog import Catalog
from cache.errors import DamagedError
from cache.store import Store
from engine.errors import AcesError
from engine.records.meta import RunError
from engine.records.runs import same, write_run
from tests.cache.damage import flip
from tests.toy import core_run, smoothed_run

DEMO = ("fashion-gaussian-0.25", "fashion-gaussian-0.5", "fashion-standard")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Two smoothed runs and a core run, beside what else the demo folder holds."""
    folder = tmp_path / "demo"
    folder.mkdir()
    for run in (smoothed_run(DEMO[0]), smoothed_run(DEMO[1], seed=1), core_run(DEMO[2])):
        write_run(run, folder / f"{run.meta.name}.npz")
    np.savez(folder / "fashion_images.npz", images=np.zeros((2, 1, 4, 4), np.uint8), index=np.arange(2))
    (folder / "fashion-standard.safetensors").write_bytes(b"weights")
    (folder / "fashion-standard.json").write_text("{}")
    return folder


@pytest.fixture
def catalog(demo: Path, tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "store", demo)


@pytest.fixture
def store(tmp_path: Path):
    with Store(tmp_path / "store") as store:
        yield store


def names(catalog: Catalog) -> list[str]:
    return [meta.name for meta in catalog.metas()]


# --- what is there ---------------------------------------------------------------------------------------------


def test_demo_runs_are_seen_without_a_store_and_without_making_one(catalog, tmp_path):
    assert names(catalog) == list(DEMO)
    assert catalog.listing().broken == {}
    assert same(catalog.load(DEMO[2]), core_run(DEMO[2]))
    assert not (tmp_path / "store").exists()


def test_looking_into_an_empty_folder_leaves_it_empty(demo, tmp_path):
    (tmp_path / "store").mkdir()
    assert names(Catalog(tmp_path / "store", demo)) == list(DEMO)
    assert list((tmp_path / "store").iterdir()) == []


def test_an_empty_catalog_is_no_error(tmp_path):
    assert Catalog(tmp_path / "store", tmp_path / "nowhere").metas() == []


def test_stored_runs_join_the_demo_as_they_appear(catalog, store):
    assert names(catalog) == list(DEMO)
    store.put(core_run("a-core"))
    assert names(catalog) == ["a-core", *DEMO]
    assert same(catalog.load("a-core"), core_run("a-core"))


def test_a_stored_run_hides_the_demo_run_of_its_name(catalog, store):
    store.put(core_run(DEMO[2], wrong=7))
    assert names(catalog) == list(DEMO)
    assert same(catalog.load(DEMO[2]), core_run(DEMO[2], wrong=7))
    store.remove(DEMO[2])
    assert same(catalog.load(DEMO[2]), core_run(DEMO[2]))


# --- by name ---------------------------------------------------------------------------------------------------


def test_an_exact_name_wins_over_longer_ones(catalog, store):
    store.put(core_run("fashion"))
    assert catalog.resolve("fashion").name == "fashion"


@pytest.mark.parametrize(
    ("prefix", "kind", "name"),
    [
        ("fashion-s", None, DEMO[2]),
        ("fashion-gaussian-0.2", None, DEMO[0]),
        ("fashion", "core", DEMO[2]),
        ("", "core", DEMO[2]),
        (DEMO[0], "smoothed", DEMO[0]),
    ],
)
def test_a_unique_prefix_is_enough(catalog, prefix, kind, name):
    assert catalog.resolve(prefix, kind).name == name
    assert catalog.load(prefix, kind).meta.name == name


def test_an_exact_name_of_another_kind_gives_way_to_a_prefix(catalog, store):
    store.put(core_run(f"{DEMO[0]}-core"))
    assert catalog.resolve(DEMO[0], "core").name == f"{DEMO[0]}-core"


@pytest.mark.parametrize(
    ("wanted", "kind", "message"),
    [
        ("fashion", None, "'fashion' may be fashion-gaussian-0.25, fashion-gaussian-0.5, fashion-standard: give more"),
        ("fashion", "smoothed", "'fashion' may be fashion-gaussian-0.25, fashion-gaussian-0.5: give more of the name"),
        (DEMO[2], "smoothed", "'fashion-standard' is a core run, where a smoothed run is asked for"),
        ("cons", None, "no run matches 'cons'; `python -m engine runs` lists them"),
        ("cons", "selection", "no selection run matches 'cons'; `python -m engine runs` lists them"),
        ("fashion-standart", None, "no run matches 'fashion-standart' (near: fashion-standard"),
        ("fashion_standard", "core", "no core run matches 'fashion_standard' (near: fashion-standard); `python"),
    ],
)
def test_a_name_that_fits_none_or_several_is_an_error_that_helps(catalog, wanted, kind, message):
    with pytest.raises(AcesError) as caught:
        catalog.resolve(wanted, kind)
    assert str(caught.value).startswith(message)


def test_a_long_list_of_candidates_is_cut(catalog, store):
    for i in range(10):
        store.put(core_run(f"core-{i}"))
    with pytest.raises(AcesError, match=r"core-7 or one of 2 more: give more of the name"):
        catalog.resolve("core")


# --- broken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda _: b"", lambda _: b"PK\x03\x04 or so"])
def test_a_broken_demo_file_hides_no_other_and_is_an_error_by_name(catalog, demo, damage):
    path = demo / f"{DEMO[0]}.npz"
    path.write_bytes(damage(path.read_bytes()))
    assert names(catalog) == list(DEMO[1:])
    assert list(catalog.listing().broken) == [str(path)]
    for ask in (catalog.resolve, catalog.load, catalog.fingerprint):
        with pytest.raises(AcesError, match=str(path)):
            ask(DEMO[0])


def test_no_flipped_bit_of_a_demo_file_hides_the_others(catalog, demo):
    path = demo / f"{DEMO[2]}.npz"
    whole = path.read_bytes()
    for at in range(0, len(whole), 2):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        os.utime(path, ns=(at, at))  # equal in size, and perhaps in the clock's tick
        assert names(catalog)[:2] == list(DEMO[:2])


def test_a_run_file_of_another_format_is_broken_not_skipped(catalog, demo):
    np.savez(demo / "old.npz", meta=np.array('{"format": "aces-run", "version": 99}'))
    assert names(catalog) == list(DEMO)
    assert "update it" in catalog.listing().broken[str(demo / "old.npz")]


def test_a_dangling_link_hides_no_run(catalog, demo):
    (demo / "gone.npz").symlink_to(demo / "nowhere")
    assert names(catalog) == list(DEMO)
    assert list(catalog.listing().broken) == [str(demo / "gone.npz")]


def test_a_demo_file_is_no_longer_broken_once_fixed(catalog, demo):
    path = demo / f"{DEMO[0]}.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert names(catalog) == list(DEMO[1:])
    path.write_bytes(whole)
    assert names(catalog) == list(DEMO)
    assert catalog.listing().broken == {}


def test_arrays_damaged_behind_a_good_meta_are_an_error_on_loading(catalog, demo):
    path = demo / f"{DEMO[2]}.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"prediction": np.full(40, 9)})
    assert catalog.resolve(DEMO[2]).kind == "core"
    with pytest.raises(RunError, match="prediction is 9 in row 0"):
        catalog.load(DEMO[2])


@pytest.mark.parametrize("entry", ["meta", "run"])
def test_a_damaged_stored_run_is_not_replaced_by_the_demo_run_of_its_name(catalog, store, entry):
    store.put(core_run(DEMO[2], wrong=7))
    flip(store, "runs", f"{entry}/{DEMO[2]}")
    assert names(catalog)[:2] == list(DEMO[:2])
    with pytest.raises((AcesError, DamagedError), match=f"run '{DEMO[2]}' in .* is damaged"):
        catalog.load(DEMO[2])


# --- fingerprints ----------------------------------------------------------------------------------------------


def test_fingerprints_follow_the_content(catalog, store, demo):
    before = {name: catalog.fingerprint(name) for name in DEMO}
    assert len(set(before.values())) == 3
    write_run(core_run(DEMO[2], wrong=7), demo / f"{DEMO[2]}.npz")
    after = catalog.fingerprint(DEMO[2])
    assert after != before[DEMO[2]]
    store.put(core_run(DEMO[2], wrong=9))
    assert catalog.fingerprint(DEMO[2]) not in (after, before[DEMO[2]])
    assert catalog.fingerprint(DEMO[0]) == before[DEMO[0]]


def test_an_unchanged_demo_file_is_not_read_again(catalog, demo, monkeypatch):
    first = catalog.fingerprint(DEMO[0])
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read again"))
    assert catalog.fingerprint(DEMO[0]) == first


def test_a_changed_demo_file_of_equal_size_is_read_again(catalog, demo):
    path = demo / f"{DEMO[2]}.npz"
    first = catalog.fingerprint(DEMO[2])
    data = bytearray(path.read_bytes())
    data[10] ^= 1  # the time of the first member, which nothing checks
    path.write_bytes(data)
    os.utime(path, ns=(0, 0))
    assert catalog.fingerprint(DEMO[2]) != first


# --- a store that comes and goes ---------------------------------------------------------------------------------


def test_a_catalog_follows_a_store_that_is_removed_and_made_again(catalog, store, tmp_path):
    store.put(core_run("a-core"))
    assert names(catalog) == ["a-core", *DEMO]
    shutil.rmtree(tmp_path / "store")
    assert names(catalog) == list(DEMO)
    with Store(tmp_path / "store") as again:
        again.put(core_run("b-core", wrong=5))
    assert names(catalog) == ["b-core", *DEMO]
    assert same(catalog.load("b-core"), core_run("b-core", wrong=5))


def test_images_are_read_without_the_counts(catalog, demo):
    with Store(demo.parent / "store") as store:
        store.put(smoothed_run("mine", seed=2))
    for name in (*DEMO, "mine"):
        run, images = catalog.load(name), catalog.images(name)
        assert images.meta == run.meta
        assert np.array_equal(images.index, run.index)
        assert np.array_equal(images.label, run.label)
    with pytest.raises(AcesError, match="no run matches 'none'"):
        catalog.images("none")


def test_a_store_that_is_cut_in_half_is_broken_as_a_whole_and_the_demo_stays(tmp_path):
    demo, place = tmp_path / "demo", tmp_path / "store"
    demo.mkdir()
    write_run(core_run(), demo / "toy-core.npz")
    with Store(place) as store:
        store.put(smoothed_run())
    database = place / "runs" / "cache.db"
    os.truncate(database, database.stat().st_size // 2)
    catalog = Catalog(place, demo)
    listing = catalog.listing()
    assert [meta.name for meta in listing.metas] == ["toy-core"]
    assert list(listing.broken) == [str(place)]
    assert "cache.db is damaged" in listing.broken[str(place)]
    assert catalog.load("toy-core").meta.kind == "core"
    with pytest.raises(AcesError, match=r"cache\.db is damaged"):
        catalog.load("toy-noisy")
