"""One image, one threshold: every number that its answer rests on, and the formulas with those numbers filled in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

import numpy as np

from engine.aces import (
    CERTIFY,
    Correction,
    Outcome,
    certify,
    levels,
    selection_votes,
    usable_thresholds,
)
from engine.bounds import lower_confidence_bound
from engine.compose import Composition
from engine.errors import AcesError
from engine.runs import ABSTAIN, Array

DECIMALS = Decimal("0.0001")


@dataclass(frozen=True)
class Bound:
    """The lower bound ``p`` (Clopper-Pearson) of ``k`` of ``n`` votes at ``alpha``, and its ``radius`` at ``sigma``."""

    k: int
    n: int
    alpha: float
    p: float
    sigma: float
    radius: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """CERTIFY on one image (Algorithm 1), with its numbers.

    ``core_guesses`` of the ``n0`` guess draws chose the core network, which decides ``chose_certify`` (s_hat = 1);
    ``select`` bounds the votes for that guess, ``certify`` those for the class ``c_hat``. ``prediction`` may be
    ``ABSTAIN``. ``class_counts`` int32 [m]; ``select_share`` [T]: share of the n draws with score <= ``thetas`` [T].
    """

    index: int
    label: int
    theta: float
    core_guesses: int
    n0: int
    chose_certify: bool
    select: Bound
    c_hat: int
    certify: Bound
    core: int
    outcome: Outcome
    prediction: int
    radius: float
    score_median: float
    class_counts: Array
    thetas: Array
    select_share: Array

    @property
    def verdict(self) -> str:
        """``right``, ``wrong`` or ``abstained``."""
        if self.prediction == ABSTAIN:
            return "abstained"
        return "right" if self.prediction == self.label else "wrong"


def row_of(c: Composition, index: int) -> int:
    """The row of the image of this ``index``. Raises ``AcesError`` if it is not there."""
    found = np.flatnonzero(c.index == index)
    if not len(found):
        raise AcesError(f"image {index} is not among the {len(c)} images of these runs: pick a row of the table")
    return int(found[0])


def explain(c: Composition, index: int, theta: float, alpha: float, correction: Correction) -> Explanation:
    """The numbers behind CERTIFY's answer for the image of this ``index``. Raises ``AcesError`` if it is not there."""
    at = row_of(c, index)
    row = c.rows(slice(at, at + 1))
    answer = certify(row, [theta], alpha, correction)
    usable = usable_thresholds(c.thetas, correction)
    votes = selection_votes(row, np.array([theta]), usable)
    chose_certify = bool(votes.s_hat[0, 0] == CERTIFY)
    spend = levels(correction, alpha)
    a_s, a_c = (spend.select_1, spend.certify_1) if chose_certify else (spend.select_0, spend.certify_0)
    k_s = int((votes.certify if chose_certify else votes.core)[0, 0])
    c_hat = int(answer.c_hat[0])
    k_a = int(row.class_counts[0, c_hat])
    return Explanation(
        index=index,
        label=int(row.label[0]),
        theta=theta,
        core_guesses=_core_guesses(row, theta, usable),
        n0=c.n0_select,
        chose_certify=chose_certify,
        select=Bound(
            k_s, c.n_select, a_s, _lcb(k_s, c.n_select, a_s), c.sigma_select, float(answer.radius_select[0, 0])
        ),
        c_hat=c_hat,
        certify=Bound(k_a, c.n, a_c, _lcb(k_a, c.n, a_c), c.sigma, float(answer.radius_certify[0, 0])),
        core=int(row.core[0]),
        outcome=Outcome(answer.outcome[0, 0]),
        prediction=int(answer.prediction()[0, 0]),
        radius=float(answer.radius[0, 0]),
        score_median=float(row.score_median[0]),
        class_counts=row.class_counts[0],
        thetas=c.thetas,
        select_share=row.select_counts[0] / c.n_select,
    )


def _lcb(k: int, n: int, alpha: float) -> float:
    return float(lower_confidence_bound(k, n, alpha))


def _core_guesses(row: Composition, theta: float, usable: Array) -> int:
    """Guess draws that chose core at the usable threshold at or next above theta; above the last one none does."""
    above = np.flatnonzero(usable & (row.thetas >= theta - 1e-9))
    return int(row.n0_select - row.select_counts0[0, above[0]]) if len(above) else 0


def round_down(radius: float) -> Decimal:
    """A radius with four decimals, never more than was certified.

    >>> str(round_down(0.29999)), str(round_down(0.1))
    ('0.2999', '0.1000')
    """
    return Decimal(radius).quantize(DECIMALS, ROUND_DOWN)


def formulas(e: Explanation, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The steps of Algorithm 1 with this image's numbers: (a sentence, its LaTeX) each."""
    s_hat = "certification" if e.chose_certify else "core"
    steps = [
        (
            f"**Guess the selection.** {e.core_guesses} of the {e.n0} guess draws had an entropy above θ, which votes "
            f"for the core network, so ŝ = {int(e.chose_certify)}: the {s_hat} network.",
            rf"\hat s = \mathbb 1\left[{e.core_guesses} \le \tfrac12 \cdot {e.n0}\right] = {int(e.chose_certify)}",
        ),
        (
            f"**Bound the selection.** {e.select.k:,} of {e.select.n:,} fresh draws agree with ŝ.",
            _bound_tex("S", e.select, shows_radius=e.chose_certify),
        ),
        (
            f"**Bound the class.** The guess draws elect ĉ = {names[e.c_hat]}; {e.certify.k:,} of {e.certify.n:,} "
            f"fresh draws agree.",
            _bound_tex("A", e.certify, shows_radius=True),
        ),
    ]
    return [*steps, _conclusion(e, names)]


def _bound_tex(name: str, b: Bound, shows_radius: bool) -> str:
    p = rf"\underline p_{name} = \mathrm{{LCB}}({b.k}, {b.n}, {b.alpha:.3g}) = {floor(b.p)}"
    if not shows_radius:
        return p
    if b.radius == 0:
        return rf"{p} \le \tfrac12 \;\Rightarrow\; R_{name} = 0" if b.p <= 0.5 else p
    z = f"{b.radius / b.sigma:.4f}"
    radius = rf"R_{name} = \sigma\,\Phi^{{-1}}(\underline p_{name}) = {b.sigma:g} \cdot {z} = {round_down(b.radius)}"
    return rf"\begin{{gathered}} {p} \\ {radius} \end{{gathered}}"


def floor(p: float) -> str:
    """A lower bound as text: rounded down, like a radius."""
    return f"{int(p * 1e5) / 1e5:.5f}"


def _conclusion(e: Explanation, names: tuple[str, ...]) -> tuple[str, str]:
    radii = rf"\min({round_down(e.select.radius)},\ {round_down(e.certify.radius)})"
    if e.outcome is Outcome.CERTIFIED:
        return (
            f"**Certified.** Both hold with a margin, so the answer {names[e.c_hat]} cannot change within R.",
            rf"R = \min(R_S, R_A) = {radii} = {round_down(e.radius)}",
        )
    if e.outcome is Outcome.CORE:
        return (
            f"**Core.** The selection surely chooses the core network, which answers {names[e.core]}; no radius.",
            rf"\hat s = 0,\quad \underline p_S = {floor(e.select.p)} \ge \tfrac12",
        )
    if e.outcome is Outcome.CONSENSUS:
        return (
            f"**Consensus.** The selection is not certain, but both networks answer {names[e.c_hat]}; no radius.",
            rf"\hat c = \text{{core's answer}},\quad \underline p_A = {floor(e.certify.p)} \ge \tfrac12",
        )
    return (
        "**Abstain.** Neither the selection nor a consensus is certain enough at this α. An abstention is no error.",
        rf"\min(\underline p_S, \underline p_A) = {floor(min(e.select.p, e.certify.p))}",
    )
