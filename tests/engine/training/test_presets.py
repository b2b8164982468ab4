from __future__ import annotations

from dataclasses import replace

import pytest

from engine import datasets
from engine.errors import AcesError
from engine.training.methods import METHODS
from engine.training.presets import FAMILIES, override, preset
from tests import toy
from tests.engine.training.recipes import colour_preset

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


def test_the_fast_preset_is_of_two_methods_and_says_so():
    recipe, hyper = preset("fast", "gaussian", "cifar10", 0.25)
    assert (recipe.epochs, recipe.schedule, recipe.crop_padding, hyper) == (25, "cosine", 4, None)
    assert preset("fast", "consistency", "cifar10", 0.5)[1].lam == 10
    with pytest.raises(AcesError, match="the preset 'fast' has no recipe for macer; it has: standard, gaussian, cons"):
        preset("fast", "macer", "cifar10", 0.25)


def test_recipes_that_nobody_published_are_refused(monkeypatch):
    monkeypatch.setitem(datasets.DATASETS, "toy", replace(toy.CARD, recipes="toys"))
    with pytest.raises(AcesError, match="the card of toy names the recipes 'toys'; known: mnist, cifar"):
        preset("paper", "gaussian", "toy", 0.25)


def test_the_paper_presets_hold_what_was_published_for_cifar10():
    recipe, macer = colour_preset("macer", 1.0)
    assert (recipe.epochs, recipe.lr, recipe.weight_decay, recipe.crop_padding) == (440, 0.01, 5e-4, 4)
    assert (macer.lam, macer.copies, macer.gamma, macer.beta, macer.defer) == (12, 16, 8, 16, 200)
    assert [colour_preset("consistency", sigma)[1].lam for sigma in (0.25, 0.5, 1.0)] == [20, 10, 10]
    recipe, adv = colour_preset("smoothadv", 0.5)
    assert (recipe.batch_size * adv.copies, adv.epsilon, adv.steps, adv.warm_up) == (256, 2.0, 2, 10)
    assert not recipe.nesterov


@pytest.mark.parametrize(("sigma", "lam"), [(0.12, 20), (0.3, 20), (0.45, 10), (2.0, 10)])
def test_between_published_noise_levels_the_nearest_one_serves(sigma, lam):
    assert colour_preset("consistency", sigma)[1].lam == lam


@pytest.mark.usefixtures("toy_dataset")
def test_settings_are_replaced_by_name_wherever_they_live():
    recipe, hyper = preset("demo", "smoothadv", "toy", 0.25)
    recipe, hyper = override(recipe, hyper, {"lr": "0.3", "attack": "ddn", "steps": "7", "flip": "false"})
    assert (recipe.lr, recipe.flip, hyper.attack, hyper.steps) == (0.3, False, "ddn", 7)
