from __future__ import annotations

import numpy as np
import pytest

from engine.datasets import ImageSet


@pytest.fixture
def split():
    """200 smooth colour pictures of 10 classes, which are told apart as photographs are."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(64, 192, (200, 3, 8, 8)).astype(np.uint8)
    images = coarse.repeat(4, 2).repeat(4, 3)
    return ImageSet("cifar10", "test", np.arange(200), rng.integers(0, 10, 200), images)
