"""What one image's answer rests on: its draws, the core network's answer, and the counts at each look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.arrays import ABSTAIN, Array
from engine.records.compose import VOTE_SHARES, Composition, LaterStage
from engine.records.counts import count, thresholds
from engine.records.draws import Draws, concatenate
from engine.single_image.plan import LATER, LaterPlan, Mode, Plan, Role
from engine.statistics.aces import Certificates
from engine.statistics.looks import LookBounds, bounds_at_looks, certify_at_looks


@dataclass(frozen=True, eq=False)
class Pool:
    """One network's draws of an image so far: all n0 that guess, the first ones of the n that estimate."""

    guess: Draws
    estimate: Draws

    @classmethod
    def none(cls) -> Self:
        """Before the first draw."""
        return cls(concatenate([]), concatenate([]))

    def with_draws(self, stage: str, draws: Draws) -> Pool:
        """With the next part of the stream that guesses (``stage`` "guess") or of the one that estimates."""
        if stage == "guess":
            return replace(self, guess=concatenate([self.guess, draws]))
        return replace(self, estimate=concatenate([self.estimate, draws]))


@dataclass(frozen=True, eq=False)
class Evidence:
    """The draws of one image so far, and what the core network answers.

    ``select``: the draws of a selection network; None where the scores of the certification network's own draws select.
    ``then``: the draws of the later stages' networks.
    """

    num_classes: int
    core: int
    guess: Draws
    estimate: Draws
    select: Pool | None = None
    then: tuple[Pool, ...] = ()

    @classmethod
    def none(cls, num_classes: int, core: int, *, select: bool = False, then: int = 0) -> Self:
        """Before the first draw; ``select``: with a selection network; ``then``: so many later stages."""
        later = (Pool.none(),) * then
        return cls(num_classes, core, concatenate([]), concatenate([]), Pool.none() if select else None, later)

    def with_draws(self, stage: str, draws: Draws, role: Role = "certify") -> Evidence:
        """With the next part of a stream of one of the networks that are sampled."""
        pool = self.pool(role).with_draws(stage, draws)
        if role == "select":
            return replace(self, select=pool)
        if role == "certify":
            return replace(self, guess=pool.guess, estimate=pool.estimate)
        at = LATER.index(role)
        return replace(self, then=(*self.then[:at], pool, *self.then[at + 1 :]))

    def pool(self, role: Role) -> Pool:
        """The draws of one network."""
        if role == "certify":
            return Pool(self.guess, self.estimate)
        if role == "select":
            assert self.select is not None, "no selection network is sampled"
            return self.select
        return self.then[LATER.index(role)]

    @property
    def drawn(self) -> int:
        """How many estimation draws there are of every network that is sampled: looks are at equal numbers."""
        others = self.then if self.select is None else (self.select, *self.then)
        return min([len(self.estimate), *(len(pool.estimate) for pool in others)])

    @property
    def votes(self) -> Array:
        """How many draws of the certification network so far vote for each class, [m], guessing ones included."""
        both = concatenate([self.guess, self.estimate])
        found: Array = np.bincount(both.classes, minlength=self.num_classes)
        return found

    def composition(self, plan: Plan, n: int) -> Composition:
        """The counts of the first ``n`` draws, as the composition of one unlabelled image."""
        assert (self.select is None) == (plan.sigma_select is None), "a selection network has noise of its own"
        assert len(self.then) == len(plan.then), "every later stage has draws of its own"
        stages = [(self.pool("certify"), self.select), *((pool, None) for pool in self.then)]
        made = [self._stage(plan, stage, n, *drawn) for stage, drawn in zip(plan.stages, stages, strict=True)]
        return in_a_chain(plan, made)

    def _stage(self, plan: Plan, stage: Plan | LaterPlan, n: int, own: Pool, select: Pool | None) -> Composition:
        """The counts of one stage: ``own`` draws of its certification network, and those of one that selects."""
        first0, first = count(own.guess, self.num_classes), count(own.estimate.first(n), self.num_classes)
        chosen0, chosen = first0, first
        if select is not None:
            chosen0, chosen = count(select.guess, 1), count(select.estimate.first(n), 1)
        at = slice(0, 0) if stage.by_votes else slice(None)  # no score selects there
        return one_image(
            plan,
            stage,
            self.core,
            thresholds(),
            (first0.class_counts, chosen0.select_counts[at]),
            (first.class_counts, chosen.select_counts[at]),
            median=float(chosen.quantiles[2]),
        )

    def looks(self, plan: Plan) -> list[Composition]:
        """The counts at every look of the plan that has been reached."""
        return [self.composition(plan, n) for n in plan.looks if n <= self.drawn]

    def answer(self, plan: Plan, thetas: Array | None = None) -> Certificates | None:
        """CERTIFY at the looks so far, at the plan's threshold or at others; None before the first look."""
        looks = self.looks(plan)
        at = [plan.threshold] if thetas is None else thetas
        return certify_by(plan, looks, at) if looks else None

    def bounds(self, plan: Plan) -> tuple[LookBounds, ...]:
        """The bounds at every look so far."""
        return bounds_by(plan, self.looks(plan))

    def provisional(self, plan: Plan) -> LookBounds | None:
        """Of a fixed-n plan under way: the bounds as if n were what has been drawn. They promise nothing."""
        assert plan.mode is Mode.FIXED
        if not self.drawn:
            return None
        so_far = self.composition(plan, self.drawn)
        return bounds_by(plan, [so_far])[0]


def certify_by(plan: Plan, looks: list[Composition], thetas: npt.ArrayLike) -> Certificates:
    """CERTIFY at the looks of a plan that were reached."""
    asked = plan.alpha, plan.correction, plan.t
    return certify_at_looks(looks, len(plan.looks), thetas, *asked, bound=plan.bound, split=plan.split)


def bounds_by(plan: Plan, looks: list[Composition]) -> tuple[LookBounds, ...]:
    """The bounds behind it at the plan's threshold."""
    asked = plan.threshold, plan.alpha, plan.correction, plan.t
    return bounds_at_looks(looks, len(plan.looks), *asked, bound=plan.bound, split=plan.split)


def one_image(
    plan: Plan,
    stage: Plan | LaterPlan,
    core: int,
    thetas: Array,
    counts0: tuple[Array, Array],
    counts: tuple[Array, Array],
    *,
    median: float,
) -> Composition:
    """One stage of one image without a label, from its (class counts [m], select counts [T]) of either kind of draws.

    Where a selection network is sampled, its counts are of as many draws as the certification network's. Where the
    votes for the class select, T is 0.
    """
    votes0, votes = ((classes[None], scores[None]) for classes, scores in (counts0, counts))
    return of_images(plan, stage, np.full(1, core, np.int64), thetas, votes0, votes, np.full(1, median, np.float32))


def of_images(
    plan: Plan,
    stage: Plan | LaterPlan,
    core: Array,
    thetas: Array,
    counts0: tuple[Array, Array],
    counts: tuple[Array, Array],
    median: Array,
) -> Composition:
    """The same of N images that had as many draws each: counts [N, m] and [N, T], ``core`` and ``median`` [N]."""
    n = len(core)
    n0, drawn = (int(classes[0].sum()) if n else 0 for classes, _ in (counts0, counts))
    return Composition(
        index=np.zeros(n, np.int64),
        label=np.full(n, ABSTAIN, np.int64),  # unknown: no answer equals it
        core=core,
        sigma=stage.sigma,
        n0=n0,
        n=drawn,
        class_counts0=counts0[0],
        class_counts=counts[0],
        sigma_select=stage.noise_select,
        n0_select=n0,
        n_select=drawn,
        thetas=VOTE_SHARES if stage.by_votes else thetas,
        select_counts0=counts0[1],
        select_counts=counts[1],
        score_median=median,
        smoothing=plan.smoothing_card,
        smoothing_select=plan.smoothing_card,
        by_votes=stage.by_votes,
    )


def in_a_chain(plan: Plan, stages: Sequence[Composition]) -> Composition:
    """The stages of a plan, one behind the other."""
    first, *later = stages
    then = (LaterStage(c, at.threshold, at.t) for c, at in zip(later, plan.then, strict=True))
    return replace(first, then=tuple(then))
