"""SAMPLEWNOISE: an image -> draws, each the network's class and selection score under one noise vector.

Noise is added in pixel space, to images in [0, 1], before normalisation and without clamping. It comes in fixed
chunks, each from its own generator, so that the draws of an image depend on nothing but (network as run, seed,
index, stage, chunk): not on sharding, order, threads or interruption. Nothing here loops over draws or thresholds.

Reading order: ``sample`` hands ``tasks`` of ``StreamPart``s to worker threads; ``run_task`` is one task on the device.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.errors import AcesError
from engine.records.draws import BLOCK, CHUNK, Draws, concatenate
from engine.sampling.inference import FrozenNetwork, intra_op_threads
from engine.smoothing import GAUSSIAN, Smoothing

MOST_THREADS = 16  # more would wait for Python's lock; each runs its operations on several cores instead

Mechanism = Callable[[Tensor], Tensor]


class Stage(StrEnum):
    """The n0 draws that guess and the n draws that estimate come from streams of their own: none is shared."""

    GUESS = "guess"
    ESTIMATE = "estimate"


def chunk_generator(
    seed: int, index: int, stage: Stage, chunk: int, device: torch.device, stream: str = ""
) -> torch.Generator:
    """The generator of one chunk, seeded by a hash of everything that names it.

    ``stream``: what else names it; nothing for the images of a dataset, whose runs keep their noise for ever.
    """
    name = f"aces-noise|{seed}|{index}|{stage.value}|{chunk}" + (f"|{stream}" if stream else "")
    return named_generator(name, device)


def named_generator(name: str, device: torch.device) -> torch.Generator:
    """The generator that a name stands for: other names give independent noise, as far as sha256 tells them apart."""
    value = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") >> 1
    return torch.Generator(device).manual_seed(value)


@dataclass(frozen=True)
class StreamPart:
    """Draws ``start`` to ``stop`` of one chunk of one image's stream."""

    index: int
    stage: Stage
    chunk: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def segments(index: int, stage: Stage, first: int, last: int, size: int = CHUNK) -> Iterator[StreamPart]:
    """Draws ``first`` to ``last`` of a stream, chunk by chunk of ``size`` draws; none where ``first == last``."""
    for chunk in range(first // size, -(-last // size) if first < last else 0):
        offset = chunk * size
        yield StreamPart(index, stage, chunk, max(first - offset, 0), min(last - offset, size))


@dataclass(frozen=True, eq=False)
class Source:
    """Where draws come from: a network as run, sigma in pixel units, the seed, and the images by index.

    ``pixels(index)`` gives float32 [C, H, W] in [0, 1], on the CPU. ``stream``: what names the noise beside them.
    ``chunk``: draws of one generator. What is stored or certified has ``CHUNK``; fewer let one batch hold the draws of
    many images, and give other noise.
    """

    network: FrozenNetwork
    mechanism: Mechanism
    sigma: float
    seed: int
    pixels: Callable[[int], Tensor]
    stream: str = ""
    smoothing: Smoothing = GAUSSIAN
    chunk: int = CHUNK


def sample(source: Source, wanted: Iterable[StreamPart]) -> Iterator[tuple[StreamPart, Draws]]:
    """The draws of the wanted segments, in their order; ``wanted`` is read as it is needed.

    Batches run beside each other, a thread each, and a thread runs its operations alone: no barrier between cores, and
    the noise of one batch is made while another one is in the network.
    """
    threads, inner = _threads(source.network.device)
    tasks = _tasks(wanted, max(1, source.network.batch // source.chunk))
    running: deque[tuple[tuple[StreamPart, ...], Future[list[Draws]]]] = deque()
    # Every worker sets the number again: OpenMP keeps it for each thread apart.
    with intra_op_threads(inner), ThreadPoolExecutor(threads, "sampler", torch.set_num_threads, (inner,)) as pool:
        try:
            for task in tasks:
                running.append((task, pool.submit(run_task, source, task)))
                if len(running) > threads:  # one more than run: nobody waits for the reader
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def sample_block(
    network: FrozenNetwork,
    image: Tensor,
    sigma: float,
    mechanism: Mechanism,
    *,
    seed: int,
    index: int,
    stage: Stage,
    block: int,
    draws: int = BLOCK,
    stream: str = "",
    smoothing: Smoothing = GAUSSIAN,
) -> Draws:
    """The first ``draws`` draws of one block of an image's stream, in stream order.

    ``image`` float32 [C, H, W] in [0, 1]; ``sigma`` in pixel units.
    """
    check_image(image, index)
    source = Source(network, mechanism, sigma, seed, lambda _: image, stream, smoothing)
    first = block * BLOCK
    return concatenate([part for _, part in sample(source, segments(index, stage, first, first + draws))])


def check_image(image: Tensor, index: int) -> None:
    """Raises ``AcesError`` unless every pixel lies in [0, 1], the units of sigma and of every radius."""
    if not (float(image.min()) >= 0 and float(image.max()) <= 1):  # false for NaN
        raise AcesError(f"image {index} does not lie in [0, 1], the units of sigma and of every radius")


def _tasks(wanted: Iterable[StreamPart], size: int) -> Iterator[tuple[StreamPart, ...]]:
    """What one batch can hold, from one image or several."""
    rest = iter(wanted)
    while task := tuple(islice(rest, size)):
        yield task


def _threads(device: torch.device) -> tuple[int, int]:
    """Threads that run batches, and threads inside each operation: together as many as torch was given."""
    if device.type != "cpu":
        return 2, torch.get_num_threads()
    threads = min(torch.get_num_threads(), MOST_THREADS)
    return threads, torch.get_num_threads() // threads


def _finished(running: deque[tuple[tuple[StreamPart, ...], Future[list[Draws]]]]) -> Iterator[tuple[StreamPart, Draws]]:
    task, future = running.popleft()
    yield from zip(task, future.result(), strict=True)


def run_task(source: Source, task: tuple[StreamPart, ...]) -> list[Draws]:
    """One task on the device, on a stream of this thread's own where there are streams; one transfer back."""
    with torch.inference_mode(), _own_stream(source.network.device):
        x = torch.cat([_noisy(source, segment) for segment in task])
        first, last = task[0].start, (len(task) - 1) * source.chunk + task[-1].stop
        classes, scores = _answers(source, x, first, last)
        packed = torch.stack([classes.float(), scores]).cpu().numpy()  # classes below 2^24 are exact in float32
    offsets = [i * source.chunk + segment.start for i, segment in enumerate(task)]
    return [_draws(packed[:, offset : offset + len(segment)]) for offset, segment in zip(offsets, task, strict=True)]


def _own_stream(device: torch.device) -> AbstractContextManager[Any]:
    """On a GPU, work of this thread beside that of the others: noise of one batch, the network on another."""
    return torch.cuda.stream(torch.cuda.Stream(device)) if device.type == "cuda" else nullcontext()  # type: ignore[no-untyped-call]


def _noisy(source: Source, segment: StreamPart) -> Tensor:
    """x + sigma e for a whole chunk, [chunk, C, H, W]: the generator gives all of it or nothing."""
    device = source.network.device
    image = source.pixels(segment.index).to(device)
    generator = chunk_generator(source.seed, segment.index, segment.stage, segment.chunk, device, source.stream)
    noise = source.smoothing.noise((source.chunk, *image.shape), generator, device)
    return noise.mul_(source.sigma).add_(image)


def _answers(source: Source, x: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
    """Classes and scores of rows of x, both [rows]; batches without a row between ``first`` and ``last`` are left out.

    Every batch is full, the last one filled up with zeros, and a row always stands at the same place of its batch
    where a batch is no more than a chunk.
    """
    batch = source.network.batch
    classes, scores = torch.zeros(len(x), dtype=torch.int64, device=x.device), torch.zeros(len(x), device=x.device)
    for start in range(first // batch * batch, last, batch):
        part = x[start : start + batch]
        short = batch - len(part)
        logits = source.network(torch.cat([part, part.new_zeros(short, *part.shape[1:])]) if short else part)
        rows = slice(start, start + len(part))
        classes[rows], scores[rows] = logits[: len(part)].argmax(1), source.mechanism(logits[: len(part)])
    return classes, scores


def _draws(packed: np.ndarray) -> Draws:
    return Draws(packed[0].astype(np.uint16), packed[1].copy())
