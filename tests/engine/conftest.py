from __future__ import annotations

import multiprocessing
import sys
import types

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


@pytest.fixture
def forkserver(monkeypatch):
    """Processes that begin with the engine loaded. They would run ``__main__`` again, which other tests replace."""
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.sampling.precompute", "engine.training.fit", "tests.toy"])
    return context
