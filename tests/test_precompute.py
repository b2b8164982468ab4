from __future__ import annotations

import multiprocessing
import random
import sqlite3
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import numpy as np
import pytest

from cache.store import BlockKey, Store
from engine import runs
from engine.config import read_config
from engine.counts import count
from engine.draws import BLOCK
from engine.errors import AcesError
from engine.jobs import jobs
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
