from __future__ import annotations

import numpy as np
import pytest

from engine import datasets
from engine.datasets import DEBIAN_FASHION_MNIST, ImageSet
from engine.errors import AcesError

needs_fashion = pytest.mark.skipif(
    not DEBIAN_FASHION_MNIST.is_dir(), reason="Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)"
)


def ten() -> ImageSet:
    return ImageSet("toy", "test", np.arange(10), np.arange(10) % 3, np.zeros((10, 1, 2, 2), np.uint8))


@pytest.mark.parametrize(
    ("step", "limit", "expected"), [(3, None, [0, 3, 6, 9]), (3, 2, [0, 3]), (1, 4, [0, 1, 2, 3]), (20, None, [0])]
)
def test_subsets_keep_the_position_in_the_split(step, limit, expected):
    assert ten().every(step, limit).index.tolist() == expected


@pytest.mark.parametrize(("step", "limit"), [(0, None), (1, 0), (-2, None)])
def test_impossible_subsets_are_refused(step, limit):
    with pytest.raises(AcesError, match="at least 1"):
        ten().every(step, limit)


def test_pixels_run_from_0_to_1():
    images = np.array([[[[0, 255]]]], np.uint8)
    one = ImageSet("toy", "test", np.arange(1), np.zeros(1, np.int64), images)
    assert one.pixels().tolist() == [[[[0.0, 1.0]]]]


def test_unknown_names_list_the_known_ones():
    with pytest.raises(AcesError, match="unknown dataset 'mnits'; known: fashion_mnist"):
        datasets.load("mnits")
    with pytest.raises(AcesError, match="unknown split 'validation'; known: train, test"):
        datasets.load("fashion_mnist", "validation")


@needs_fashion
def test_fashion_mnist_is_read_from_the_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("fashion_mnist", "test")
    assert data.images.shape == (10_000, 1, 28, 28)
    assert np.bincount(data.label).tolist() == [1000] * 10
    assert data.images.mean() / 255 == pytest.approx(datasets.card("fashion_mnist").mean[0], abs=0.005)


def test_without_files_and_network_the_message_says_what_to_put_where(tmp_path, monkeypatch):
    import torchvision.datasets

    def offline(*_args, **_kwargs):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "DEBIAN_FASHION_MNIST", tmp_path / "absent")
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", offline)
    with pytest.raises(AcesError, match="apt-get install dataset-fashion-mnist"):
        datasets.load("fashion_mnist", "test")
