"""What one image's answer rests on: its draws, the core network's answer, and the counts at each look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.aces import Certificates
from engine.compose import Composition
from engine.counts import count, thresholds
from engine.draws import Draws, concatenate
from engine.looks import LookBounds, bounds_at_looks, certify_at_looks
from engine.plan import Mode, Plan
from engine.runs import ABSTAIN, Array


@dataclass(frozen=True, eq=False)
class Evidence:
    """The draws of one image so far: all n0 that guess, the first ones of the n that estimate; what core answers."""

    num_classes: int
    core: int
    guess: Draws
    estimate: Draws

    @classmethod
    def none(cls, num_classes: int, core: int) -> Evidence:
        """Before the first draw."""
        return cls(num_classes, core, concatenate([]), concatenate([]))

    def with_draws(self, stage: str, draws: Draws) -> Evidence:
        """With the next part of the stream that guesses (``stage`` "guess") or of the one that estimates."""
        if stage == "guess":
            return replace(self, guess=concatenate([self.guess, draws]))
        return replace(self, estimate=concatenate([self.estimate, draws]))

    def composition(self, sigma: float, n: int) -> Composition:
        """The counts of the first ``n`` draws, as the composition of one unlabelled image."""
        first0, first = count(self.guess, self.num_classes), count(self.estimate.first(n), self.num_classes)
        return one_image(
            sigma,
            self.core,
            thresholds(),
            (first0.class_counts, first0.select_counts),
            (first.class_counts, first.select_counts),
            median=float(first.quantiles[2]),
        )

    def looks(self, plan: Plan) -> list[Composition]:
        """The counts at every look of the plan that has been reached."""
        return [self.composition(plan.sigma, n) for n in plan.looks if n <= len(self.estimate)]

    def answer(self, plan: Plan, thetas: Array | None = None) -> Certificates | None:
        """CERTIFY at the looks so far, at the plan's theta or at others; None before the first look."""
        looks = self.looks(plan)
        at = [plan.theta] if thetas is None else thetas
        return certify_at_looks(looks, len(plan.looks), at, plan.alpha, plan.correction) if looks else None

    def bounds(self, plan: Plan) -> tuple[LookBounds, ...]:
        """The lower bounds at every look so far."""
        return bounds_at_looks(self.looks(plan), len(plan.looks), plan.theta, plan.alpha, plan.correction)

    def provisional(self, plan: Plan) -> LookBounds | None:
        """Of a fixed-n plan under way: the bounds as if n were what has been drawn. They promise nothing."""
        assert plan.mode is Mode.FIXED
        if not len(self.estimate):
            return None
        so_far = self.composition(plan.sigma, len(self.estimate))
        return bounds_at_looks([so_far], 1, plan.theta, plan.alpha, plan.correction)[0]


def one_image(
    sigma: float, core: int, thetas: Array, counts0: tuple[Array, Array], counts: tuple[Array, Array], *, median: float
) -> Composition:
    """A composition of one image without a label, from its (class counts [m], select counts [T]) of either stage."""
    return Composition(
        index=np.zeros(1, np.int64),
        label=np.full(1, ABSTAIN, np.int64),  # unknown: no answer equals it
        core=np.full(1, core, np.int64),
        sigma=sigma,
        n0=int(counts0[0].sum()),
        n=int(counts[0].sum()),
        class_counts0=counts0[0][None],
        class_counts=counts[0][None],
        sigma_select=sigma,
        n0_select=int(counts0[0].sum()),
        n_select=int(counts[0].sum()),
        thetas=thetas,
        select_counts0=counts0[1][None],
        select_counts=counts[1][None],
        score_median=np.full(1, median, np.float32),
    )
