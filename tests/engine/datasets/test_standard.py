from __future__ import annotations

import numpy as np
import pytest

from engine import datasets
from engine.datasets import standard

needs_fashion = pytest.mark.skipif(
    not standard.DEBIAN_FASHION_MNIST.is_dir(),
    reason="Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)",
)


@needs_fashion
def test_fashion_mnist_is_read_from_the_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("fashion_mnist", "test")
    assert data.images.shape == (10_000, 1, 28, 28)
    assert np.bincount(data.label).tolist() == [1000] * 10
    assert data.images.mean() / 255 == pytest.approx(datasets.card("fashion_mnist").mean[0], abs=0.005)


def test_cifar_is_read_from_torchvisions_files(tmp_path, monkeypatch):
    import torchvision.datasets

    class Three(torchvision.datasets.CIFAR10):
        def __init__(self, root, train, download):
            self.data = np.arange(3 * 32 * 32 * 3, dtype=np.uint8).reshape(3, 32, 32, 3)
            self.targets = [3, 8, 8] if not train else [6, 9, 9]

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Three)
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("cifar10", "test")
    assert data.label.tolist() == [3, 8, 8]
    assert data.images.shape == (3, 3, 32, 32)
    assert data.images[0, :, 0, 1].tolist() == [3, 4, 5]  # the channels of one pixel
    assert datasets.load("cifar10", "train").label.tolist() == [6, 9, 9]
