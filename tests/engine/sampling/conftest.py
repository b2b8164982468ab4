from __future__ import annotations

from dataclasses import replace

import pytest

from engine import datasets
from engine.datasets import ImageSet
from tests import toy


@pytest.fixture
def two_classes(monkeypatch) -> None:
    """Of the toy dataset its first two classes: there, a network of two outputs fits either mechanism."""

    def read(split):
        images = toy.images(split)
        return ImageSet("two", split, images.index[:16], images.label[:16] % 2, images.pixels()[:16])

    card = replace(toy.CARD, name="two", title="Two", classes=("dark", "bright"), reader=read)
    monkeypatch.setitem(datasets.DATASETS, "two", card)
