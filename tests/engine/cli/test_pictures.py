from __future__ import annotations

import numpy as np
import pytest

from cache.store import Store
from engine.datasets import pictures_file, write_likeness
from engine.records.meta import Meta
from engine.records.runs import CoreRun
from tests.engine.datasets.pictures import shuffled


@pytest.fixture
def stored(split, tmp_path, monkeypatch):
    """A core run over every 20th picture in the store, the folders of command and data in ``tmp_path``."""
    part = split.every(20)
    run = CoreRun(Meta("core", "photographs", "cifar10", 10, split="test"), part.index, part.label, part.label)
    with Store(tmp_path / "store") as store:
        store.put(run)
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    return run


def shown(run: CoreRun) -> np.ndarray:
    with np.load(pictures_file("cifar10", run.index, run.label)) as file:
        np.testing.assert_array_equal(file["index"], run.index)
        return file["images"]


@pytest.mark.parametrize("order", ["the run's", "another"])
def test_the_command_writes_the_pictures_of_a_run(order, split, stored, tmp_path, monkeypatch, call):
    write_likeness(split.every(20), tmp_path / "cifar10_likeness.npz")
    files = split if order == "the run's" else shuffled(split)
    monkeypatch.setattr("engine.datasets.load", lambda name, part: files)
    status, out, _ = call("pictures", "photographs", "--cache", tmp_path / "store")
    assert (status, out.strip()) == (0, str(pictures_file("cifar10", stored.index, stored.label)))
    np.testing.assert_array_equal(shown(stored), split.every(20).images)


def test_without_a_likeness_another_order_is_refused(split, stored, tmp_path, monkeypatch, call):
    monkeypatch.setattr("engine.datasets.load", lambda name, part: shuffled(split))
    status, _, error = call("pictures", "photographs", "--cache", tmp_path / "store")
    assert status == 2
    assert "in another order" in error
