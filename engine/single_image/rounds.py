"""PREDICT on many pictures at once, each asked no longer than it takes: rounds whose batches hold draws of them all.

predictor = Predictor(system, system.open())
predictor.add(key, pixels)             # at any time, also between rounds
for key, prediction in predictor.round(): ...

A picture is looked at after 25, 50, 100, ... and n draws (``looks``), and PREDICT is asked at each look at a part of
alpha. It leaves with its first answer, or behind the last look with an abstention: section 21 of docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.records.counts import count, nearest, thresholds
from engine.records.draws import Draws, concatenate
from engine.sampling.stream import Source, Stage, StreamPart, check_image, sample, segments
from engine.single_image.evidence import in_a_chain, of_images
from engine.single_image.plan import LATER, Mode, Plan, Role, fresh_seed
from engine.single_image.segments import neighbours_of, roles, stage_of
from engine.single_image.system import SELECTED, Prediction
from engine.statistics import aces
from engine.statistics.deciding import schedule
from engine.statistics.looks import FIRST, Split, parts

if TYPE_CHECKING:
    from engine.single_image.live import Pair
    from engine.single_image.system import System

TOGETHER = 25  # draws of one picture that stand together in a batch, where it holds as many
MOST = 1_000  # draws that one picture takes in one round: others that come meanwhile wait no longer


def together(batch: int) -> int:
    """Draws of one picture that stand together in a batch of so many, all of which it fills with such parts.

    >>> together(1250), together(50), together(10)
    (25, 25, 10)
    """
    return TOGETHER if batch % TOGETHER == 0 else batch


def looks_for(n: int, batch: int) -> tuple[int, ...]:
    """How many draws each look sees; the first ones fill whole parts of batches.

    >>> looks_for(1_000, 50), looks_for(10, 50)
    ((25, 50, 100, 200, 400, 800, 1000), (10,))
    """
    size = together(batch)
    return schedule(n, -(-FIRST // size) * size)


Key = TypeVar("Key", bound=Hashable)  # by which whoever asks knows a picture


@dataclass(eq=False)
class _Asked(Generic[Key]):
    """A picture on its way: the votes of its draws so far, by the network that gave them."""

    key: Key
    pixels: Tensor
    classes: dict[Role, Array]
    selects: dict[Role, Array]
    core: int = ABSTAIN  # until it was asked
    core_confidence: float = 0.0
    drawn: int = 0
    look: int = 0
    came: dict[Role, list[Draws]] = field(default_factory=dict)


class Predictor(Generic[Key]):
    """PREDICT of one system over pictures that come and go. ``n``: the most draws of each network for one picture.

    ``seed`` names the noise, with the order in which pictures were added; by default it is fresh.
    """

    def __init__(self, system: System, pair: Pair, n: int = 10_000, seed: int | None = None) -> None:
        self._system, self._pair = system, pair
        self._plan: Plan = system.plan(n, 1, Mode.FIXED)  # PREDICT needs no guesses
        self._roles = roles(self._plan)
        self._chunk = together(pair.certify.batch)
        self.looks = looks_for(n, pair.certify.batch)
        # Fixed before the first draw; the parts add up to alpha.
        self._alphas = [system.alpha / part for part in parts(Split.HALF_LAST, len(self.looks))]
        self._seed = fresh_seed() if seed is None else seed
        self._asked: dict[int, _Asked[Key]] = {}
        self._added = 0
        self.draws = 0  # so far, of all networks

    def __len__(self) -> int:
        """How many pictures are on their way."""
        return len(self._asked)

    def waiting(self) -> list[Key]:
        """The pictures that are on their way."""
        return [one.key for one in self._asked.values()]

    def add(self, key: Key, pixels: np.ndarray) -> None:
        """Ask about ``pixels`` float32 [C, H, W] in [0, 1]. Raises ``AcesError`` for others."""
        if pixels.shape != self._pair.dataset.shape:
            raise AcesError(f"an image of shape {pixels.shape}; the networks read {self._pair.dataset.shape}")
        tensor = torch.from_numpy(pixels)
        check_image(tensor, self._added)
        m = self._pair.dataset.num_classes
        classes = {role: np.zeros(m, np.int32) for role in self._roles}
        selects = {role: np.zeros(len(self._columns(role)), np.int32) for role in self._roles}
        self._asked[self._added] = _Asked(key, tensor, classes, selects)
        self._added += 1

    def drop(self, key: Key) -> None:
        """Ask about a picture no longer."""
        self._asked = {at: one for at, one in self._asked.items() if one.key != key}

    def round(self) -> list[tuple[Key, Prediction | AcesError]]:
        """Some draws of every picture on its way; those that end with it, in no particular order.

        A picture whose draws cannot be counted ends with the error, and the others go on.
        """
        self._ask_core()
        wanted = {at: min(self.looks[one.look], one.drawn + MOST) for at, one in self._asked.items()}
        for role in self._roles:
            for part, draws in sample(self._source(role), self._parts(wanted)):
                self._asked[part.index].came.setdefault(role, []).append(draws)
                self.draws += len(draws)
        ended: list[tuple[Key, Prediction | AcesError]] = []
        for at, drawn in wanted.items():
            one = self._asked[at]
            try:
                self._count(one)
            except AcesError as error:
                del self._asked[at]
                ended.append((one.key, error))
            one.drawn, one.came = drawn, {}
        for look, n in enumerate(self.looks):
            there = [at for at, one in self._asked.items() if one.look == look and one.drawn == n]
            if there:
                ended += self._decide(look, there)
        return ended

    def _ask_core(self) -> None:
        """What the core network says of those that came since the last round."""
        new = [one for one in self._asked.values() if one.core == ABSTAIN]
        for one, logits in zip(new, self._pair.core_logits([one.pixels for one in new]), strict=True):
            one.core = int(logits.argmax())
            one.core_confidence = float(logits.softmax(0)[one.core])

    def _source(self, role: Role) -> Source:
        network, score, sigma = self._pair.sampled(role, self._plan)
        pixels = {at: one.pixels for at, one in self._asked.items()}
        noise = self._plan.smoothing_card
        return Source(network, score, sigma, self._seed, pixels.__getitem__, f"predict|{role}", noise, self._chunk)

    def _parts(self, wanted: dict[int, int]) -> Iterator[StreamPart]:
        return chain.from_iterable(
            segments(at, Stage.ESTIMATE, self._asked[at].drawn, last, self._chunk) for at, last in wanted.items()
        )

    def _count(self, one: _Asked[Key]) -> None:
        for role, draws in one.came.items():
            counts = count(concatenate(draws), len(one.classes[role]))
            one.classes[role] += counts.class_counts[: len(one.classes[role])]
            one.selects[role] += counts.select_counts[self._columns(role)]

    def _columns(self, role: Role) -> list[int]:
        """Which of the stored thresholds the selection of a network's stage lies at."""
        stage = stage_of(role, self._plan)
        return [] if stage.by_votes else [nearest(thresholds(), theta) for theta in neighbours_of(stage).tolist()]

    def _decide(self, look: int, there: Sequence[int]) -> Iterator[tuple[Key, Prediction]]:
        """PREDICT at one look of the pictures that have come to it."""
        asked = [self._asked[at] for at in there]
        system, last = self._system, look == len(self.looks) - 1
        # A wrong answer at look j has probability at most alpha_j over the first n_j draws, whatever was seen before
        # or will be; one at any look at most their sum, alpha. So the first answer may end the draws.
        found = aces.predict(self._composition(asked), [self._plan.threshold], self._alphas[look], system.t)
        answers = found.prediction()[:, 0]
        for at, one, answer, selected in zip(
            there, asked, answers.tolist(), found.selected[:, 0].tolist(), strict=True
        ):
            if answer == ABSTAIN and not last:
                one.look += 1
                continue
            del self._asked[at]
            yield one.key, self._prediction(one, answer, SELECTED[selected])

    def _composition(self, asked: Sequence[_Asked[Key]]) -> Composition:
        plan, core = self._plan, np.array([one.core for one in asked], np.int64)
        stages = []
        for k, stage in enumerate(plan.stages):
            own: Role = "certify" if k == 0 else LATER[k - 1]
            select: Role = "select" if k == 0 and "select" in self._roles else own
            votes = np.stack([one.classes[own] for one in asked]), np.stack([one.selects[select] for one in asked])
            none = np.zeros_like(votes[0]), np.zeros_like(votes[1])
            at = np.empty(0) if stage.by_votes else neighbours_of(stage)
            stages.append(of_images(plan, stage, core, at, none, votes, np.zeros(len(asked), np.float32)))
        return in_a_chain(plan, stages)

    def _prediction(self, one: _Asked[Key], answer: int, selected: str) -> Prediction:
        votes, classes = one.classes["certify"], self._pair.networks.classes
        return Prediction(
            answer,
            None if answer == ABSTAIN else classes[answer],
            "later" if self._plan.then and selected == "core" else selected,
            self._system.alpha,
            one.drawn,
            int(votes.argmax()),
            float(votes.max() / votes.sum()),
            one.core,
            one.core_confidence,
        )
