"""What the browser computes while a dial is turned is what the engine answers: every number, over random settings."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import app.components
from app.settings import Terms
from app.tables import live
from engine.errors import AcesError
from engine.figures import views
from engine.mechanisms import OWN, words_for
from engine.records.compose import Composition, compose
from engine.records.counts import thresholds
from engine.statistics import separation
from engine.statistics.aces import certify
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain, floor, round_down
from engine.statistics.intervals import mean_interval
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate, standalone
from tests import random_runs, synthetic

pytestmark = pytest.mark.browser

MODEL = Path(app.components.__file__).with_name("model.js").read_text(encoding="utf-8")
READ = """([counts, classes, votes]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
  window.packs = [readCounts(bytes(counts)), readPack(bytes(classes)), readPack(bytes(votes))];
}"""
SWEEP = """([share, t, radius]) => {
  const found = sweep(...window.packs, share, t, radius);
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, [...values]]));
}"""
CERTIFY = """([share, t, column]) => {
  const found = certify(...window.packs, share, t, column);
  return Object.fromEntries(Object.entries(found).map(([name, values]) => [name, [...values]]));
}"""

OVER_THETAS = """([share, t, row]) => {
  const found = overThetas(...window.packs, share, t, row), texts = Array.from(found.radius, (r) => towardsZero(r, 4));
  const plain = Object.entries(found).map(([name, values]) => [name, [...values]]);
  return { ...Object.fromEntries(plain), texts, stretches: stretches(found.outcome) };
}"""
BOUNDS = "([share, t, row, column]) => boundsOf(...window.packs, share, t, row, column)"


@pytest.fixture
def model(new_tab):
    page = new_tab()
    page.add_script_tag(content=MODEL)
    return page


def runs(seed: int) -> Composition:
    """Few draws, so that counts lie around every decision."""
    rng = np.random.default_rng(seed)
    grid = thresholds() if seed % 2 else np.arange(101) / 100
    shape = {"images": 60, "m": int(rng.integers(3, 6)), "thetas": grid}
    draws = {"n0": int(rng.integers(5, 30)), "n": int(rng.integers(40, 300))}
    return random_runs.composed(seed, separate=seed % 3 == 0, **shape, **draws)


def hand_over(page, c: Composition, terms: Terms) -> None:
    of_votes = live.of_votes(c.n_select, c.smoothing_select.link, terms.alpha, terms.correction)
    packs = live.of_counts(c), live.of_classes(c, terms), of_votes
    page.evaluate(READ, [base64.b64encode(zlib.decompress(pack)).decode() for pack in packs])


def random_terms(rng: np.random.Generator, correction: Correction) -> Terms:
    alpha = float(rng.choice([1e-5, 0.001, 0.01, 0.05, 0.1]))
    return Terms(alpha, correction, float(rng.choice([0.5, *live.SHARES])), Bound(rng.choice(list(Bound))))


@pytest.mark.parametrize("correction", list(Correction))
@pytest.mark.parametrize("seed", range(6))
def test_the_browser_computes_what_the_engine_answers(model, correction, seed):
    c, rng = runs(seed), np.random.default_rng(seed)
    assert live.can_be_live(c)
    for _ in range(4):
        terms = random_terms(rng, correction)
        hand_over(model, c, terms)
        share = int(np.flatnonzero(terms.t == live.SHARES)[0])
        if not model.evaluate("(share) => window.packs[2].told[share]", share):
            with pytest.raises(AcesError, match="draws cannot tell it"):
                evaluate(c, c.thetas, **terms.named)
            continue
        answer = certify(c, c.thetas, **terms.named)
        at = [
            0.0,
            float(rng.uniform(0, 1)),
            float(rng.choice(answer.radius.ravel())),
            float(answer.radius_select.max()),
        ]
        for radius in at:
            m = evaluate(c, c.thetas, radii=[radius], **terms.named)
            found = model.evaluate(SWEEP, [share, terms.t, radius])
            assert np.allclose(found["acr"], m.acr, rtol=0, atol=1e-12)
            of_one = m.nac, m.certified_accuracy[:, 0], m.certified_selection[:, 0], m.outcomes[:, 0]
            for name, values in zip(("nac", "accuracy", "selected", "abstained"), of_one, strict=True):
                assert np.allclose(found[name], values, rtol=0, atol=1e-9), name
        for column in rng.integers(0, len(c.thetas), 4).tolist():
            found = model.evaluate(CERTIFY, [share, terms.t, column])
            assert found["outcome"] == answer.outcome[:, column].tolist()
            assert found["radius"] == answer.radius[:, column].tolist()
            assert found["select"] == answer.radius_select[:, column].tolist()


@pytest.mark.parametrize("correction", list(Correction))
@pytest.mark.parametrize("seed", range(6))
def test_one_image_over_theta_is_the_engines_answer_and_its_bounds_are_those_explained(model, correction, seed):
    c, rng, words = runs(seed), np.random.default_rng(100 + seed), words_for(OWN.name)
    for _ in range(3):
        terms = random_terms(rng, correction)
        hand_over(model, c, terms)
        share = int(np.flatnonzero(terms.t == live.SHARES)[0])
        if not model.evaluate("(share) => window.packs[2].told[share]", share):
            continue
        for row in rng.integers(0, len(c), 4).tolist():
            answer = certify(c.rows(slice(row, row + 1)), c.thetas, **terms.named)
            found = model.evaluate(OVER_THETAS, [share, terms.t, row])
            assert found["outcome"] == answer.outcome[0].tolist()
            assert found["radius"] == answer.radius[0].tolist()
            assert found["select"] == answer.radius_select[0].tolist()
            assert found["ofClass"] == answer.radius_certify[0].tolist()
            assert found["texts"] == [str(round_down(radius)) for radius in answer.radius[0].tolist()]
            for outcome, ends in enumerate(found["stretches"]):
                at = np.flatnonzero(answer.outcome[0] == outcome).tolist()
                assert (ends and list(range(ends[0], ends[1] + 1))) == (at or None)
            for column in rng.integers(0, len(c.thetas), 4).tolist():
                theta = float(c.thetas[column])
                by = terms.alpha, terms.correction, words, terms.t
                e = explain(c, int(c.index[row]), theta, *by, bound=terms.bound)
                bounds = model.evaluate(BOUNDS, [share, terms.t, row, column])
                assert bounds["p_s"] == (None if e.select is None else round(1e5 * float(floor(e.select.p))))
                assert bounds["p_a"] == round(1e5 * float(floor(e.certify.p)))


@pytest.mark.parametrize("radius", [0.0, 0.3, 0.1, 0.9528, 0.95289999, 1.1, 2.3, 0.29999999999999993, 3.00004999, 1e-9])
def test_radii_as_text_claim_no_more_than_there_is(model, radius):
    assert model.evaluate("(radius) => towardsZero(radius, 4)", radius) == str(round_down(radius))


def test_what_comes_twice_has_no_one_stretch(model):
    assert model.evaluate("stretches([2, 2, 0, 1])") == [[2, 2], [3, 3], [0, 1], None]
    assert model.evaluate("stretches([2, 0, 2])") is None


def test_intervals_and_the_network_alone_are_the_engines(model):
    run = synthetic.smoothed(0.5, 120)
    c, terms = compose(run, synthetic.core(120)), Terms(0.001, Correction("intersection-union"), 0.3, Bound.MARGIN)
    hand_over(model, c, terms)
    summary = views.summary(c, 0.4, 0.25, terms)
    radii = certify(c, [0.4], **terms.named).correct_radius()[:, 0]
    ceiling = model.evaluate("window.packs[1].ceiling[29]")
    low, high = model.evaluate("([values, end]) => meanInterval(values, 0, end)", [radii.tolist(), ceiling])
    assert (low, high) == pytest.approx((summary.acr.low, summary.acr.high), abs=1e-9)
    intervals = model.evaluate("[...window.packs[0].intervals]")
    hits = round(summary.nac.value / 100 * 120)
    assert (intervals[hits], intervals[121 + hits]) == pytest.approx((summary.nac.low, summary.nac.high), abs=1e-9)
    alone = standalone(run, 0.001, bound=Bound.MARGIN)
    assert model.evaluate("[...window.packs[1].alone]") == alone.radius.tolist()


@pytest.mark.parametrize("values", [[0.0] * 9, [0.3] * 9, [0.0, 0.5, 1.0, 1.0], [1e-15, 1.0], [0.2]])
def test_the_interval_of_a_mean_has_the_engines_ends(model, values):
    found = model.evaluate("(values) => meanInterval(values, 0, 1)", values)
    assert found == pytest.approx(list(mean_interval(np.array(values), 0.0, 1.0)), abs=1e-8)


def test_curves_over_the_radius_are_the_engines(model):
    c = compose(synthetic.smoothed(0.25, 120), synthetic.core(120))
    terms = Terms(0.001, Correction("intersection-union"), 0.5, Bound.MARGIN)
    answer = certify(c, [0.3], **terms.named)
    curves = views.radius_curves(c, standalone(synthetic.smoothed(0.25, 120), 0.001), answer, terms)
    correct = int(answer.correct()[:, 0].sum())
    call = "([values, atZero, radii]) => [...overRadius(values, atZero, radii)]"
    found = model.evaluate(call, [answer.correct_radius()[:, 0].tolist(), correct, curves.radii.tolist()])
    assert found == curves.aces.tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("t", [0.5, 0.3, 0.8])
def test_radii_of_the_selection_and_how_well_it_separates_are_the_engines(model, seed, t):
    c, terms = runs(seed), Terms(0.05, Correction("intersection-union"), t, Bound.MARGIN)
    hand_over(model, c, terms)
    share, at = int(np.flatnonzero(t == live.SHARES)[0]), len(c.thetas) // 3
    signed = separation.signed_radii(c, c.thetas[[at]], terms.alpha, terms.correction, t)[:, 0]
    found = model.evaluate("(asked) => [...signedRadius(...window.packs, ...asked)]", [share, t, at])
    assert np.allclose(found, signed, rtol=0, atol=1e-12)
    assert (signed > 0).any()
    wanted = c.class_counts0.argmax(1) == c.label
    engine = separation.separation(c, wanted, t)
    call = """([wanted, t]) => {
      const found = receiver(window.packs[0], wanted, t);
      return {...found, x: [...found.x], y: [...found.y]};
    }"""
    browser = model.evaluate(call, [wanted.astype(int).tolist(), t])
    assert np.allclose(browser["x"], engine.false)
    assert np.allclose(browser["y"], engine.true)
    assert browser["area"] == pytest.approx(engine.area, abs=1e-12)
    assert (browser["able"], browser["others"]) == (engine.positives, engine.images - engine.positives)


def test_what_the_browser_cannot_follow_is_left_to_the_server():
    c = runs(1)
    assert live.can_be_live(c)
    for other in (replace(c, from_log=True), replace(c, from_log_select=True), replace(c, by_votes=True)):
        assert not live.can_be_live(other)
