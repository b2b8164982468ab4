"""Pictures of runs whose images do not ship: found in the dataset's files, in whatever order these are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cache.store import Store
from engine.datasets import ImageSet, find_again, pictures_file, write_likeness
from engine.errors import AcesError
from engine.records.runs import CoreRun, Meta


@pytest.fixture
def split():
    """200 smooth colour pictures of 10 classes, which are told apart as photographs are."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(64, 192, (200, 3, 8, 8)).astype(np.uint8)
    images = coarse.repeat(4, 2).repeat(4, 3)
    return ImageSet("cifar10", "test", np.arange(200), rng.integers(0, 10, 200), images)


def recompressed(image: np.ndarray) -> np.ndarray:
    out = BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(out, "JPEG", quality=75)
    return np.asarray(Image.open(out)).transpose(2, 0, 1)


def shuffled(split: ImageSet) -> ImageSet:
    order = np.random.default_rng(1).permutation(len(split))
    return replace(split.rows(order), index=np.arange(len(split)))


def test_a_subset_is_found_in_another_order_and_compression(split, tmp_path):
    part = split.every(20)
    write_likeness(part, tmp_path / "likeness.npz")
    other = shuffled(replace(split, images=np.stack([recompressed(x) for x in split.images])))
    found = find_again(tmp_path / "likeness.npz", other)
    np.testing.assert_array_equal(found.index, part.index)
    np.testing.assert_array_equal(found.label, part.label)
    np.testing.assert_array_equal(found.images, [recompressed(x) for x in part.images])


@pytest.mark.parametrize("lacks", ["picture", "label"])
def test_an_image_that_is_not_there_is_named(split, tmp_path, lacks):
    write_likeness(split.every(20), tmp_path / "likeness.npz")
    without = split.rows(np.flatnonzero(split.index != 40))
    if lacks == "label":
        without = split.rows(np.flatnonzero(split.label != split.label[40]))
    with pytest.raises(AcesError, match=r"the first of them index (40|0), are not among"):
        find_again(tmp_path / "likeness.npz", without)


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
