"""The published recipes, and those sized for two CPU cores, by method, dataset and noise.

Epsilons of attacks are published in units of 1/256 and kept as such here. Between the published noise levels the
nearest one's hyper-parameters serve. Whose recipes serve a dataset, its card says: for Fashion-MNIST, of which nobody
published, MNIST's stand in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from engine import datasets
from engine.datasets import DatasetCard
from engine.errors import AcesError
from engine.training.consistency import Consistency
from engine.training.loop import Recipe
from engine.training.macer import Macer
from engine.training.methods import Hyper, method
from engine.training.smoothadv import SmoothAdv, SmoothAdvConsistency

PRESETS = ("paper", "demo", "fast")
FAST_ARCHITECTURE = "resnet14x4-half"  # what `fast` is meant for
DRAWS = {"paper": 1000, "demo": 50, "fast": 1000}  # noisy answers per image that label it for a selection network


@dataclass(frozen=True)
class Preset:
    """A recipe, and the method's hyper-parameters by noise level; {} where the method has none."""

    recipe: Recipe
    by_sigma: dict[float, Hyper]

    def hyper(self, sigma: float) -> Hyper | None:
        """Those of the noise level nearest to ``sigma`` on a logarithmic scale."""
        if not self.by_sigma:
            return None
        return self.by_sigma[min(self.by_sigma, key=lambda s: abs(math.log(s) - math.log(sigma)))]


def _published(epochs: int, batch_size: int, lr: float, step_size: int, weight_decay: float = 1e-4) -> Recipe:
    return Recipe(epochs, batch_size, lr, weight_decay, "step", step_size, nesterov=False)


_COHEN = Preset(_published(90, 400, 0.1, 30), {})

# Cohen et al. 2019 for Gaussian, Zhai et al. 2020 for MACER. Salman et al. 2019 and Jeong and Shin 2020 split batches
# of 256 into 256/m images with m noise vectors each; of the former's networks, those that the ACES authors chose.
_CIFAR: dict[str, Preset] = {
    "standard": _COHEN,
    "gaussian": _COHEN,
    "smoothadv": Preset(
        _published(150, 32, 0.1, 50),
        {
            0.25: SmoothAdv(255 / 256, 10, copies=8, warm_up=10),
            0.5: SmoothAdv(512 / 256, 2, copies=8, warm_up=10),
            1.0: SmoothAdv(512 / 256, 10, copies=2, warm_up=10),
        },
    ),
    "macer": Preset(
        _published(440, 64, 0.01, 200, weight_decay=5e-4),
        {0.25: Macer(12), 0.5: Macer(4), 1.0: Macer(12, defer=200)},
    ),
    "consistency": Preset(
        _published(150, 128, 0.1, 50), {0.25: Consistency(20), 0.5: Consistency(10), 1.0: Consistency(10)}
    ),
    "smoothadv-consistency": Preset(
        _published(150, 64, 0.1, 50),
        {
            0.25: SmoothAdvConsistency(255 / 256, 10, copies=4, warm_up=10, lam=2),
            0.5: SmoothAdvConsistency(512 / 256, 10, copies=2, warm_up=10, lam=1),
            1.0: SmoothAdvConsistency(512 / 256, 10, copies=2, warm_up=10, lam=1),
        },
    ),
}

# Jeong and Shin 2020, on MNIST, for all four methods.
_MNIST: dict[str, Preset] = {
    "standard": Preset(_published(90, 256, 0.01, 30), {}),
    "gaussian": Preset(_published(90, 256, 0.01, 30), {}),
    "smoothadv": Preset(_published(90, 64, 0.01, 30), {0.25: SmoothAdv(255 / 256, 10, copies=4, warm_up=10)}),
    "macer": Preset(
        _published(90, 256, 0.01, 30), {0.25: Macer(16, defer=30), 0.5: Macer(16, defer=30), 1.0: Macer(6, defer=30)}
    ),
    "consistency": Preset(
        _published(90, 128, 0.01, 30), {0.25: Consistency(10), 0.5: Consistency(5), 1.0: Consistency(5)}
    ),
    "smoothadv-consistency": Preset(
        _published(90, 64, 0.01, 30), {0.25: SmoothAdvConsistency(255 / 256, 10, copies=4, warm_up=10, lam=1)}
    ),
}

# Two CPU cores: few epochs under a cosine, few noise vectors, short attacks in smaller balls.
_SHORT = Recipe(8, 128, 0.1, 5e-4, "cosine")
_LONG = Recipe(15, 128, 0.1, 5e-4, "cosine")
_DEMO: dict[str, Preset] = {
    "standard": Preset(_LONG, {}),
    "gaussian": Preset(_LONG, {}),
    "smoothadv": Preset(
        _SHORT,
        {
            0.25: SmoothAdv(0.5, 2, warm_up=2),
            0.5: SmoothAdv(1.0, 2, warm_up=2),
            1.0: SmoothAdv(1.0, 2, warm_up=2),
        },
    ),
    "macer": Preset(
        replace(_SHORT, lr=0.05),
        {0.25: Macer(6, copies=2, defer=2), 0.5: Macer(3, copies=2, defer=2), 1.0: Macer(3, copies=2, defer=2)},
    ),
    "consistency": Preset(_SHORT, {0.25: Consistency(10), 0.5: Consistency(5), 1.0: Consistency(5)}),
    "smoothadv-consistency": Preset(_SHORT, {0.25: SmoothAdvConsistency(0.5, 1, copies=2, warm_up=2, lam=2)}),
}


# A wide network at half the resolution for a few hours of two CPU cores, or minutes of a GPU (docs/training.md).
_FAST: dict[str, Preset] = {
    "standard": Preset(replace(_LONG, epochs=25), {}),
    "gaussian": Preset(replace(_LONG, epochs=25), {}),
    "consistency": Preset(
        replace(_LONG, epochs=20), {0.25: Consistency(10), 0.5: Consistency(10), 1.0: Consistency(10)}
    ),
}

# Salman et al. 2020 train 90 epochs by the pixels; before this start, or from it, 20 by the answer.
_DENOISER = {
    "paper": Recipe(90, 400, 1e-3, 0.0, "step", 30, optimizer="adam"),
    "demo": Recipe(4, 128, 2e-3, 0.0, "cosine", optimizer="adam"),
}


@dataclass(frozen=True)
class Family:
    """The published presets by method, and how many pixels random crops are padded by, whichever preset it is."""

    published: dict[str, Preset]
    crop_padding: int


FAMILIES = {  # what a dataset's card names
    "mnist": Family(_MNIST, 2),
    "cifar": Family(_CIFAR, 4),  # as Cohen et al. crop 32 px
}


def preset(name: str, method_name: str, dataset: str | DatasetCard, sigma: float) -> tuple[Recipe, Hyper | None]:
    """Recipe and hyper-parameters. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in PRESETS:
        raise AcesError(f"unknown preset '{name}'; known: {', '.join(PRESETS)}")
    card = _card(dataset)
    if card.recipes not in FAMILIES:
        raise AcesError(f"the card of {card.name} names the recipes '{card.recipes}'; known: {', '.join(FAMILIES)}")
    family = FAMILIES[card.recipes]
    presets = {"paper": family.published, "demo": _DEMO, "fast": _FAST}[name]
    if (wanted := method(method_name).name) not in presets:
        raise AcesError(f"the preset '{name}' has no recipe for {wanted}; it has: {', '.join(presets)}")
    chosen = presets[wanted]
    recipe = replace(chosen.recipe, crop_padding=family.crop_padding)
    return recipe, chosen.hyper(sigma) if sigma > 0 else None


def denoiser_preset(name: str, dataset: str | DatasetCard) -> Recipe:
    """The recipe of a denoiser. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in _DENOISER:
        raise AcesError(f"unknown preset '{name}' of a denoiser; known: {', '.join(_DENOISER)}")
    return replace(_DENOISER[name], crop_padding=FAMILIES[_card(dataset).recipes].crop_padding)


def _card(dataset: str | DatasetCard) -> DatasetCard:
    """The card of a known dataset, by its name, or of pictures of the user's own."""
    return dataset if isinstance(dataset, DatasetCard) else datasets.card(dataset)


def override(recipe: Recipe, hyper: Hyper | None, values: dict[str, str]) -> tuple[Recipe, Hyper | None]:
    """Replace fields by name, from text. Raises ``AcesError`` for an unknown name or a wrong kind of value."""
    for name, text in values.items():
        if name in _names(recipe):
            recipe = replace(recipe, **{name: _parsed(recipe, name, text)})
        elif hyper is not None and name in _names(hyper):
            hyper = replace(hyper, **{name: _parsed(hyper, name, text)})
        else:
            known = _names(recipe) + (_names(hyper) if hyper is not None else [])
            raise AcesError(f"nothing named '{name}' to set; there are: {', '.join(known)}")
    return recipe, hyper


def _names(of: Recipe | Hyper) -> list[str]:
    return [f.name for f in fields(of)]


def _parsed(of: Recipe | Hyper, name: str, text: str) -> Any:
    kind = type(getattr(of, name))
    try:
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        raise AcesError(f"{name}={text}: '{text}' is not of type {kind.__name__}") from None
