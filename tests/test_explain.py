from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.explain import explain, formulas, round_down
from engine.aces import Correction, Outcome, certify
from engine.bounds import lower_confidence_bound
from engine.errors import AcesError
from tests import random_runs

NAMES = ("dark", "grey", "bright")


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
        assert e.chose_certify == (2 * e.core_guesses <= e.n0)
        assert e.certify.p == lower_confidence_bound(e.certify.k, c.n, e.certify.alpha)
        assert (e.certify.radius > 0) == (e.certify.p > 0.5)
        assert (e.select.radius > 0) == (e.chose_certify and e.select.p > 0.5)
        assert (e.outcome is Outcome.CORE) == (not e.chose_certify and e.select.p >= 0.5)


def test_between_thresholds_simultaneous_rests_on_the_promised_ones():
    c = random_runs.composed(2, thetas=np.arange(1001) / 1000)
    for index in c.index.tolist():
        below, between, above = (explain(c, index, t, 0.01, Correction.SIMULTANEOUS) for t in (0.3, 0.305, 0.31))
        guesses = (below.chose_certify, above.chose_certify)
        votes = {(True, True): below.select.k, (False, False): above.select.k, (False, True): 0}
        assert between.select.k == votes[guesses]


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


@pytest.mark.parametrize(("prediction", "verdict"), [(1, "right"), (0, "wrong"), (-1, "abstained")])
def test_an_abstention_is_neither_right_nor_wrong(prediction, verdict):
    e = explain(random_runs.composed(), 0, 0.5, 0.01, Correction.BONFERRONI)
    assert replace(e, label=1, prediction=prediction).verdict == verdict
