"""Draws a second: the engine against the loops it replaces and against the bare forward pass of its own network."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from torch import Tensor, nn

from engine.counts import count
from engine.inference import FrozenNetwork, freeze
from engine.models import Network
from engine.sampling import BLOCK, Stage, sample_block
from engine.scores import entropy

ROUNDS = 5


@dataclass(frozen=True)
class Rate:
    """A loop and its median draws a second over the rounds."""

    name: str
    draws_per_second: float


def cohen_style(network: nn.Module, x: Tensor, sigma: float, n: int, num_classes: int) -> np.ndarray:
    """One image, batches of 1000 in float32, a Python loop over the predictions (after Cohen et al.'s ``core.py``)."""
    counts = np.zeros(num_classes, dtype=int)
    with torch.no_grad():
        for _ in range(math.ceil(n / 1000)):
            size = min(1000, n)
            n -= size
            batch = x.repeat((size, 1, 1, 1))
            predictions = network(batch + torch.randn_like(batch) * sigma).argmax(1)
            for prediction in predictions.numpy():
                counts[prediction] += 1
    return counts


def per_draw_entropies(network: FrozenNetwork, x: Tensor, sigma: float, n: int) -> np.ndarray:
    """The engine's network, but entropies draw by draw and thresholds in a Python loop (after the ACES authors)."""
    selected = np.zeros(101, dtype=int)
    for _ in range(n // network.batch):
        logits = network(torch.randn((network.batch, *x.shape)) * sigma + x).numpy()
        scores = np.array([scipy_entropy(softmax(row), base=len(row)) for row in logits])
        for step in range(101):
            selected[step] += sum(scores <= step / 100)
            sum(scores > step / 100)  # they count both sides
    return selected


def engine(network: FrozenNetwork, x: Tensor, sigma: float, n: int, num_classes: int) -> None:
    """The pass itself: noise, network, class and entropy of every draw, counts at 1001 thresholds."""
    for block in range(n // BLOCK):
        draws = sample_block(network, x, sigma, entropy, seed=0, index=0, stage=Stage.ESTIMATE, block=block)
        count(draws, num_classes)


def forward_only(network: FrozenNetwork, batch: Tensor, n: int) -> None:
    """The frozen network on one batch, again and again: the floor."""
    for _ in range(n // len(batch)):
        network(batch)


def best_batch(network: FrozenNetwork, shape: tuple[int, ...]) -> Tensor:
    """The batch size at which the bare forward pass is fastest on this machine."""

    def speed(size: int) -> float:
        batch = torch.rand(size, *shape)
        network(batch)
        start = time.perf_counter()
        forward_only(network, batch, 4000)
        return (4000 // size * size) / (time.perf_counter() - start)

    return torch.rand(max((64, 125, 250, 500, 1000), key=speed), *shape)


def measure(network: Network, shape: tuple[int, ...], num_classes: int, sigma: float = 0.5) -> dict[str, Rate]:
    """Median rates of all loops, interleaved round by round so that a busy machine slows all of them alike."""
    x = torch.rand(shape)
    frozen = {precision: freeze(network, precision) for precision in ("float32", "bfloat16")}
    floors = {precision: best_batch(net, shape) for precision, net in frozen.items()}
    bf16 = frozen["bfloat16"]
    loops: dict[str, tuple[int, Callable[..., object]]] = {
        "Cohen-style loop, float32": (2000, partial(cohen_style, network, x, sigma, num_classes=num_classes)),
        "per-draw entropies, bfloat16": (500, partial(per_draw_entropies, bf16, x, sigma)),
    }
    for precision, net in frozen.items():
        floor = floors[precision]
        loops[f"engine, {precision}"] = 2 * BLOCK, partial(engine, net, x, sigma, num_classes=num_classes)
        loops[f"forward pass, {precision}, batch {len(floor)}"] = 2 * BLOCK, partial(forward_only, net, floor)
    for n, loop in loops.values():
        loop(n=n)  # warm
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS):
        for name, (n, loop) in loops.items():
            start = time.perf_counter()
            loop(n=n)
            times[name].append(n / (time.perf_counter() - start))
    return {name: Rate(name, float(np.median(rates))) for name, rates in times.items()}


def ratios(rates: dict[str, Rate]) -> dict[str, float]:
    """The rows of the table of docs/performance.md."""

    def rate(start: str) -> float:
        return next(r.draws_per_second for name, r in rates.items() if name.startswith(start))

    return {
        "engine bfloat16 / Cohen-style float32 loop": rate("engine, bfloat16") / rate("Cohen"),
        "engine float32 / Cohen-style float32 loop": rate("engine, float32") / rate("Cohen"),
        "engine bfloat16 / per-draw entropies": rate("engine, bfloat16") / rate("per-draw"),
        "engine bfloat16 / its bare forward pass": rate("engine, bfloat16") / rate("forward pass, bfloat16"),
        "engine float32 / its bare forward pass": rate("engine, float32") / rate("forward pass, float32"),
    }


def peak_memory_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
