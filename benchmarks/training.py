"""Images a second: an epoch of every method against the bare forward and backward passes that it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)

from engine.datasets import ImageSet, card
from engine.models import Network, build
from engine.training.consistency import Consistency
from engine.training.loop import Recipe, train
from engine.training.macer import Macer
from engine.training.methods import METHODS, Hyper
from engine.training.smoothadv import SmoothAdv

ROUNDS = 5
BATCH, BATCHES = 128, 20
SIGMA = 0.25

# Method, hyper-parameters, and how many forward and backward passes it makes an image.
CASES: tuple[tuple[str, Hyper | None, int], ...] = (
    ("gaussian", None, 1),
    ("consistency", Consistency(10, copies=2), 2),
    ("macer", Macer(6, copies=2), 2),
    ("smoothadv", SmoothAdv(0.5, 2), 3),
)


def epoch(network: Network, data: ImageSet, name: str, hyper: Hyper | None) -> None:
    """One epoch as ``python -m engine train`` runs it: shuffling, crops, flips, noise, loss, update."""
    recipe = Recipe(1, BATCH, 1e-3, 5e-4, "cosine")
    train(network, data, METHODS[name].objective(hyper), SIGMA, recipe)


def bare(network: Network, data: ImageSet) -> None:
    """Forward and backward on one batch that is already there, again and again: the floor."""
    x, y = torch.from_numpy(data.images[:BATCH]).float() / 255, torch.from_numpy(data.label[:BATCH])
    for _ in range(BATCHES):
        network.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(network(x), y)
        loss.backward()  # type: ignore[no-untyped-call]


def measure(dataset: str = "fashion_mnist", architecture: str = "resnet8") -> dict[str, float]:
    """Seconds an epoch over the seconds of its passes, medians of rounds in which all take turns; and two rates."""
    shape, rng = card(dataset).shape, np.random.default_rng(0)
    n = BATCH * BATCHES
    data = ImageSet(dataset, "train", np.arange(n), np.arange(n) % 10, rng.integers(0, 256, (n, *shape), np.uint8))
    network = build(architecture, dataset).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    loops: dict[str, Callable[[], None]] = {"bare": partial(bare, network, data)}
    for name, hyper, _ in CASES:
        loops[name] = partial(epoch, network, data, name, hyper)
    for loop in loops.values():
        loop()  # warm
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop()
            times[name].append(time.perf_counter() - start)
    seconds = {name: float(np.median(runs)) for name, runs in times.items()}
    rates = {f"{name}, images/s": n / seconds[name] for name in ("bare", "gaussian")}
    return rates | {
        f"{name} epoch / its {passes} bare forward and backward passes, x": seconds[name] / (passes * seconds["bare"])
        for name, _, passes in CASES
    }
