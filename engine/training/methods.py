"""The training methods by name, with their published and demo-sized recipes."""

from __future__ import annotations

from dataclasses import dataclass

from engine.errors import AcesError
from engine.training.gaussian import gaussian
from engine.training.loop import Objective, Recipe
from engine.training.standard import standard


@dataclass(frozen=True)
class Method:
    """A training method: its objective, where it comes from, and whether it trains under noise."""

    name: str
    objective: Objective
    paper: str
    noisy: bool


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method("standard", standard, "plain cross-entropy", noisy=False),
        Method("gaussian", gaussian, "Cohen et al. 2019", noisy=True),
    )
}

RECIPES: dict[str, Recipe] = {
    # Cohen et al. 2019, as published for CIFAR-10: 90 epochs, batch 400, learning rate 0.1 falling tenfold every 30.
    "paper": Recipe(epochs=90, batch_size=400, lr=0.1, weight_decay=1e-4, schedule="step", step_size=30),
    # Sized for two CPU cores.
    "demo": Recipe(epochs=15, batch_size=128, lr=0.1, weight_decay=5e-4, schedule="cosine"),
}


def method(name: str) -> Method:
    """Look a method up. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in METHODS:
        raise AcesError(f"unknown training method '{name}'; known: {', '.join(METHODS)}")
    return METHODS[name]


def recipe(preset: str) -> Recipe:
    """Look a preset up. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if preset not in RECIPES:
        raise AcesError(f"unknown preset '{preset}'; known: {', '.join(RECIPES)}")
    return RECIPES[preset]
