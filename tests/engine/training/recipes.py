"""A short recipe for the toy task."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine import datasets
from engine.models import build
from engine.training.fit import TrainingPlan
from engine.training.loop import Recipe
from engine.training.methods import METHODS
from engine.training.presets import preset
from tests import toy

RECIPE = Recipe(epochs=3, batch_size=8, lr=0.05, weight_decay=1e-4, schedule="cosine", crop_padding=0, flip=False)
GAUSSIAN = METHODS["gaussian"].objective()
STANDARD = METHODS["standard"].objective()


def network(seed: int = 0, dropout: float = 0.0):
    torch.manual_seed(seed)
    net = build("resnet8", "toy")
    if dropout:
        net.body.fc = torch.nn.Sequential(torch.nn.Dropout(dropout), net.body.fc)
    return net


def plan(name: str = "net", method: str = "gaussian", sigma: float = 0.25, **changes) -> TrainingPlan:
    return TrainingPlan(name, method, "toy", "resnet8", sigma, replace(RECIPE, **changes), seed=4)


def colour_preset(name: str, sigma: float = 0.25):
    colour = replace(toy.CARD, name="colour", shape=(3, 32, 32), recipes="cifar")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(datasets.DATASETS, "colour", colour)
        return preset("paper", name, "colour", sigma)
