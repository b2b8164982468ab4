from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cache.store import Store
from engine.single_image.picture import to_png
from tests import ROOT, toy


@pytest.fixture
def store(tmp_path):
    """A store with a certification and a core run in it."""
    place = tmp_path / "store"
    with Store(place) as opened:
        opened.put(toy.smoothed_run())
        opened.put(toy.core_run())
    return place


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(to_png(toy.images("test").images[2]))
    return path


@pytest.fixture
def shoe(tmp_path: Path) -> Path:
    """One of the demo's images."""
    with np.load(ROOT / "cache" / "demo" / "fashion_mnist_images.npz") as file:
        path = tmp_path / "shoe.png"
        path.write_bytes(to_png(file["images"][3]))
    return path


@pytest.fixture
def forged(tmp_path: Path) -> Path:
    """Where a forged certificate is written."""
    return tmp_path / "forged.json"
