"""Draws a second: the engine against the loops it replaces and against the bare forward pass of its own network."""

from __future__ import annotations

import math
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import entropy as scipy_entropy
from torch import Tensor, nn

from engine.mechanisms import entropy
from engine.models import Network
from engine.records.counts import count
from engine.records.draws import CHUNK, concatenate
from engine.sampling.inference import PRECISIONS, FrozenNetwork, Layout, fastest, freeze, intra_op_threads
from engine.sampling.stream import Source, Stage, sample, segments

ROUNDS = 5
SECONDS = 1.0  # of each loop in each round
BATCHES = (25, 50, 125, 250)


@dataclass(frozen=True)
class Rates:
    """Median draws per second of one network in one precision; ``ratios`` are medians over rounds, one round each."""

    engine: float
    layout: Layout
    floor: float
    ratios: dict[str, float]


# --- the loops ----------------------------------------------------------------------------------------------------


def cohen_style(network: nn.Module, x: Tensor, sigma: float, num_classes: int, batch: int, n: int) -> np.ndarray:
    """One image, large batches in float32, a Python loop over the predictions (after Cohen et al.'s ``core.py``)."""
    counts = np.zeros(num_classes, dtype=int)
    with torch.no_grad():
        for _ in range(math.ceil(n / batch)):
            size = min(batch, n)
            n -= size
            noisy = x.repeat((size, 1, 1, 1))
            predictions = network(noisy + torch.randn_like(noisy) * sigma).argmax(1)
            for prediction in predictions.numpy():
                counts[prediction] += 1
    return counts


def per_draw_entropies(network: FrozenNetwork, x: Tensor, sigma: float, n: int) -> np.ndarray:
    """The engine's network, but entropies draw by draw and thresholds in a Python loop (after the ACES authors)."""
    selected = np.zeros(101, dtype=int)
    for _ in range(math.ceil(n / network.batch)):
        logits = network(torch.randn((network.batch, *x.shape)) * sigma + x).numpy()
        scores = np.array([scipy_entropy(softmax(row), base=len(row)) for row in logits])
        for step in range(101):
            selected[step] += sum(scores <= step / 100)
            sum(scores > step / 100)  # they count both sides
    return selected


def engine(network: FrozenNetwork, x: Tensor, sigma: float, num_classes: int, n: int) -> None:
    """The pass itself: noise, network, class and entropy of every draw, counts at 1001 thresholds."""
    source = Source(network, entropy, sigma, 0, lambda _: x)
    count(concatenate([draws for _, draws in sample(source, segments(0, Stage.ESTIMATE, 0, n))]), num_classes)


def forward_only(network: FrozenNetwork, shape: tuple[int, ...], threads: int, n: int) -> None:
    """The frozen network on one batch, again and again, in so many threads: the floor."""
    inner = max(1, torch.get_num_threads() // threads)
    batch = torch.rand(network.batch, *shape)
    batches = math.ceil(n / network.batch)

    def work(times: int) -> None:
        torch.set_num_threads(inner)
        for _ in range(times):
            network(batch)

    shares = [batches // threads + (i < batches % threads) for i in range(threads)]
    with intra_op_threads(inner), ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, shares))


# --- measuring ----------------------------------------------------------------------------------------------------


def rate(loop: Callable[..., object], n: int) -> float:
    """Draws a second of ``loop(n=n)``."""
    start = time.perf_counter()
    loop(n=n)
    return n / (time.perf_counter() - start)


def floor(network: Network, shape: tuple[int, ...], precision: str) -> Callable[..., object]:
    """The bare forward pass in the batch size, and with the split of threads, in which it is fastest here."""
    batches = BATCHES if math.prod(shape) < 3 * 128 * 128 else BATCHES[:2]
    cores = torch.get_num_threads()
    ways = {
        partial(forward_only, freeze(network, precision, layout=Layout(batch=batch)), shape, threads): 2 * cores * batch
        for batch in batches
        for threads in {1, cores}
    }
    return max(ways, key=lambda way: max(rate(way, ways[way]) for _ in range(2)))


def measure(
    network: Network, shape: tuple[int, ...], num_classes: int, precision: str, sigma: float = 0.5, rounds: int = ROUNDS
) -> Rates:
    """All loops on one network, interleaved round by round so that a busy machine slows all of them alike."""
    x = torch.rand(shape)
    frozen = fastest(network, shape, precision)
    large = math.prod(shape) >= 3 * 128 * 128
    loops: dict[str, Callable[..., object]] = {
        "engine": partial(engine, frozen, x, sigma, num_classes),
        "forward": floor(network, shape, precision),
        "cohen": partial(cohen_style, network, x, sigma, num_classes, 50 if large else 1000),
        "per-draw": partial(per_draw_entropies, frozen, x, sigma),
    }
    if large:  # seconds a draw: no time to try; the engine hands out whole chunks, so it needs one for each thread
        size = {name: torch.get_num_threads() * CHUNK if name in ("engine", "forward") else 50 for name in loops}
    else:
        size = {name: draws_for(loop, 500) for name, loop in loops.items()}
    found = [{name: rate(loop, size[name]) for name, loop in loops.items()} for _ in range(rounds)]
    ratios = {name: statistics.median(r["engine"] / r[name] for r in found) for name in loops if name != "engine"}
    medians = {name: statistics.median(r[name] for r in found) for name in loops}
    return Rates(medians["engine"], frozen.layout, medians["forward"], ratios)


def draws_for(loop: Callable[..., object], first: int) -> int:
    """About ``SECONDS`` of work for a loop, from a short try after a shorter warm-up."""
    rate(loop, first)
    return max(first, round(rate(loop, first) * SECONDS / first) * first)


# --- growth and memory ----------------------------------------------------------------------------------------------


class Linear(nn.Module):
    """A body so cheap that what remains is the pass itself: m logits from the mean of the image."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.linspace(-3, 3, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2, 3))[:, None] * self.weight


def pass_alone(num_classes: int, n: int) -> float:
    """Microseconds a draw of everything beside the network: noise at 3 x 32 x 32, class, entropy, 1001 thresholds."""
    network = freeze(Network(nn.Identity(), Linear(num_classes)), layout=Layout(batch=250))
    loop = partial(engine, network, torch.rand(3, 32, 32), 0.5, num_classes)
    rate(loop, 1000)
    return 1e6 / max(rate(loop, n) for _ in range(3))


def peak_memory_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def profile(network: FrozenNetwork, shape: tuple[int, ...], num_classes: int, n: int = 5000) -> dict[str, float]:
    """Shares of the CPU time of a pass by kind of operation, in percent, from torch's profiler."""
    x = torch.rand(shape)
    engine(network, x, 0.5, num_classes, n)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as recorded:
        # The profiler sees one thread: the pass's own steps are called here, without the pool.
        run_in_this_thread(network, x, num_classes, n)
    kinds = {
        "convolution": "network: convolutions",
        "normal_": "noise",
        "addmm": "network: linear",
        "relu": "network: relu",
    }
    shares: dict[str, float] = {}
    for event in recorded.key_averages():
        kind = next((label for part, label in kinds.items() if part in event.key), "everything else")
        shares[kind] = shares.get(kind, 0.0) + event.self_cpu_time_total
    whole = sum(shares.values())
    return {kind: 100 * share / whole for kind, share in sorted(shares.items(), key=lambda item: -item[1])}


def run_in_this_thread(network: FrozenNetwork, x: Tensor, num_classes: int, n: int) -> None:
    """The pass of one worker thread."""
    from engine.sampling.stream import run_task

    source = Source(network, entropy, 0.5, 0, lambda _: x)
    with intra_op_threads(1):
        parts = [run_task(source, (segment,))[0] for segment in segments(0, Stage.ESTIMATE, 0, n)]
    count(concatenate(parts), num_classes)


def precisions() -> tuple[str, ...]:
    """All precisions of the engine."""
    return tuple(PRECISIONS)
