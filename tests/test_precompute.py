from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import numpy as np
import pytest
import torch

from cache.store import BlockKey, Store
from engine import runs
from engine.config import read_config
from engine.counts import count
from engine.draws import BLOCK
from engine.errors import AcesError
from engine.jobs import jobs
from engine.models import load, save
from engine.precompute import Progress, precompute
from engine.runs import CoreRun, SmoothedRun
from tests import toy

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def make(config: Path, store: Path, **changes):
    reports: list[Progress] = []
    settings = read_config(config).model_copy(update=changes)
    with Store(store) as opened:
        made = precompute(settings, opened, report=reports.append)
    return made, reports


def sampled(reports: list[Progress]) -> int:
    return reports[-1].draws - reports[-1].cached if reports else 0


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
    assert runs.from_bytes(runs.to_bytes(second)).meta == second.meta


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


def test_other_noise_than_in_training_is_named_in_the_run(tmp_path):
    config = toy.config(tmp_path)
    text = config.read_text().replace("noisy.safetensors", "noisy.safetensors\n    sigma: [0.25, 0.5]")
    config.write_text(text)
    assert [job.name for job in jobs(read_config(config))] == ["noisy", "noisy@0.5", "plain"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("dataset: toy", "dataset: mnist", "unknown dataset 'mnist'"),
        ("n: 600", "n: 0", "toy.yaml: n: Input should be greater than or equal to 1"),
        ("n: 600", "draws: 600", "toy.yaml: draws: Extra inputs are not permitted"),
        ("noisy.safetensors", "absent.safetensors", "no checkpoint at .*absent.safetensors"),
        ("n0: 50", "precision: float8", "toy.yaml: precision: Input should be"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_that_names_it(tmp_path, old, new, message):
    config = toy.config(tmp_path)
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(AcesError, match=message) as caught:
        read_config(config)
    assert "\n" not in str(caught.value)


def _work(config: Path, store: Path, started: EventType) -> None:
    """What the killed processes do."""
    toy.register()
    with Store(store) as opened:
        started.set()
        precompute(read_config(config), opened)


@pytest.mark.slow
def test_kill_9_at_random_instants_loses_nothing_and_counts_nothing_twice(tmp_path):
    config = toy.config(tmp_path, n=20_000)
    (undisturbed, _), _ = make(config, tmp_path / "undisturbed")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.precompute", "tests.toy"])
    rng, kills = random.Random(0), 0
    for _ in range(20):
        started = context.Event()
        process = context.Process(target=_work, args=(config, tmp_path / "killed", started))
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
def test_two_processes_on_one_run_make_the_run_of_one(tmp_path):
    config = toy.config(tmp_path, n=6_000)
    (alone, _), _ = make(config, tmp_path / "alone")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.precompute", "tests.toy"])
    barrier = context.Barrier(2)
    both = [context.Process(target=_work_beside, args=(config, tmp_path / "both", barrier)) for _ in range(2)]
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
    monkeypatch.setattr("engine.precompute.FLUSH_SECONDS", 0.0)
    writes = {"before": 0, "between": 5, "after": 10**9}[instant]
    put_parts, put, told = Store.put_parts, Store.put, []

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
    assert Store.put is put
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
