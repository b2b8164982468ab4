"""Sampling that ends image by image, as each is decided: one queue for all images, in which nobody waits.

Every image takes the looks of the schedule one after the other; what it still needs for its next look stands in the
queue, so that batches hold the draws of many images. The draws are those of its stream from the first on, and the
decision is a function of them: an image ends alike alone, among others, interrupted, or when draws were there already.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from cache.store import Store
from engine.records.counts import count, nearest, thresholds
from engine.records.draws import BLOCK, CHUNK, Draws, concatenate
from engine.records.runs import SelectionRun
from engine.sampling.executors import Executor
from engine.sampling.inference import FrozenNetwork
from engine.sampling.stream import Stage, StreamPart, segments
from engine.sampling.work import Progress, Report, Work, Writer, blocks, held, source, stored_draws
from engine.statistics.deciding import Decider, LookTaken, best_look, schedule
from engine.statistics.looks import FIRST


def looks_of(n: int, network: FrozenNetwork) -> tuple[int, ...]:
    """The looks of a network: the first of them takes what it answers at a time, which costs no more than less.

    By its identity, which every machine that goes on with its draws agrees on, and not by the layout that is fastest.
    """
    batch = network.identity.batch
    return schedule(n, min(CHUNK, -(-FIRST // batch) * batch))


@dataclass(eq=False)
class Deciding:
    """An image on its way: the class that was guessed, which looks it has taken, and how many draws it waits for.

    ``select0``, ``of_class0``: the guess draws' votes, which with those of its looks tell how many draws it will take.
    """

    row: int
    index: int
    c_hat: int
    idle: bool  # whatever its draws say, its radius would not count
    stored: int  # draws that the store has, from the first on
    select0: int = 0
    of_class0: int = 0
    expected: int = 0  # draws in all
    looks: list[LookTaken] = field(default_factory=list)
    select: int = 0
    of_class: int = 0
    waiting: int = 0
    came: list[Draws] = field(default_factory=list)


class Queue:
    """All images of ``work`` at once; ``draws`` and ``parts`` int64 [N] when every one has ended."""

    def __init__(self, work: Work, store: Store, decider: Decider) -> None:
        self._work, self._store, self._decider = work, store, decider
        self._at: dict[int, Deciding] = {}
        self._column = nearest(thresholds(), decider.question.theta)
        self.ready: deque[StreamPart] = deque()
        self.draws = np.zeros(len(work.images), np.int64)
        self.parts = np.ones(len(work.images), np.int64)
        self.seen = self.cached = self.ended = self.taken = 0  # draws, but for the images that have ended
        self.expected = 0

    def begin(self) -> None:
        """Guess for every image; those whose looks the store can answer take them."""
        for row in range(len(self._work.images)):
            one = self._guessed(row)
            self._at[one.index] = one
            self._expect(one)
            self._go_on(one)

    def _guessed(self, row: int) -> Deciding:
        work, question = self._work, self._decider.question
        counts = count(stored_draws(work, self._store, row, Stage.GUESS, 0, work.meta.draws0), work.meta.num_classes)
        c_hat = int(counts.class_counts.argmax())
        hands_on = counts.select_counts[self._column] < question.t * work.meta.draws0
        wrong = self._decider.has_class and c_hat != work.images.label[row]
        stored = 0
        for block, end in blocks(work.meta.draws):
            there = held(work, self._store, row, Stage.ESTIMATE, block)
            stored += min(there, end - block * BLOCK)
            if there < end - block * BLOCK:
                break
        votes0 = int(counts.select_counts[self._column]), int(counts.class_counts[c_hat])
        return Deciding(row, int(work.images.index[row]), c_hat, bool(hands_on or wrong), stored, *votes0)

    def _expect(self, one: Deciding) -> None:
        """Forecast how many draws an image will take, by its votes so far."""
        at, looks, n0 = len(one.looks), self._decider.looks, self._work.meta.draws0
        drawn = looks[at - 1] if at else 0
        if one.idle or (one.looks and one.looks[-1].ends):
            found = max(drawn, looks[0])
        else:
            votes = one.select0 + one.select, one.of_class0 + one.of_class
            q, p = ((some + 0.5) / (n0 + drawn + 1) for some in votes)
            found = self._decider.forecast(q, p, at)
        self.expected += found - one.expected
        one.expected = found

    def _go_on(self, one: Deciding) -> None:
        """Take the looks that the draws at hand allow, and ask for those of the next one."""
        looks = self._decider.looks
        while not (one.looks and one.looks[-1].ends):
            at = len(one.looks)
            begin, end = looks[at - 1] if at else 0, looks[at]
            if one.stored < end and not one.came:
                lacking = [*segments(one.index, Stage.ESTIMATE, max(begin, one.stored), end)]
                one.waiting = sum(map(len, lacking))
                self.ready.extend(lacking)
                return
            from_store = stored_draws(
                self._work, self._store, one.row, Stage.ESTIMATE, begin, min(end, max(begin, one.stored))
            )
            self._look(one, concatenate([from_store, *one.came]))
            self.cached += len(from_store)
            one.came = []
        self._end(one)

    def _look(self, one: Deciding, draws: Draws) -> None:
        counts = count(draws, self._work.meta.num_classes)
        one.select += int(counts.select_counts[self._column])
        if self._decider.has_class:
            one.of_class += int(counts.class_counts[one.c_hat])
        self.seen += len(draws)
        look = self._decider.look(len(one.looks), one.select, one.of_class)
        one.looks.append(replace(look, ends=look.ends or one.idle))
        self._expect(one)

    def _end(self, one: Deciding) -> None:
        kept = best_look(one.looks)
        self.draws[one.row], self.parts[one.row] = self._decider.looks[kept], self._decider.parts[kept]
        self.ended += 1
        self.taken += one.expected

    def wanted(self) -> Iterator[StreamPart]:
        """What is ready to be sampled, until nothing is."""
        while self.ready:
            yield self.ready.popleft()

    def came(self, segment: StreamPart, draws: Draws) -> None:
        """The draws of a segment, in the order of its image's stream."""
        one = self._at[segment.index]
        one.came.append(draws)
        one.waiting -= len(draws)
        if one.waiting == 0:
            self._go_on(one)


def decide(work: Work, store: Store, executor: Executor, report: Report) -> Work:
    """Sample until every image of ``work`` has an answer to its question; the guess draws are there."""
    assert work.network is not None
    assert work.question is not None
    looks = looks_of(work.meta.draws, work.network)
    has_class = work.meta.kind != SelectionRun.KIND
    decider = Decider(work.question, looks, work.meta.noise, has_class, work.meta.smoothing_card.link)
    queue = Queue(work, store, decider)
    queue.begin()
    start = time.monotonic()
    with Writer(work, store) as writer:
        while queue.ready:  # what came while the last of it was under way
            for segment, draws in executor(source(work), queue.wanted()):
                writer.add(segment, draws)
                queue.came(segment, draws)
                report(_progress(work, queue, time.monotonic() - start))
    return replace(work, draws=queue.draws, parts=queue.parts)


def _progress(work: Work, queue: Queue, seconds: float) -> Progress:
    images, n = len(work.images), work.meta.draws
    expected, saved = max(queue.seen, queue.expected), queue.ended * n - queue.taken
    return Progress(work.meta.name, queue.ended, images, queue.seen, queue.cached, expected, seconds, saved)
