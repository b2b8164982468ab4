from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from engine.errors import AcesError
from engine.mechanisms import ENTROPY, NETWORK, Words, words_of
from engine.records.meta import Meta
from engine.smoothing import GAUSSIAN, UNIFORM
from engine.statistics.aces import Outcome, certify
from engine.statistics.bounds import lower_confidence_bound, upper_confidence_bound
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain as explain_by
from engine.statistics.explain import formulas, round_down
from engine.statistics.margin import Bound
from tests import random_runs
from tests.engine.statistics.test_chains import chain

NAMES = ("dark", "grey", "bright")


def explain(*arguments, words=ENTROPY.words):
    return explain_by(*arguments, words)


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("theta", [0.0, 0.3, 0.55, 1.0])
@pytest.mark.parametrize("separate", [False, True])
def test_the_explanation_leads_to_certifys_answer(correction, theta, separate):
    c = random_runs.composed(4, separate)
    answer = certify(c, [theta], 0.01, correction)
    for row, index in enumerate(c.index.tolist()):
        e = explain(c, index, theta, 0.01, correction)
        assert (e.outcome, e.prediction) == (answer.outcome[row, 0], answer.prediction()[row, 0])
        assert e.radius == answer.radius[row, 0]
        assert all(e.chose_certify == (2 * t.core <= e.n0) for t in e.rests_on) == (e.select is not None)
        assert e.certify.p == lower_confidence_bound(e.certify.k, c.n, e.certify.alpha)
        assert (e.certify.radius > 0) == (e.certify.p > 0.5)
        if e.select is None:
            assert e.outcome in (Outcome.CONSENSUS, Outcome.ABSTAIN)
            assert e.selected == "undecided"
            continue
        assert (e.select.radius > 0) == (e.chose_certify and e.select.p > 0.5)
        assert (e.outcome is Outcome.CORE) == (not e.chose_certify and e.select.p >= 0.5)


@pytest.mark.parametrize("card", [GAUSSIAN, UNIFORM])
@pytest.mark.parametrize("theta", [0.3, 0.55, 1.0])
def test_the_explanation_by_the_margin_leads_to_certifys_answer_and_shows_the_rival(theta, card):
    c = replace(random_runs.composed(6, True, m=4, images=80), smoothing=card, smoothing_select=card)
    names, link, seen = ("dark", "grey", "bright", "odd"), card.link, set()
    answer = certify(c, [theta], 0.01, bound=Bound.MARGIN)
    for row, index in enumerate(c.index.tolist()):
        e = explain_by(c, index, theta, 0.01, Correction.INTERSECTION_UNION, ENTROPY.words, bound=Bound.MARGIN)
        assert (e.outcome, e.radius) == (answer.outcome[row, 0], answer.radius[row, 0])
        text = " ".join(sentence + tex for sentence, tex in formulas(e, names))
        rival = e.certify.rival
        if rival is None:
            assert "rival" not in text
            assert "overline" not in text
            continue
        others = [k for at, k in enumerate(c.class_counts[row]) if at != e.c_hat]
        assert (rival.k, rival.p) == (max(others), upper_confidence_bound(rival.k, c.n, e.certify.alpha))
        assert e.certify.p == lower_confidence_bound(e.certify.k, c.n, e.certify.alpha)
        assert rival.k == c.class_counts[row, rival.c]
        assert rival.c != e.c_hat
        z = (link(e.certify.p) - link(rival.p)) / 2
        assert e.certify.radius == pytest.approx(c.sigma * max(z, 0), rel=1e-10)
        assert f"{rival.k:,} are for its strongest rival, {names[rival.c]}." in text
        assert rf"\overline p_B = \mathrm{{UCB}}({rival.k}, {c.n}, " in text
        assert (r"R_A = \tfrac{\sigma}{2}" in text) == (e.certify.radius > 0)
        assert r"\ge \tfrac12" not in text.split("**Consensus")[-1] or e.outcome is not Outcome.CONSENSUS
        seen.add(e.outcome)
    assert {Outcome.ABSTAIN, Outcome.CONSENSUS} & seen


def test_a_margin_is_never_shown_larger_than_it_is():
    c = random_runs.composed(6, True, m=4, images=80)
    for index in c.index.tolist():
        e = explain_by(c, index, 1.0, 0.01, Correction.BONFERRONI, ENTROPY.words, bound="margin")
        if e.certify.rival is None or e.certify.radius == 0:
            continue
        _, tex = formulas(e, ("dark", "grey", "bright", "odd"))[-2]
        p_a, p_b, z, radius = (
            float(number) for number in (
                *re.findall(r"(?:LCB|UCB).*?= ([\d.]+)", tex), *re.findall(r"\\cdot ([\d.]+) = ([\d.]+)", tex)[0]
            )
        )  # fmt: skip
        assert p_a <= e.certify.p
        assert p_b >= e.certify.rival.p
        assert radius <= e.certify.radius
        assert z <= e.certify.radius / e.certify.sigma


def test_between_thresholds_simultaneous_rests_on_the_promised_ones():
    c = random_runs.composed(2, images=400, thetas=np.arange(101) / 100)
    seen = set()
    for index in c.index.tolist():
        below, between, above = (explain(c, index, t, 0.01, Correction.SIMULTANEOUS) for t in (0.3, 0.305, 0.31))
        guesses = (below.chose_certify, above.chose_certify)
        votes = {(True, True): below.select, (False, False): above.select, (False, True): None}
        assert between.select == votes[guesses]
        assert between.rests_on == [*below.rests_on, *above.rests_on]
        seen.add(guesses)
    assert len(seen) == 3


def one_image(core: dict[float, int], certify: dict[float, int]):
    """An image whose selection got these votes: ``core`` of the 100 guess draws, ``certify`` of the 1,000 others."""
    thetas = np.array(sorted(core))
    c = random_runs.composed(0, images=1, thetas=thetas, n0=100, n=1000)
    guess, estimate = ([table[t] for t in sorted(core)] for table in (core, certify))
    return replace(c, select_counts0=100 - np.array([guess]), select_counts=np.array([estimate]))


def undecided_words(core, certify, theta=0.305, words=ENTROPY.words):
    e = explain(one_image(core, certify), 0, theta, 0.01, Correction.SIMULTANEOUS, words=words)
    assert e.select is None
    (sentence, tex), *_ = formulas(e, NAMES)
    assert not re.search(r"\b0 of", " ".join(said for said, _ in formulas(e, NAMES)))
    return sentence, tex


def test_an_undecided_selection_is_said_with_its_neighbours_and_their_votes():
    sentence, tex = undecided_words({0.3: 60, 0.31: 45}, {0.3: 410, 0.31: 590})
    assert sentence.startswith("**The selection is undecided.** θ 0.305 lies between 0.3 and 0.31")
    assert "60 and 45 of the 100 guess draws had an entropy above" in sentence
    assert "410 and 590 of 1,000 select the certification network there" in sentence
    assert r"\hat s(0.3) = \mathbb 1\left[60 \le \tfrac12 \cdot 100\right] = 0" in tex
    assert r"\hat s(0.31) = \mathbb 1\left[45 \le \tfrac12 \cdot 100\right] = 1" in tex


def test_where_one_neighbour_is_missing_the_other_may_leave_it_undecided():
    first, _ = undecided_words({0.31: 45, 0.32: 40}, {0.31: 590, 0.32: 600})
    assert "lies below 0.31" in first
    assert "says nothing of a smaller θ" in first
    last, _ = undecided_words({0.29: 61, 0.3: 60}, {0.29: 400, 0.3: 410})
    assert "lies above 0.3" in last
    assert "says nothing of a larger θ" in last


def test_votes_at_another_threshold_are_said_to_be_there():
    e = explain(one_image({0.3: 80, 0.31: 70}, {0.3: 100, 0.31: 200}), 0, 0.305, 0.01, Correction.SIMULTANEOUS)
    (guess, _), (bound, _), *_ = formulas(e, NAMES)
    assert "80 and 70 of the 100 guess draws" in guess
    assert (
        bound == "**Bound the selection.** 800 of 1,000 fresh draws agree with ŝ at 0.31, and so at least as many at θ."
    )


def test_a_selection_networks_scores_are_not_called_entropies():
    e = explain(random_runs.composed(4, separate=True), 0, 0.5, 0.01, Correction.BONFERRONI, words=NETWORK.words)
    sentences = " ".join(sentence for sentence, _ in formulas(e, NAMES))
    assert "a selection score above θ" in sentences
    assert "entropy" not in sentences
    sentence, _ = undecided_words({0.3: 60, 0.31: 45}, {0.3: 410, 0.31: 590}, words=NETWORK.words)
    assert "entropy" not in sentence


def test_a_mechanism_is_named_by_its_run_and_one_without_words_by_its_name():
    assert words_of(Meta("smoothed", "a", "d", 2)) == ENTROPY.words
    assert words_of(Meta("selection", "a", "d", 2)) == NETWORK.words
    meta = Meta("selection", "a", "d", 2)
    object.__setattr__(meta, "mechanism", "margin")
    assert words_of(meta) == Words("margin", "margin score", "a score by margin", "score")
    object.__setattr__(meta, "mechanism", "entropy")
    assert words_of(meta) == ENTROPY.words


def test_every_outcome_has_its_closing_sentence():
    c = random_runs.composed(4)
    seen = {}
    for theta in (0.2, 0.5, 0.8):
        for index in c.index.tolist():
            e = explain(c, index, theta, 0.01, Correction.BONFERRONI)
            seen[e.outcome] = formulas(e, NAMES)[-1][0]
    assert {kind.label for kind in seen} == {"certified", "core", "consensus", "abstain"}
    for kind, sentence in seen.items():
        assert sentence.lower().startswith(f"**{kind.label}")


def test_the_formulas_hold_the_images_numbers():
    c = random_runs.composed(4)
    certified = certify(c, [0.8], 0.01).outcome[:, 0] == Outcome.CERTIFIED
    e = explain(c, int(c.index[certified][0]), 0.8, 0.01, Correction.BONFERRONI)
    tex = " ".join(formula for _, formula in formulas(e, NAMES))
    assert f"LCB}}({e.select.k}, {e.select.n}, 0.005)" in tex
    assert f"LCB}}({e.certify.k}, {e.certify.n}, 0.005)" in tex
    assert f"= {round_down(e.radius)}" in tex


def test_an_unknown_image_is_an_error_that_says_so():
    with pytest.raises(AcesError, match="image 5 is not among the 40 images"):
        explain(random_runs.composed(), 5, 0.5, 0.01, Correction.BONFERRONI)


@pytest.mark.parametrize(("prediction", "verdict"), [(1, "correct"), (0, "wrong"), (-1, "abstained")])
def test_an_abstention_is_neither_right_nor_wrong(prediction, verdict):
    e = explain(random_runs.composed(), 0, 0.5, 0.01, Correction.BONFERRONI)
    assert replace(e, label=1, prediction=prediction).verdict == verdict


@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    ("by_votes", "then", "threshold"),
    [((True,), (), 0.6), ((False, False), ((0.6, 0.3),), 0.35), ((False, True, False), ((0.6, 0.5), (0.8, 0.2)), 0.3)],
)
def test_the_explanation_of_votes_and_chains_leads_to_certifys_answer(by_votes, then, threshold, correction, bound):
    c = chain(10, by_votes=by_votes, then=then, m=3, images=40)
    answer, seen = certify(c, [threshold], 0.05, correction, bound=bound), set()
    for row, index in enumerate(c.index.tolist()):
        e = explain_by(c, index, threshold, 0.05, correction, ENTROPY.words, bound=bound)
        assert (e.outcome, e.prediction) == (answer.outcome[row, 0], answer.prediction()[row, 0])
        assert e.radius == answer.radius[row, 0]
        steps = formulas(e, NAMES)
        text = " ".join(sentence + tex for sentence, tex in steps)
        assert text.count(r"\begin{gathered}") == text.count(r"\end{gathered}")
        assert text.count("{") == text.count("}")
        if e.outcome is Outcome.CERTIFIED:
            radii = [stage.select.radius for stage in e.asked] + [e.asked[-1].certify.radius]
            assert e.radius == min(radii)
            assert steps[-1][1].endswith(f"= {round_down(e.radius)}")
            assert all(str(round_down(radius)) in steps[-1][1] for radius in radii)
        stages = 1 if not then else int(answer.later.stage[row, 0]) + 1
        assert len(e.asked) == min(stages, c.stages)
        seen.add((e.outcome.label, len(e.asked)))
    assert len(seen) > 2


def test_every_stage_of_a_chain_is_explained_with_its_numbers():
    c = chain(10, by_votes=(False, False, True), then=((0.6, 0.3), (0.6, 0.5)), m=3, images=40)
    told = {}
    for index in c.index.tolist():
        e = explain_by(c, index, 0.35, 0.05, Correction.INTERSECTION_UNION, ENTROPY.words)
        told[e.outcome.label, len(e.asked)] = e, formulas(e, NAMES)
    e, steps = told["certified", 3]
    assert [sentence.split("**")[1] for sentence, _ in steps] == [
        *(f"Stage {k} of 3: {what} the selection." for k in (1, 2, 3) for what in ("guess", "bound")),
        "Stage 3 of 3: bound the class.",
        "Certified.",
    ]
    _, second, third = e.stages
    assert r"H_1 = \sigma\,\Phi^{-1}(\underline p_{S,1}) = 0.5 \cdot" in steps[1][1]
    assert f"LCB}}({second.select.k}, {second.select.n}, 0.05)" in steps[3][1]
    assert r"- \Phi^{-1}(0.7)" in steps[3][1]  # what hands on counts from 1 - t
    assert f"{third.votes0} \\ge 0.6 \\cdot {third.n0}" in steps[4][1]
    assert "so stage 3 answers" in steps[-1][0]
    e, steps = told["core", 3]
    assert "No class has more than" in steps[-2][0]
    assert r"\underline p_{S,3} =" in steps[-1][1]
    assert "a chain has no consensus" in told["abstain", 1][1][-1][0]
