"""The engine on a GPU, numbers that nobody has measured yet, on anybody's: ``python -m benchmarks gpu``.

The paper's two: 500 images, n = 100,000, ResNet-110 at 32 px and ResNet-50 at 224 px, untrained (which changes no
speed), in bfloat16, with n for every image and with a budget; the bare compiled forward pass; memory; profile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count as counted

import numpy as np
import torch
from torch import Tensor

from engine.arrays import Array
from engine.mechanisms import entropy
from engine.models import Network
from engine.records.draws import CHUNK
from engine.sampling.inference import FORMATS, PRECISIONS, FrozenNetwork, fastest, freeze
from engine.sampling.stream import Source, Stage, StreamPart, run_task, sample, segments
from engine.statistics.budget import Budget, GuessVotes, choose

IMAGES, N, N0 = 500, 100_000, 200
SECONDS = 20.0  # of sampling, from which a whole run is reckoned
WARM = 3
BATCHES = (250, 1_000, 2_500, 5_000)  # of the bare forward pass
KINDS = {"conv": "convolutions", "gemm": "linear", "normal": "noise", "memcpy": "copies", "softmax": "softmax"}


@dataclass(frozen=True)
class Found:
    """One network on one device: draws a second of the engine, with an even n and by the draws of a budget, and of the
    bare compiled forward pass; ``saved``: how many times fewer draws the budget takes. ``megabytes``: the most memory
    of the device, None on a CPU; ``profile``: shares of its time by kind of operation, in percent.
    """

    even: float
    uneven: float
    bare: float
    saved: float
    megabytes: float | None
    profile: dict[str, float]

    @property
    def seconds(self) -> float:
        """Of all images at n, guess draws included, at the rate measured."""
        return IMAGES * (N + N0) / self.even

    @property
    def seconds_with_budget(self) -> float:
        """With a budget that saves as much as here, likewise."""
        return IMAGES * (N / self.saved + N0) / self.uneven


def available() -> bool:
    """Whether there is a GPU that torch can use."""
    return torch.cuda.is_available()


def budgeted(votes: GuessVotes | None = None) -> Array:
    """How many draws a budget that may lose 1 % gives 500 images, int64 [500], by their guess ``votes``.

    By default of images as the demo's CIFAR-10 network sees them: an untrained network's say nothing.
    """
    return choose(votes or demo_votes(), N, Budget(0.01, theta=(1.0, 1.0)))


def demo_votes() -> GuessVotes:
    """What the guess draws of ``cifar10-gaussian-0.25`` said of 500 test images."""
    from cache import Catalog
    from cache.catalog import DEMO

    run = Catalog(demo=DEMO).load("cifar10-gaussian-0.25")
    votes = run.class_counts0.max(1)
    n0 = run.meta.draws0
    return GuessVotes(n0, np.full((len(votes), 1), n0), votes, run.class_counts0.argmax(1) == run.label)


def measure(
    network: Network,
    shape: tuple[int, ...],
    device: str = "cuda",
    seconds: float = SECONDS,
    precision: str = "bfloat16",
) -> Found:
    """All of it for one network."""
    frozen = fastest(network, shape, precision, device)
    draws = budgeted()
    is_gpu = frozen.device.type == "cuda"
    if is_gpu:
        torch.cuda.reset_peak_memory_stats(frozen.device)
    source = Source(frozen, entropy, 0.5, 0, _images(shape))
    even = sampled(source, (N for _ in counted()), seconds)
    uneven = sampled(source, (int(draws[at % len(draws)]) for at in counted()), seconds)
    megabytes = torch.cuda.max_memory_allocated(frozen.device) / 1e6 if is_gpu else None
    best = bare(network, shape, device, precision, seconds / 4)
    return Found(even, uneven, best, N / float(draws.mean()), megabytes, profile(source))


def _images(shape: tuple[int, ...]) -> Callable[[int], Tensor]:
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    return lambda index: image


def sampled(source: Source, draws: Iterator[int], seconds: float) -> float:
    """Draws a second over images that have so many ``draws`` each, one after the other as a run has them."""
    parts = (part for index, n in enumerate(draws) for part in segments(index, Stage.ESTIMATE, 0, n))
    made, start = 0, 0.0
    for at, (part, _) in enumerate(sample(source, parts)):
        if at == WARM:
            made, start = 0, time.perf_counter()
        made += len(part)
        if start and time.perf_counter() - start > seconds:
            break
    return made / (time.perf_counter() - start)


def bare(network: Network, shape: tuple[int, ...], device: str, precision: str, seconds: float) -> float:
    """Images a second of the compiled network alone, at its best batch: the same input again and again."""
    body = freeze(network, precision, device).body
    run = torch.compile(body, dynamic=False) if device != "cpu" else body
    rates = [0.0]
    for batch in BATCHES:
        if math.prod(shape) * batch > 2**28:
            continue
        x = torch.rand((batch, *shape), device=device).to(PRECISIONS[precision], memory_format=FORMATS["channels_last"])
        rates.append(_rate(run, x, seconds / len(BATCHES)))
    return max(rates)


@torch.inference_mode()
def _rate(run: Callable[[Tensor], Tensor], x: Tensor, seconds: float) -> float:
    for _ in range(WARM):
        run(x)
    _wait(x)
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        run(x)
        _wait(x)
        images += len(x)
    return images / (time.perf_counter() - start)


def _wait(x: Tensor) -> None:
    if x.device.type == "cuda":
        torch.cuda.synchronize(x.device)


def profile(source: Source) -> dict[str, float]:
    """Where the device's time goes: one task, again and again."""
    task = _task(source.network)
    run_task(source, task)
    is_gpu = source.network.device.type == "cuda"
    kind = torch.profiler.ProfilerActivity.CUDA if is_gpu else torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[kind]) as recorded:
        for _ in range(WARM):
            run_task(source, task)
    shares: dict[str, float] = {}
    for event in recorded.key_averages():
        name = next((label for part, label in KINDS.items() if part in event.key.lower()), "everything else")
        spent = event.self_device_time_total if is_gpu else event.self_cpu_time_total
        shares[name] = shares.get(name, 0.0) + spent
    whole = sum(shares.values()) or 1.0
    return {name: 100 * share / whole for name, share in sorted(shares.items(), key=lambda item: -item[1])}


def _task(network: FrozenNetwork) -> tuple[StreamPart, ...]:
    return tuple(segments(0, Stage.ESTIMATE, 0, max(network.batch, CHUNK)))
