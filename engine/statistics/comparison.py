"""Two views of the same images, paired image by image: what changed, and by how much on average. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.intervals import Estimate, mean_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import composition_ceiling


@dataclass(frozen=True)
class JudgedOutcome:
    """What became of an image: CERTIFY's outcome, and whether its answer is the label; an abstention is none."""

    outcome: Outcome
    correct: bool

    @property
    def label(self) -> str:
        """In words; the only one without an answer is called by its outcome alone."""
        answered = self.outcome is not Outcome.ABSTAIN
        return f"{self.outcome.label}, {'correct' if self.correct else 'wrong'}" if answered else "abstained"


JUDGED = (
    *(JudgedOutcome(outcome, correct) for outcome in (Outcome.CERTIFIED, Outcome.CORE, Outcome.CONSENSUS)
      for correct in (True, False)),
    JudgedOutcome(Outcome.ABSTAIN, False),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Answers:
    """One view, image by image [N]: ``index`` and ``label``, CERTIFY's ``outcome`` and whether its answer is
    ``correct``, ``radius`` (0 where wrong or not certified), whether CERTIFY's answer reaches r (at r = 0: is correct),
    and whether PREDICT's is correct. No radius exceeds ``ceiling``; all are in ``norm``.
    """

    index: Array
    label: Array
    outcome: Array
    correct: Array
    radius: Array
    reached: Array
    natural: Array
    ceiling: float
    norm: str


@dataclass(frozen=True)
class Means:
    """One view over the images that are compared: NAC and certified accuracy in percent, and ACR."""

    nac: float
    acr: float
    certified: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """B less A over the ``images`` that both saw, paired, with 95 % intervals; rates in percentage points.

    ``a`` and ``b``: what either is there. ``cells`` [7][7]: the images of each judged outcome of A (row) and B
    (column), in the order of ``JUDGED``.
    """

    images: int
    a: Means
    b: Means
    nac: Estimate
    acr: Estimate
    certified: Estimate
    cells: tuple[tuple[Array, ...], ...]

    @property
    def counts(self) -> Array:
        """How many images each cell holds, int [7, 7]."""
        return np.array([[len(cell) for cell in row] for row in self.cells])

    @property
    def by_b_alone(self) -> int:
        """Images that B answers correctly and A does not."""
        return self._moved(False, True)

    @property
    def by_a_alone(self) -> int:
        """Images that A answers correctly and B does not."""
        return self._moved(True, False)

    def _moved(self, a: bool, b: bool) -> int:
        correct = np.array([judged.correct for judged in JUDGED])
        return int(self.counts[np.ix_(correct == a, correct == b)].sum())


def answers(
    c: Composition,
    theta: float,
    radius: float,
    alpha: float,
    correction: Correction,
    t: float = MAJORITY,
    *,
    bound: Bound = Bound.COMPLEMENT,
) -> Answers:
    """What CERTIFY and PREDICT answer at theta; ``t`` and ``bound`` as in ``certify``."""
    found = certify(c, [theta], alpha, correction, t=t, bound=bound)
    correct_radius = found.correct_radius()[:, 0]
    correct = found.correct()[:, 0]
    reached = correct if radius == 0 else correct_radius >= radius
    natural = predict(c, [theta], alpha, t).prediction()[:, 0] == c.label
    ceiling = composition_ceiling(c, alpha, correction, t)
    return Answers(c.index, c.label, found.outcome[:, 0], correct, correct_radius, reached, natural, ceiling, c.norm)


def compare(a: Answers, b: Answers) -> Comparison:
    """Join two views on their images.

    Raises ``AcesError`` where they share none, or number them differently, and for radii of different norms.
    """
    if a.norm != b.norm:
        raise AcesError(f"A's radii are {a.norm} and B's {b.norm}: pin a composition under noise of the same norm")
    index, rows_a, rows_b = np.intersect1d(a.index, b.index, return_indices=True)
    if not len(index):
        raise AcesError("A and B share no images: pin a composition that was sampled on the same subset")
    differ = int((a.label[rows_a] != b.label[rows_b]).sum())
    if differ:  # the same index is another image there
        raise AcesError(
            f"A and B number the images differently ({differ} of {len(index)} labels differ): pin a composition whose "
            f"runs are of the same copy of the dataset"
        )
    judged_a, judged_b = _judged(a, rows_a), _judged(b, rows_b)
    return Comparison(
        len(index),
        _means(a, rows_a),
        _means(b, rows_b),
        _difference(100.0 * a.natural[rows_a], 100.0 * b.natural[rows_b], 100.0, 100.0),
        _difference(a.radius[rows_a], b.radius[rows_b], a.ceiling, b.ceiling),
        _difference(100.0 * a.reached[rows_a], 100.0 * b.reached[rows_b], 100.0, 100.0),
        tuple(tuple(index[of_a & of_b] for of_b in judged_b) for of_a in judged_a),
    )


def _judged(of: Answers, rows: Array) -> list[Array]:
    """For every judged outcome, whether it is that of each image, bool [N]."""
    outcome, correct = of.outcome[rows], of.correct[rows]
    return [(outcome == one.outcome) & (correct == one.correct) for one in JUDGED]


def _means(of: Answers, rows: Array) -> Means:
    return Means(
        float(100 * of.natural[rows].mean()), float(of.radius[rows].mean()), float(100 * of.reached[rows].mean())
    )


def _difference(a: Array, b: Array, most_a: float, most_b: float) -> Estimate:
    """The mean of b - a, whose values reach from 0 to ``most_a`` and ``most_b``, with its interval over the images."""
    difference = b - a
    return Estimate(float(difference.mean()), *mean_interval(difference, -most_a, most_b))
