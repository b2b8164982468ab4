"""One image, one threshold: every number that its answer rests on, and the formulas with those numbers filled in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.mechanisms import OWN, Words, words_for
from engine.records.compose import Composition
from engine.smoothing import Smoothing
from engine.statistics import bounds
from engine.statistics.aces import Outcome, answer_by, bounds_of_stages
from engine.statistics.bounds import MAJORITY, lower_confidence_bound, round_up
from engine.statistics.corrections import CERTIFY, Correction, Levels, levels
from engine.statistics.margin import Bound, Rival, check_bound, one_class
from engine.statistics.stage import StageBounds, levels_at, selection_votes
from engine.statistics.thresholds import neighbours

UNDECIDED = "undecided"
LOWER, UPPER = r"\underline p", r"\overline p"


@dataclass(frozen=True)
class VoteBound:
    """The lower bound ``p`` (Clopper-Pearson) of ``k`` of ``n`` votes at ``alpha``, and the ``radius`` that it buys.

    ``rival``: the strongest other class, with its upper bound at the same ``alpha``, where the margin over it decides.
    """

    k: int
    n: int
    alpha: float
    p: float
    sigma: float
    smoothing: Smoothing
    radius: float
    rival: Rival | None = None


@dataclass(frozen=True)
class Threshold:
    """The selection's votes at a stored threshold: ``core`` of the guess draws, ``certify`` of the others."""

    theta: float
    core: int
    certify: int


@dataclass(frozen=True, eq=False)
class StageNumbers:
    """What CERTIFY asks of one stage, with its numbers.

    The answer at theta rests on the stored thresholds ``below`` and ``above`` (or at) it, None where there is none. The
    ``n0`` guess draws there decide ``chose_certify`` (s_hat = 1); ``select`` bounds how many of the ``select_draws``
    agree, and is None where the two guess differently: then the selection is undecided. A share ``t`` of the votes
    selects. ``certify`` bounds the votes for the class ``c_hat``, and those of its rival where the margin decides.
    ``class_counts`` int32 [m]; ``select_share`` [T]: share of the n draws whose score, which ``words`` name, is <=
    ``thetas`` [T]. ``by_votes``: no score selects but the votes for the class, of which ``theta`` and ``t`` are the
    share p_0; ``votes0`` of the guess draws are for ``c_hat``.
    """

    theta: float
    words: Words
    t: float
    by_votes: bool
    below: Threshold | None
    above: Threshold | None
    n0: int
    votes0: int
    chose_certify: bool
    select_draws: int
    select: VoteBound | None
    c_hat: int
    certify: VoteBound
    class_counts: Array
    thetas: Array
    select_share: Array

    @property
    def rests_on(self) -> list[Threshold]:
        """The thresholds whose votes decide."""
        return list(dict.fromkeys(t for t in (self.below, self.above) if t is not None))

    @property
    def selected(self) -> str:
        """Which network the selection chooses, in a word; of a chain "core" is whatever comes next."""
        if self.select is None:
            return UNDECIDED
        return "certification" if self.chose_certify else "core"


@dataclass(frozen=True, eq=False)
class Explanation(StageNumbers):
    """CERTIFY on one image (Algorithm 1), with its numbers: those of its first stage, and ``then`` of the later ones.

    ``prediction`` may be ``ABSTAIN``.
    """

    index: int
    label: int
    core: int
    outcome: Outcome
    prediction: int
    radius: float
    score_median: float
    then: tuple[StageNumbers, ...] = ()

    @property
    def stages(self) -> tuple[StageNumbers, ...]:
        """The numbers of every stage."""
        return self, *self.then

    @property
    def asked(self) -> tuple[StageNumbers, ...]:
        """The stages that the answer rests on: those guessed to hand on, and the one that is not."""
        last = next((k for k, stage in enumerate(self.stages) if stage.chose_certify), len(self.then))
        return self.stages[: last + 1]

    @property
    def verdict(self) -> str:
        """``correct``, ``wrong`` or ``abstained``."""
        if self.prediction == ABSTAIN:
            return "abstained"
        return "correct" if self.prediction == self.label else "wrong"


def row_of(c: Composition, index: int) -> int:
    """The row of the image of this ``index``. Raises ``AcesError`` if it is not there."""
    found = np.flatnonzero(c.index == index)
    if not len(found):
        raise AcesError(f"image {index} is not among the {len(c)} images of these runs: pick a row of the table")
    return int(found[0])


def explain(
    c: Composition,
    index: int,
    theta: float,
    alpha: float,
    correction: Correction,
    words: Words,
    t: float = MAJORITY,
    *,
    bound: Bound | str = Bound.COMPLEMENT,
) -> Explanation:
    """The numbers behind CERTIFY's answer for the image of this ``index``; ``words`` of the mechanism that selects.

    ``t`` and ``bound`` as in ``certify``. Raises ``AcesError`` if the image is not there.
    """
    at = row_of(c, index)
    row = c.rows(slice(at, at + 1))
    shown = bounds_of_stages(row, [theta], alpha, correction, t, bound)
    answer = answer_by(row, [theta], shown)
    spend, own = levels(correction, alpha, c.stages), words_for(OWN.name)
    later = (
        _numbers(stage.composition, stage.theta, stage.t, spend, correction, bounded, bound, own)
        for stage, bounded in zip(row.then, shown[1:], strict=True)
    )
    first = _numbers(row, theta, t, spend, correction, shown[0], bound, words, of_chain=bool(row.then))
    return Explanation(
        **vars(first),
        index=index,
        label=int(row.label[0]),
        core=int(row.core[0]),
        outcome=Outcome(answer.outcome[0, 0]),
        prediction=int(answer.prediction()[0, 0]),
        radius=float(answer.radius[0, 0]),
        score_median=float(row.score_median[0]),
        then=tuple(later),
    )


def _numbers(
    row: Composition,
    theta: float,
    t: float,
    spend: Levels,
    correction: Correction,
    bounded: StageBounds,
    bound: Bound | str,
    words: Words,
    *,
    of_chain: bool = True,
) -> StageNumbers:
    """The numbers of the first stage of one image."""
    votes = selection_votes(row, np.array([theta]), correction, t)
    chose_certify = bool(votes.s_hat[0, 0] == CERTIFY)
    a_s, a_c = levels_at(row, spend)[0 if chose_certify else 1]
    k_s = int((votes.certify if chose_certify else votes.core)[0, 0])
    below, above = (None, None) if row.by_votes else _beside(row, theta, correction)
    c_hat = int(bounded.c_hat[0])
    p_s = float(lower_confidence_bound(k_s, row.n_select, a_s))
    by = Bound.COMPLEMENT if row.by_votes else check_bound(bound, row.from_log)
    shown = one_class(row.class_counts0[0], row.class_counts[0], row.n, c_hat, a_c, row.smoothing.link, by)
    within = bounded.radius_select if chose_certify or not of_chain else bounded.radius_core
    radius_s, radius_a = float(within[0, 0]), float(bounded.radius_certify[0, 0])
    select = VoteBound(k_s, row.n_select, a_s, p_s, row.sigma_select, row.smoothing_select, radius_s)
    is_decided = row.by_votes or _is_decided(below, above, row.n0_select, t)
    return StageNumbers(
        theta=theta,
        words=words,
        t=theta if row.by_votes else t,
        by_votes=row.by_votes,
        below=below,
        above=above,
        n0=row.n0_select,
        votes0=int(row.class_counts0[0, c_hat]),
        chose_certify=chose_certify,
        select_draws=row.n_select,
        select=select if is_decided else None,
        c_hat=c_hat,
        certify=VoteBound(shown.k, row.n, shown.level, shown.p, row.sigma, row.smoothing, radius_a, shown.rival),
        class_counts=row.class_counts[0],
        thetas=row.thetas[:0] if row.by_votes else row.thetas,
        select_share=row.select_counts[0] / row.n_select,
    )


def _beside(row: Composition, theta: float, correction: Correction) -> tuple[Threshold | None, Threshold | None]:
    """The usable thresholds next below (or at) and next above (or at) theta: twice the same where theta is one."""
    (below,), (above,) = neighbours(row.thetas, np.array([theta]), correction)
    return _threshold(row, below), _threshold(row, above)


def _threshold(row: Composition, column: int) -> Threshold | None:
    if not 0 <= column < len(row.thetas):
        return None
    core = row.n0_select - int(row.select_counts0[0, column])
    return Threshold(float(row.thetas[column]), core, int(row.select_counts[0, column]))


def _guesses_core(at: Threshold, n0: int, t: float) -> bool:
    return n0 - at.core < t * n0


def _is_decided(below: Threshold | None, above: Threshold | None, n0: int, t: float) -> bool:
    """Scores fall below theta the more often the larger it is: core above means core at theta, certification below too.

    So the two must agree; where one is missing, the other must be the one that carries over.
    """
    core_below = below is None or _guesses_core(below, n0, t)
    core_above = above is not None and _guesses_core(above, n0, t)
    return core_below == core_above


def round_down(radius: float) -> Decimal:
    """A radius, or a z, with four decimals: never more than was certified.

    >>> str(round_down(0.29999)), str(round_down(0.1))
    ('0.2999', '0.1000')
    """
    return bounds.round_down(radius, decimals=4)


def formulas(e: Explanation, names: tuple[str, ...]) -> list[tuple[str, str]]:
    """The steps of Algorithm 1 with this image's numbers: (a sentence, its LaTeX) each.

    Of a chain those of every stage up to the one that is guessed to answer.
    """
    if not e.then:
        return [*_of_selection(e, names), _of_class(e, names), _conclusion(e, names)]
    steps = []
    for k, stage in enumerate(e.asked, 1):
        place = StagePlace(k, len(e.stages))
        steps += _of_selection(stage, names, place)
        if stage.select is None:
            break
        if stage.chose_certify:
            steps.append(_of_class(stage, names, place))
    return [*steps, _conclusion_of_chain(e, names)]


@dataclass(frozen=True)
class StagePlace:
    """Where a stage stands in a chain: the ``k``-th of so many, from 1; of one stage nothing is said."""

    k: int = 1
    of: int = 1

    def title(self, text: str) -> str:
        """A step's title."""
        return text if self.of == 1 else f"Stage {self.k} of {self.of}: {text[0].lower()}{text[1:]}"

    def tex(self, name: str) -> str:
        """A symbol's index."""
        return name if self.of == 1 else rf"{{{name},{self.k}}}"

    @property
    def hands_on_to(self) -> str:
        """Who is asked next."""
        return "the core network" if self.k == self.of else f"stage {self.k + 1}"


ALONE = StagePlace()


def _of_class(e: StageNumbers, names: tuple[str, ...], place: StagePlace = ALONE) -> tuple[str, str]:
    agree = (
        f"**{place.title('Bound the class.')}** The guess draws elect ĉ = {names[e.c_hat]}; {e.certify.k:,} of "
        f"{e.certify.n:,} fresh draws agree"
    )
    rival = e.certify.rival
    if rival is None:
        return f"{agree}.", _bound_tex(place.tex("A"), e.certify, shows_radius=True)
    return f"{agree}, and {rival.k:,} are for its strongest rival, {names[rival.c]}.", _margin_tex(
        e.certify, rival, place
    )


def _of_selection(e: StageNumbers, names: tuple[str, ...], place: StagePlace = ALONE) -> list[tuple[str, str]]:
    """The guess of the selection and the bound of its votes, or why there are neither."""
    if e.by_votes:
        tex = rf"\hat s = \mathbb 1\left[{e.votes0} \ge {e.t:g} \cdot {e.n0}\right] = {int(e.chose_certify)}"
    else:
        tex = r",\quad ".join(_guess_tex(e, t) for t in e.rests_on) or r"\hat s\ \text{undecided}"
    if e.select is None:
        return [(f"**{place.title('The selection is undecided.')}** {_why_undecided(e)}", tex)]
    return [
        (f"**{place.title('Guess the selection.')}** {_guess(e, names, place)}", tex),
        (f"**{place.title('Bound the selection.')}** {_agree(e)}", _selection_tex(e, e.select, place)),
    ]


def _guess(e: StageNumbers, names: tuple[str, ...], place: StagePlace) -> str:
    s_hat = int(e.chose_certify)
    whose = f"the {e.selected} network." if place.of == 1 or e.chose_certify else f"handed on to {place.hands_on_to}."
    if e.by_votes:
        share = "enough to select it" if e.chose_certify else "too few to select it"
        return (
            f"{e.votes0:,} of the {e.n0:,} guess draws are for ĉ = {names[e.c_hat]}, {share}, so ŝ = {s_hat}: {whose}"
        )
    to = "for the core network" if place.of == 1 else "to hand it on"
    return f"{_guesses(e)}, which votes {to}, so ŝ = {s_hat}: {whose}"


def _agree(e: StageNumbers) -> str:
    assert e.select is not None, "undecided"
    if e.by_votes and not e.chose_certify:
        return (
            f"No class has more than {e.select.n - e.select.k:,} of the {e.select.n:,} fresh draws; at least "
            f"{e.select.k:,} are against each."
        )
    return f"{e.select.k:,} of {e.select.n:,} fresh draws agree with ŝ{_monotone(e)}."


def _selection_tex(e: StageNumbers, select: VoteBound, place: StagePlace) -> str:
    name = place.tex("S")
    if place.of > 1 and not e.chose_certify:
        return _bound_tex(name, select, True, 1 - e.t, radius=f"H_{place.k}")
    return _bound_tex(name, select, e.chose_certify, e.t)


def _guesses(e: StageNumbers) -> str:
    """How many guess draws voted core, and at which thresholds where theta is none that the answer may rest on."""
    counts = " and ".join(f"{t.core:,}" for t in e.rests_on)
    if e.below == e.above:
        return f"{counts} of the {e.n0:,} guess draws had {e.words.a_score} above θ"
    names = " and ".join(f"{t.theta:g}" for t in e.rests_on)
    lies = "between" if len(e.rests_on) == 2 else "below" if e.below is None else "above"
    return (
        f"θ {e.theta:g} lies {lies} {names}, where the answer may rest on votes: {counts} of the {e.n0:,} guess draws "
        f"had {e.words.a_score} above that"
    )


def _why_undecided(e: StageNumbers) -> str:
    if not e.rests_on:
        return "The run stores no threshold that an answer under this correction may rest on."
    fresh = " and ".join(f"{t.certify:,}" for t in e.rests_on)
    why = (
        "One threshold guesses core, the other certification"
        if len(e.rests_on) == 2
        else f"That says nothing of a {'smaller' if e.below is None else 'larger'} θ"
    )
    return (
        f"{_guesses(e)}. {why}, so no fresh draw counts for either network ({fresh} of {e.select_draws:,} select the "
        f"certification network there)."
    )


def _monotone(e: StageNumbers) -> str:
    """Why votes at another threshold count at theta."""
    at = e.below if e.chose_certify else e.above
    return "" if e.below == e.above or at is None else f" at {at.theta:g}, and so at least as many at θ"


def _guess_tex(e: StageNumbers, t: Threshold) -> str:
    s = r"\hat s" if e.below == e.above else rf"\hat s({t.theta:g})"
    guess = int(not _guesses_core(t, e.n0, e.t))
    return rf"{s} = \mathbb 1\left[{t.core} \le {_share_tex(1 - e.t)} \cdot {e.n0}\right] = {guess}"


def _share_tex(share: float) -> str:
    return r"\tfrac12" if share == MAJORITY else f"{share:g}"


def _bound_tex(name: str, b: VoteBound, shows_radius: bool, share: float = MAJORITY, radius: str = "") -> str:
    symbol = radius or f"R_{name}"
    p = rf"\underline p_{name} = \mathrm{{LCB}}({b.k}, {b.n}, {round_up(b.alpha, 3):f}) = {floor(b.p)}"
    if not shows_radius:
        return p
    if b.radius == 0:
        return rf"{p} \le {_share_tex(share)} \;\Rightarrow\; {symbol} = 0" if b.p <= share else p
    z = round_down(b.radius / b.sigma)
    link = b.smoothing.tex.format(p=rf"\underline p_{name}")
    if share != MAJORITY:
        link = rf"\left({link} - {b.smoothing.tex.format(p=f'{share:g}')}\right)"
    reached = rf"{symbol} = \sigma\,{link} = {b.sigma:g} \cdot {z} = {round_down(b.radius)}"
    return rf"\begin{{gathered}} {p} \\ {reached} \end{{gathered}}"


def _margin_tex(b: VoteBound, rival: Rival, place: StagePlace) -> str:
    level = f"{round_up(b.alpha, 3):f}"
    p_a, p_b, r_a = (f"{text}_{place.tex(name)}" for text, name in ((LOWER, "A"), (UPPER, "B"), ("R", "A")))
    lower = rf"{p_a} = \mathrm{{LCB}}({b.k}, {b.n}, {level}) = {floor(b.p)}"
    upper = rf"{p_b} = \mathrm{{UCB}}({rival.k}, {b.n}, {level}) = {ceil(rival.p)}"
    if b.radius == 0:
        radius = rf"{p_a} \le {p_b} \;\Rightarrow\; {r_a} = 0" if b.p <= rival.p else ""
    else:
        links = (b.smoothing.tex.format(p=p) for p in (p_a, p_b))
        radius = (
            rf"{r_a} = \tfrac{{\sigma}}{{2}} \left({' - '.join(links)}\right) = {b.sigma:g} \cdot "
            rf"{round_down(b.radius / b.sigma)} = {round_down(b.radius)}"
        )
    lines = r" \\ ".join(line for line in (lower, upper, radius) if line)
    return rf"\begin{{gathered}} {lines} \end{{gathered}}"


def floor(p: float) -> str:
    """A lower bound of a probability with five decimals, rounded down like a radius.

    >>> floor(0.99998999), floor(0.1)
    ('0.99998', '0.10000')
    """
    return str(bounds.round_down(p, decimals=5))


def ceil(p: float) -> str:
    """An upper bound of a probability with five decimals, rounded up.

    >>> ceil(0.00001001), ceil(0.1)
    ('0.00002', '0.10000')
    """
    return str(bounds.round_up(p, decimals=5))


def _conclusion(e: Explanation, names: tuple[str, ...]) -> tuple[str, str]:
    if e.outcome is Outcome.CERTIFIED and e.select is not None:
        radii = rf"\min({round_down(e.select.radius)},\ {round_down(e.certify.radius)})"
        return (
            f"**Certified.** Both hold with a margin, so the answer {names[e.c_hat]} cannot change within R.",
            rf"R = \min(R_S, R_A) = {radii} = {round_down(e.radius)}",
        )
    if e.outcome is Outcome.CORE and e.select is not None:
        return (
            f"**Core.** The selection certifiably chooses the core network, which answers {names[e.core]}; no radius.",
            rf"\hat s = 0,\quad \underline p_S = {floor(e.select.p)} \ge {_share_tex(1 - e.t)}",
        )
    if e.outcome is Outcome.CONSENSUS:
        return (
            f"**Consensus.** The selection is not certain, but both networks answer {names[e.c_hat]}; no radius.",
            rf"\hat c = \text{{core's answer}},\quad {_top_class(e.certify)}",
        )
    return (
        "**Abstain.** Neither the selection nor a consensus is certain enough at this α. An abstention is no error.",
        _insufficient(e),
    )


def _conclusion_of_chain(e: Explanation, names: tuple[str, ...]) -> tuple[str, str]:
    """The least of the radii of a chain, or why there is none."""
    asked = [(StagePlace(k, len(e.stages)), stage) for k, stage in enumerate(e.asked, 1)]
    if e.outcome is Outcome.CERTIFIED:
        *before, (place, last) = asked
        assert last.select is not None, "certified"
        parts = [(f"H_{at.k}", stage.select.radius) for at, stage in before if stage.select is not None]
        parts += [(f"R_{place.tex('S')}", last.select.radius), (f"R_{place.tex('A')}", last.certify.radius)]
        symbols, radii = (
            r",\ ".join(texts) for texts in zip(*((s, str(round_down(r))) for s, r in parts), strict=True)
        )
        return (
            f"**Certified.** All of them hold with a margin, so stage {place.k} answers, and its answer "
            f"{names[last.c_hat]} cannot change within R.",
            rf"R = \min({symbols}) = \min({radii}) = {round_down(e.radius)}",
        )
    bounds = [
        rf"\underline p_{at.tex('S')} = {floor(stage.select.p)}"
        + (rf" \ge {_share_tex(1 - stage.t)}" if e.outcome is Outcome.CORE else "")
        for at, stage in asked
        if stage.select is not None
    ]
    place, last = asked[-1]
    if last.select is not None and last.chose_certify:
        bounds.append(rf"\underline p_{place.tex('A')} = {floor(last.certify.p)}")
    tex = r",\quad ".join(bounds) or r"\hat s\ \text{undecided}"
    if e.outcome is Outcome.CORE:
        return (
            f"**Core.** Every stage certainly hands on, and the core network answers {names[e.core]}; no radius.",
            tex,
        )
    return (
        "**Abstain.** One of the bounds is not certain enough at this α, and a chain has no consensus. An abstention "
        "is no error.",
        tex,
    )


def _top_class(b: VoteBound) -> str:
    """Why the class is the top one. The bounds of a margin stand in the step before: rounded they may be equal."""
    if b.rival is None:
        return rf"\underline p_A = {floor(b.p)} \ge \tfrac12"
    return r"\underline p_A \ge \overline p_B"


def _insufficient(e: Explanation) -> str:
    if e.certify.rival is not None:
        of_class = rf"\underline p_A = {floor(e.certify.p)},\quad \overline p_B = {ceil(e.certify.rival.p)}"
        return of_class if e.select is None else rf"\underline p_S = {floor(e.select.p)},\quad {of_class}"
    if e.select is None:
        return rf"\underline p_A = {floor(e.certify.p)}"
    return rf"\min(\underline p_S, \underline p_A) = {floor(min(e.select.p, e.certify.p))}"
