from __future__ import annotations

from dataclasses import replace

import pytest

from engine import datasets
from engine.errors import AcesError
from engine.training.methods import METHODS
from engine.training.presets import FAMILIES, preset
from tests import toy

TRAINED = tuple(name for name in METHODS if name != "selection")


@pytest.mark.parametrize("name", [name for name in datasets.DATASETS if datasets.known(name)])
@pytest.mark.parametrize("which", ["paper", "demo"])
def test_every_dataset_that_can_be_read_has_recipes_for_every_method(name, which):
    family = FAMILIES[datasets.card(name).recipes]
    for method in TRAINED:
        recipe, hyper = preset(which, method, name, 0.5)
        assert recipe.crop_padding == family.crop_padding
        assert (hyper is None) == (method in ("standard", "gaussian"))


def test_the_recipes_are_those_that_the_card_names():
    assert [preset("paper", "macer", name, 0.25)[0].epochs for name in ("fashion_mnist", "cifar10", "imagenet")] == [
        90, 440, 440,
    ]  # fmt: skip
    assert [preset("demo", "macer", name, 0.25)[0].crop_padding for name in ("fashion_mnist", "cifar10")] == [2, 4]


def test_recipes_that_nobody_published_are_refused(monkeypatch):
    monkeypatch.setitem(datasets.DATASETS, "toy", replace(toy.CARD, recipes="toys"))
    with pytest.raises(AcesError, match="the card of toy names the recipes 'toys'; known: mnist, cifar"):
        preset("paper", "gaussian", "toy", 0.25)
