"""A job that may run, and its draws: what the store lacks of them is sampled, block by block.

Interrupted at any instant, what was stored stays and is right. ``fill`` samples numbers of draws that are known
beforehand; ``decide.py`` those of images that end by what they show.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from cache.store import BlockKey, Part, Store
from engine.arrays import Array
from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.mechanisms import Mechanism
from engine.records.draws import BLOCK, CHUNK, Draws, concatenate
from engine.records.meta import Meta
from engine.records.runs import Run
from engine.sampling.executors import Executor
from engine.sampling.inference import FrozenNetwork
from engine.sampling.stream import Source, Stage, StreamPart, sample, segments
from engine.statistics.budget import Budget
from engine.statistics.deciding import RadiusQuestion

FLUSH_SECONDS = 0.25  # draws wait at most so long before they are stored: what an interruption costs


@dataclass(frozen=True)
class Progress:
    """Where a run stands: ``draws`` of ``total`` are done, ``cached`` of them were in the store, ``seconds`` passed.

    ``images`` of ``total_images`` have all of theirs; ``saved``: the draws that n for every image would have added.
    Where the draws themselves decide when they end, ``total`` is what each image's votes so far let expect.
    """

    job: str
    images: int
    total_images: int
    draws: int
    cached: int
    total: int
    seconds: float
    saved: int = 0

    @property
    def rate(self) -> float:
        """Sampled draws per second, without those that the store had."""
        return (self.draws - self.cached) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None as long as there is none."""
        return (self.total - self.draws) / self.rate if self.rate > 0 else None


Report = Callable[[Progress], None]


@dataclass(frozen=True, eq=False)
class Work:
    """A job that may run: its record, images and frozen network; or ``done``, the run that the store has already.

    How many draws estimate each image: ``draws`` int64 [N], or n of the record for all as long as that is None. They
    are chosen by ``budget`` from the guess draws, or each image's own answer to ``question`` ends them; ``parts``
    int64 [N] is then what alpha is divided by.
    """

    meta: Meta
    images: ImageSet
    network: FrozenNetwork | None
    mechanism: Mechanism
    done: Run | None = None
    budget: Budget | None = None
    question: RadiusQuestion | None = None
    draws: Array | None = None
    parts: Array | None = None

    def wanted(self, row: int) -> dict[Stage, int]:
        """How many draws of each stream of an image."""
        n = self.meta.draws if self.draws is None else int(self.draws[row])
        return {Stage.GUESS: self.meta.draws0, Stage.ESTIMATE: n}

    def total(self, stages: Sequence[Stage] = tuple(Stage)) -> int:
        """Draws of these stages over all images."""
        return sum(self.wanted(row)[stage] for row in range(len(self.images)) for stage in stages)


def fill(
    work: Work,
    store: Store,
    executor: Executor = sample,
    report: Report = lambda _: None,
    stages: Sequence[Stage] = tuple(Stage),
) -> None:
    """Sample the draws of these stages that the store lacks."""
    tally = DrawTally(work, stages)
    with Writer(work, store) as writer:
        for segment, draws in executor(source(work), missing(work, store, tally)):
            writer.add(segment, draws)
            report(tally.sampled(segment))


class Writer:
    """Stores what comes, in pieces: at the latest when it is left, by an interruption from the keyboard as well."""

    def __init__(self, work: Work, store: Store) -> None:
        self._work, self._store = work, store
        self._rows = rows_of(work.images)
        self._waiting: list[Part] = []
        self._stored_at = time.monotonic()

    def __enter__(self) -> Writer:
        return self

    def add(self, segment: StreamPart, draws: Draws) -> None:
        """The draws of a segment, which follow all of its block that came before."""
        block_key = key(self._work, self._rows[segment.index], segment.stage, segment.chunk * CHUNK // BLOCK)
        self._waiting.append(Part(block_key, segment.chunk * CHUNK % BLOCK + segment.start, draws))
        if time.monotonic() - self._stored_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Store what waits."""
        self._store.put_parts(self._waiting)
        self._waiting, self._stored_at = [], time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.flush()


def source(work: Work) -> Source:
    """The network, noise and images of a sampled run."""
    assert work.network is not None
    rows, images = rows_of(work.images), work.images
    seed = work.meta.seed or 0
    return Source(
        work.network,
        work.mechanism.score,
        work.meta.noise,
        seed,
        lambda index: torch.from_numpy(images.image(rows[index])),
        smoothing=work.meta.smoothing_card,
    )


def rows_of(images: ImageSet) -> dict[int, int]:
    """Index -> row."""
    return {int(index): row for row, index in enumerate(images.index)}


@dataclass(eq=False)
class DrawTally:
    """Counts what is done of ``work``, for the reports."""

    work: Work
    stages: Sequence[Stage]
    left: Counter[int] = field(default_factory=Counter)  # draws still to come, by image
    done: int = 0  # images without any left
    draws: int = 0
    cached: int = 0
    start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.total = self.work.total(self.stages)
        self.saved = len(self.work.images) * self.work.meta.draws - self.work.total([Stage.ESTIMATE])

    def planned(self, index: int, asked: int, missing: int) -> None:
        """An image was looked at: so many of its draws are not in the store."""
        self.cached += asked - missing
        self.draws += asked - missing
        self.left[index] = missing
        self.done += missing == 0

    def sampled(self, segment: StreamPart) -> Progress:
        """A segment has come."""
        self.draws += len(segment)
        self.left[segment.index] -= len(segment)
        self.done += self.left[segment.index] == 0
        seconds, images = time.monotonic() - self.start, len(self.work.images)
        counts = self.done, images, self.draws, self.cached, self.total
        return Progress(self.work.meta.name, *counts, seconds, self.saved)


def missing(work: Work, store: Store, tally: DrawTally) -> Iterator[StreamPart]:
    """The segments that the store lacks, an image at a time, looked up when its turn comes.

    Each process begins at another image, so that two that work on one run meet late; what both sampled is the same.
    """
    begin = random.randrange(len(work.images))  # nosec B311 # where to begin, and no noise
    for row in (*range(begin, len(work.images)), *range(begin)):
        index, wanted = int(work.images.index[row]), work.wanted(row)
        lacking = [
            segment
            for stage in tally.stages
            for block, end in blocks(wanted[stage])
            for segment in segments(index, stage, min(end, block * BLOCK + held(work, store, row, stage, block)), end)
        ]
        tally.planned(index, sum(wanted[stage] for stage in tally.stages), sum(map(len, lacking)))
        yield from lacking


def blocks(n: int) -> Iterator[tuple[int, int]]:
    """The blocks of the first n draws of a stream, each with the number of the draw that ends it."""
    return ((block, min((block + 1) * BLOCK, n)) for block in range(-(-n // BLOCK)))


def held(work: Work, store: Store, row: int, stage: Stage, block: int) -> int:
    """How many draws of a block the store has."""
    draws = store.get_block(key(work, row, stage, block))
    return 0 if draws is None else len(draws)


def key(work: Work, row: int, stage: Stage, block: int) -> BlockKey:
    """Everything that the draws depend on. How the network runs is of it: it decides the last bits of a logit."""
    meta, network = work.meta, work.network
    assert network is not None
    return BlockKey(
        network=meta.network.sha256 or "",
        dataset=work.images.content(row),
        split=meta.split or "",
        index=int(work.images.index[row]),
        sigma=meta.noise,
        smoothing=meta.smoothing_card.name,
        seed=meta.seed or 0,
        mechanism=work.mechanism.draws,
        as_run="/".join(map(str, (network.precision, *network.as_run.values()))),
        stage=stage.value,
        block=block,
    )


def stored_draws(work: Work, store: Store, row: int, stage: Stage, first: int, last: int) -> Draws:
    """Draws ``first`` to ``last`` of one stream of one image. Raises ``AcesError`` if the store lacks some."""
    parts = []
    for block, end in blocks(last):
        begin = block * BLOCK
        if end <= first:
            continue
        draws = store.get_block(key(work, row, stage, block))
        if draws is None or len(draws) < end - begin:
            raise AcesError(f"draws of image {work.images.index[row]} were lost from the store; run the command again")
        parts.append(draws.first(end - begin).after(max(first - begin, 0)))
    return concatenate(parts)
