from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from dataclasses import replace
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import diskcache
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cache import entries
from cache.entries import BytesDisk
from cache.store import BlockKey, Store
from engine.datasets import Transform, own_card
from engine.errors import AcesError
from engine.mechanisms import MECHANISMS, Mechanism
from engine.models import ARCHITECTURES, architecture, assemble, load, save
from engine.records import runs
from engine.records.compose import compose
from engine.records.counts import count
from engine.records.draws import BLOCK
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.sampling.config import read_config
from engine.sampling.inference import intra_op_threads
from engine.sampling.precompute import precompute
from engine.sampling.work import Progress
from tests import toy
from tests.engine.sampling.sampled_runs import make, of_two_classes, sampled, selecting

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def test_a_config_gives_a_smoothed_and_a_core_run_on_the_named_subset(tmp_path):
    (smoothed, core), _ = make(toy.config(tmp_path), tmp_path / "store")
    assert isinstance(smoothed, SmoothedRun)
    assert isinstance(core, CoreRun)
    assert smoothed.index.tolist() == core.index.tolist() == [0, 4, 8, 12, 16, 20]
    assert smoothed.class_counts.sum(1).tolist() == [600] * 6
    assert smoothed.class_counts0.sum(1).tolist() == [50] * 6
    assert smoothed.meta.network.training == "gaussian"
    assert core.logits is not None
    assert core.prediction.tolist() == core.logits.argmax(1).tolist()


def test_what_the_store_has_is_not_sampled_again(tmp_path):
    config, store = toy.config(tmp_path), tmp_path / "store"
    first, _ = make(config, store)
    second, reports = make(config, store)
    assert reports == []
    assert all(runs.same(a, b) for a, b in zip(first, second, strict=True))


def test_more_draws_continue_the_streams(tmp_path):
    config, store = toy.config(tmp_path), tmp_path / "store"
    make(config, store, n=BLOCK)
    (continued, _), reports = make(config, store, n=BLOCK + 700)
    assert sampled(reports) == 6 * 700
    (fresh, _), _ = make(config, tmp_path / "fresh", n=BLOCK + 700)
    assert runs.arrays(continued).keys() == runs.arrays(fresh).keys()
    assert all(np.array_equal(array, runs.arrays(fresh)[name]) for name, array in runs.arrays(continued).items())


def test_the_record_says_every_n_that_was_decided_on(tmp_path):
    config, store = toy.config(tmp_path), tmp_path / "store"
    (first, _), _ = make(config, store, n=300)
    (second, core), _ = make(config, store, n=600)
    (same, _), _ = make(config, store, n=600)
    assert (first.meta.n_decided, first.meta.looked) == ((300,), False)
    assert (second.meta.n_decided, second.meta.looked) == ((300, 600), True)
    assert same.meta == second.meta
    assert core.meta.n_decided is None
    assert runs.from_bytes(runs.to_bytes(second, local=True), local=True).meta == second.meta


def test_two_halves_equal_the_whole(tmp_path):
    config = toy.config(tmp_path, every=1)
    (whole, _), _ = make(config, tmp_path / "a")
    (part, _), _ = make(config, tmp_path / "b", limit=3)
    assert np.array_equal(part.class_counts, whole.class_counts[:3])
    assert np.array_equal(part.select_counts, whole.select_counts[:3])


def test_a_damaged_block_is_sampled_again_with_the_same_result(tmp_path):
    config, store = toy.config(tmp_path), tmp_path / "store"
    (first, _), _ = make(config, store)
    with Store(store) as opened:
        opened.remove(first.meta.name)
    database = sqlite3.connect(store / "blocks" / "cache.db")
    with database:
        database.execute("UPDATE Cache SET value = X'00' WHERE rowid = 2")
    database.close()
    (second, _), reports = make(config, store)
    assert sampled(reports) in (50, 600)
    assert runs.to_bytes(first) == runs.to_bytes(second)


def test_another_run_of_the_same_name_is_not_overwritten(tmp_path):
    config, store = toy.config(tmp_path), tmp_path / "store"
    make(config, store)
    with pytest.raises(AcesError, match="another run named 'noisy'"):
        make(config, store, seed=7)


def test_a_selection_network_is_sampled_into_a_selection_run(tmp_path):
    (certify, select, core), _ = make(selecting(tmp_path, 2), tmp_path / "store")
    assert isinstance(select, SelectionRun)
    assert select.meta.num_classes == 3
    assert select.select_counts[:, -1].tolist() == [600] * 6
    network = load(tmp_path / "other.safetensors").network
    x = torch.from_numpy(toy.images("test").image(8))
    scores = torch.softmax(network(x + 0.25 * torch.randn(2000, 1, 8, 8)), 1)[:, 0]
    assert select.score_median[2] == pytest.approx(scores.median().item(), abs=0.02)
    assert compose(certify, core, select).score_median.tolist() == select.score_median.tolist()


def test_the_entropies_of_another_network_can_select_at_another_sigma(tmp_path):
    extra = "    mechanism: entropy\n    sigma: [0.5]\n    other_sigma: true\n"
    (_, select, _), _ = make(selecting(tmp_path, 3, extra=extra), tmp_path / "store")
    assert (select.meta.name, select.meta.sigma) == ("other@0.5", 0.5)


@pytest.mark.usefixtures("two_classes")
def test_another_mechanism_is_another_run(tmp_path):
    (_, network), _ = make(of_two_classes(tmp_path, "network"), tmp_path / "store")
    before = runs.to_bytes(network)
    with pytest.raises(AcesError, match=r"another run named 'judge' \(.* or selection mechanism differ\)"):
        make(of_two_classes(tmp_path, "entropy"), tmp_path / "store")
    with pytest.raises(AcesError, match="two runs would be named 'judge'"):
        make(of_two_classes(tmp_path, "network", "entropy"), tmp_path / "store")
    with Store(tmp_path / "store") as store:
        assert runs.to_bytes(store.get("judge")) == before
    (_, network, entropy), reports = make(
        of_two_classes(tmp_path, "network", "entropy", named=True), tmp_path / "store"
    )
    assert (network.meta.mechanism, network.meta.version) == ("network", 1)
    assert (entropy.meta.mechanism, entropy.meta.version) == ("entropy", 2)
    assert not np.array_equal(network.select_counts, entropy.select_counts)
    assert sampled(reports) == entropy.meta.draws0 * 4 + entropy.meta.draws * 4  # the network's draws were stored
    again, reports = make(of_two_classes(tmp_path, "network", "entropy", named=True), tmp_path / "store")
    assert not reports
    assert [run.meta.mechanism for run in again] == ["entropy", "network", "entropy"]


def test_the_keys_of_stored_draws_are_what_they_were():
    """A key that changes orphans every stored draw."""
    assert {name: m.draws for name, m in MECHANISMS.items()} == {"network": "core_probability", "entropy": "entropy"}


@pytest.mark.usefixtures("two_classes")
def test_a_third_mechanism_needs_an_entry_and_no_more(tmp_path, monkeypatch):
    margin = Mechanism("margin", lambda logits: 1 - torch.softmax(logits.float(), 1).amax(1), lambda classes: classes)
    certainty = Mechanism("certainty", lambda logits: torch.softmax(logits.float(), 1).amax(1), lambda classes: classes)
    for new in (margin, certainty):  # two functions of one name: each has its own draws nevertheless
        monkeypatch.setitem(MECHANISMS, new.name, new)
    config = of_two_classes(tmp_path, "margin", "certainty", named=True)
    (certify, first, second), _ = make(config, tmp_path / "store")
    assert [run.meta.mechanism for run in (first, second)] == ["margin", "certainty"]
    assert first.score_median == pytest.approx(1 - second.score_median, abs=1e-6)
    assert runs.same(runs.from_bytes(runs.to_bytes(first)), first)
    meta = replace(certify.meta, kind="core", mechanism=None, smoothing=None)
    core = CoreRun(meta, certify.index, certify.label, certify.label)
    assert len(compose(certify, core, first)) == 4


def test_a_newer_programs_run_stops_precompute_before_anything_is_sampled(tmp_path, call):
    config, place = toy.config(tmp_path), tmp_path / "store"
    make(config, place)
    with diskcache.Cache(str(place / "runs"), disk=BytesDisk) as cache:
        card = json.loads(entries.read(cache, "meta/noisy"))
        card["meta"]["version"] = 4
        entries.write(cache, "meta/noisy", json.dumps(card).encode())
    with Store(place) as store:
        store.remove("plain")
    for arguments in ([], ["--n", "900"], ["--dry-run"]):
        status, _, err = call("precompute", config, "--cache", place, "--progress", "json", *arguments)
        assert (status, err.count("\n")) == (2, 1)
        assert err.startswith(f"error: run 'noisy' in {place} was written by a newer program (meta.version is 4; ")
    with Store(place) as store:
        assert store.metas() == []
    with diskcache.Cache(str(place / "runs"), disk=BytesDisk) as cache:
        assert json.loads(entries.read(cache, "meta/noisy")) == card


def test_a_core_network_sees_pictures_through_a_transform_of_its_own(tmp_path, monkeypatch):
    wide = replace(architecture("resnet8"), transform=Transform(crop=16, channels=1))
    monkeypatch.setitem(ARCHITECTURES, "resnet8", wide)
    (_, core), _ = make(toy.config(tmp_path), tmp_path / "store")
    x = toy.images("test").every(4).seen_through(wide.transform).pixels()
    expected = load(tmp_path / "plain.safetensors").network(torch.from_numpy(x)).detach().numpy()
    assert x.shape == (6, 1, 16, 16)
    assert core.logits == pytest.approx(expected, abs=1e-4)


def test_pictures_of_ones_own_that_were_exchanged_are_sampled_again(tmp_path):
    config = toy.config(tmp_path)
    for k, name in enumerate(["dark/a.png", "bright/b.png", "grey/c.png"]):
        (tmp_path / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (60 * k, 0, 0)).save(tmp_path / "own" / name)
    data = own_card("own", tmp_path / "own", 8)
    save_file(assemble(architecture("resnet8"), data).body.state_dict(), tmp_path / "own.safetensors")
    config.write_text(
        "dataset: own\ndata: {path: own, size: 8}\nn: 250\ncertify: [{checkpoint: own.safetensors, sigma: [0.25]}]\n"
    )
    (before,), _ = make(config, tmp_path / "store")
    (again,), reports = make(config, tmp_path / "store")
    assert reports == []
    Image.new("RGB", (8, 8), (0, 250, 0)).save(tmp_path / "own" / "dark" / "a.png")
    with pytest.raises(AcesError, match="another run named 'own'"):
        make(config, tmp_path / "store")
    with Store(tmp_path / "store") as store:
        store.remove("own")
    (after,), reports = make(config, tmp_path / "store")
    assert sampled(reports) == 350  # of three images, one was exchanged
    assert runs.to_bytes(before) == runs.to_bytes(again) != runs.to_bytes(after)


def _work(config: Path, store: Path, started: EventType) -> None:
    """What the killed processes do."""
    toy.register()
    with Store(store) as opened:
        started.set()
        precompute(read_config(config), opened)


def test_threads_change_no_byte(tmp_path):
    config, made = toy.config(tmp_path), []
    for threads in (1, 3):
        with intra_op_threads(threads):
            (run, _), _ = make(config, tmp_path / f"with {threads}")
        made.append(runs.to_bytes(run))
    assert made[0] == made[1]


@pytest.mark.slow
def test_kill_9_at_random_instants_loses_nothing_and_counts_nothing_twice(tmp_path, forkserver):
    config = toy.config(tmp_path, n=20_000)
    (undisturbed, _), _ = make(config, tmp_path / "undisturbed")
    rng, kills = random.Random(0), 0
    for _ in range(20):
        started = forkserver.Event()
        process = forkserver.Process(target=_work, args=(config, tmp_path / "killed", started))
        process.start()
        assert started.wait(60)
        process.join(rng.uniform(0.01, 0.4))
        if process.exitcode == 0:
            break
        process.kill()
        process.join()
        kills += 1
    (resumed, _), _ = make(config, tmp_path / "killed")
    assert kills >= 3
    assert runs.to_bytes(resumed) == runs.to_bytes(undisturbed)


def test_counts_come_from_the_stored_draws(tmp_path):
    (run, _), _ = make(toy.config(tmp_path), tmp_path / "store")
    as_run = "/".join(map(str, ("float32", *run.meta.as_run.values())))
    key = BlockKey(run.meta.network.sha256, "toy", "test", 8, 0.25, 0, "entropy", as_run, "estimate", 0)
    with Store(tmp_path / "store") as store:
        draws = store.get_block(key)
    assert draws is not None
    assert count(draws, 3).class_counts.tolist() == run.class_counts[2].tolist()


def _work_beside(config: Path, store: Path, barrier) -> None:
    toy.register()
    with Store(store) as opened:
        barrier.wait(60)
        precompute(read_config(config), opened)


@pytest.mark.slow
def test_two_processes_on_one_run_make_the_run_of_one(tmp_path, forkserver):
    config = toy.config(tmp_path, n=6_000)
    (alone, _), _ = make(config, tmp_path / "alone")
    barrier = forkserver.Barrier(2)
    both = [forkserver.Process(target=_work_beside, args=(config, tmp_path / "both", barrier)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(300)
    assert [process.exitcode for process in both] == [0, 0]
    with Store(tmp_path / "both") as store:
        assert runs.to_bytes(store.get("noisy")) == runs.to_bytes(alone)


def test_an_interruption_from_the_keyboard_keeps_what_was_drawn(tmp_path, monkeypatch):
    config, store = toy.config(tmp_path, n=2000), tmp_path / "store"

    def interrupt(progress: Progress) -> None:
        if progress.draws > 1500:
            raise KeyboardInterrupt

    with Store(store) as opened, pytest.raises(KeyboardInterrupt):
        precompute(read_config(config), opened, report=interrupt)
    _, reports = make(config, store)
    assert reports[-1].cached > 1500


@pytest.mark.parametrize("instant", ["before", "between", "after"])
def test_a_disk_that_fills_up_stops_the_run_and_loses_nothing_that_was_stored(tmp_path, monkeypatch, instant):
    config, place = toy.config(tmp_path, n=2000), tmp_path / "store"
    monkeypatch.setattr("engine.sampling.work.FLUSH_SECONDS", 0.0)
    writes = {"before": 0, "between": 5, "after": 10**9}[instant]
    put_parts, told = Store.put_parts, []

    def full(*_, **__) -> None:
        raise AcesError("the disk is full; what was stored is kept")

    def parts(self, given) -> None:
        told.append(1)
        (put_parts if len(told) <= writes else full)(self, given)

    with monkeypatch.context() as patch, Store(place) as store:
        patch.setattr(Store, "put_parts", parts)
        patch.setattr(Store, "put", full)
        with pytest.raises(AcesError, match="the disk is full"):
            precompute(read_config(config), store)
    (resumed, _), reports = make(config, place)
    (alone, _), _ = make(config, tmp_path / "alone")
    assert runs.to_bytes(resumed) == runs.to_bytes(alone)
    if instant != "before":
        assert not reports or reports[-1].cached > 0


@pytest.mark.parametrize("device", ["cuda:77", "tpu"])
def test_a_missing_device_is_refused_before_any_sampling(tmp_path, device):
    with Store(tmp_path / "store") as store, pytest.raises(AcesError, match="is not available"):
        precompute(read_config(toy.config(tmp_path)), store, device=device, report=lambda _: pytest.fail("sampled"))


def test_a_later_network_that_cannot_be_counted_stops_the_first_from_being_sampled(tmp_path):
    config = toy.config(tmp_path)
    network = load(tmp_path / "plain.safetensors")
    torch.nn.init.constant_(network.network.body.fc.weight, float("nan"))
    save(tmp_path / "plain.safetensors", network.network, network.card)
    with Store(tmp_path / "store") as store, pytest.raises(AcesError, match="NaN"):
        precompute(read_config(config), store, report=lambda _: pytest.fail("sampled"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_store_is_refused_before_any_sampling(tmp_path):
    place = tmp_path / "store"
    place.mkdir(mode=0o500)
    with Store(place) as store, pytest.raises(AcesError, match="name a folder you may write"):
        precompute(read_config(toy.config(tmp_path)), store, report=lambda _: pytest.fail("sampled"))


def test_a_store_below_a_file_is_refused_before_any_sampling(tmp_path):
    (tmp_path / "file").write_text("")
    with Store(tmp_path / "file" / "store") as store, pytest.raises(AcesError, match="name a folder you may write"):
        precompute(read_config(toy.config(tmp_path)), store, report=lambda _: pytest.fail("sampled"))


# --- a store that goes under way -----------------------------------------------------------------------------------


def going(folder: Path):
    """Reports progress, and removes ``folder`` at the first report."""

    def report(_: Progress) -> None:
        if folder.exists():
            shutil.rmtree(folder)

    return report


@pytest.mark.parametrize("part", ["", "runs", "blocks"])
def test_a_store_that_is_removed_under_way_ends_the_sampling_at_the_next_flush(tmp_path, monkeypatch, part):
    monkeypatch.setattr("engine.sampling.work.FLUSH_SECONDS", 0.0)
    config, place = toy.config(tmp_path), tmp_path / "store"
    reports: list[Progress] = []
    remove = going(place / part)

    def report(p: Progress) -> None:
        reports.append(p)
        remove(p)

    with Store(place) as store, pytest.raises(AcesError, match="was removed or replaced while it was in use"):
        precompute(read_config(config), store, report=report)
    assert reports[-1].draws < reports[-1].total / 2
    assert not (place / part / "cache.db").exists()


def test_a_run_that_is_removed_before_the_last_is_made_is_not_reported_as_done(tmp_path, monkeypatch):
    config, place = toy.config(tmp_path), tmp_path / "store"
    put = Store.put

    def put_and_remove(store: Store, run, **options) -> None:
        put(store, run, **options)
        if run.meta.kind == "core":
            with Store(place) as another:
                another.remove("noisy")

    monkeypatch.setattr(Store, "put", put_and_remove)
    with Store(place) as store, pytest.raises(AcesError, match="no run named 'noisy'"):
        precompute(read_config(config), store)


def test_a_removed_store_is_one_line_and_status_2(call, tmp_path, monkeypatch):
    from engine.cli import progress

    monkeypatch.setattr("engine.sampling.work.FLUSH_SECONDS", 0.0)
    place = tmp_path / "store"
    remove = going(place)
    monkeypatch.setattr(progress.SamplingLines, "__call__", lambda _, p: remove(p))
    status, out, err = call("precompute", toy.config(tmp_path), "--progress", "json", "--cache", place)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "was removed or replaced while it was in use" in err
