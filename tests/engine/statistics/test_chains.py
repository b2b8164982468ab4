"""Chains of stages, and votes for the class that select: the plain-loop oracle, known values, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from engine.errors import AcesError
from engine.records.compose import Composition, StageRuns, Then, compose, compose_chain
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.bounds import lower_confidence_bound
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention, evaluate
from tests.chain_oracle import AskedStage, certify_chain, predict_chain
from tests.engine.statistics.test_aces import OFF_GRID, ON_GRID
from tests.random_runs import core_of, rows_of, smoothed

P0 = np.array([0.55, 0.7, 0.9, 0.99])
SIGMAS = (0.5, 0.25, 1.0)


def runs(seed: int, stages: int, **shape) -> list:
    """Certification runs of the same images; labels are the first one's."""
    found = [smoothed(seed + 10 * j, sigma=SIGMAS[j], **shape) for j in range(stages)]
    named = [replace(run, meta=replace(run.meta, name=f"run {j}")) for j, run in enumerate(found)]
    return [replace(run, label=named[0].label) for run in named]


def chain(seed: int, *, by_votes: tuple[bool, ...], then: tuple[tuple[float, float], ...], **shape) -> Composition:
    parts = runs(seed, len(by_votes), **shape)
    stages = [StageRuns(run, by_votes=votes) for run, votes in zip(parts, by_votes, strict=True)]
    later = [Then(stage, *at) for stage, at in zip(stages[1:], then, strict=True)]
    return compose_chain(stages[0], core_of(parts[0], seed + 2), later)


def asked(c: Composition, image: int, threshold: float, t: float) -> list[AskedStage]:
    stages = [(c, threshold, t), *((stage.composition, stage.theta, stage.t) for stage in c.then)]
    return [
        AskedStage(rows_of(c)[image], p0=at) if c.by_votes else AskedStage(rows_of(c)[image], at, share)
        for c, at, share in stages
    ]


def assert_agrees(c: Composition, thetas: np.ndarray, alpha: float, correction: str, t: float, bound: str) -> set[str]:
    answer, natural = certify(c, thetas, alpha, correction, t=t, bound=bound), predict(c, thetas, alpha, t).prediction()
    met = set()
    for i in range(len(c)):
        for at, theta in enumerate(thetas):
            stages = asked(c, i, float(theta), t)
            want = certify_chain(stages, alpha, correction, bound)
            got = Outcome(answer.outcome[i, at]).label, int(answer.prediction()[i, at])
            assert got == (want.outcome, want.label), (i, theta)
            assert answer.radius[i, at] == pytest.approx(want.radius, abs=1e-9)
            assert natural[i, at] == predict_chain(stages, alpha), (i, theta)
            met.add(want.outcome)
    return met


@pytest.mark.parametrize("bound", ["complement", "margin"])
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    ("by_votes", "then", "t"),
    [
        ((False, False), ((0.6, 0.5),), 0.5),
        ((False, False), ((0.35, 0.1),), 0.3),
        ((False, True), ((0.7, 0.5),), 0.1),
        ((False, False, False), ((0.6, 0.5), (0.8, 0.2)), 0.5),
    ],
)
def test_chains_agree_with_oracle(by_votes, then, t, correction, bound):
    met = set()
    for seed, alpha, m in ((10, 0.05, 3), (20, 0.2, 10), (30, 0.3, 2)):
        c = chain(seed, by_votes=by_votes, then=then, m=m, images=25)
        met |= assert_agrees(c, ON_GRID, alpha, correction, t, bound)
        met |= assert_agrees(c, OFF_GRID, alpha, correction, t, bound)
    assert met == {"certified", "core", "abstain"}


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    ("by_votes", "then"), [((True,), ()), ((True, True), ((0.7, 0.5),)), ((True, False), ((0.5, 0.3),))]
)
def test_votes_that_select_agree_with_oracle(by_votes, then, correction):
    met = set()
    for seed, alpha, m in ((10, 0.05, 3), (20, 0.001, 10), (30, 0.3, 2)):
        met |= assert_agrees(chain(seed, by_votes=by_votes, then=then, m=m), P0, alpha, correction, 0.5, "complement")
    assert {"certified", "core", "abstain"} <= met
    assert ("consensus" in met) <= (len(by_votes) == 1)


def test_a_chain_of_one_is_the_composition_itself():
    run = smoothed(3)
    core = core_of(run)
    plain, one = compose(run, core), compose_chain(StageRuns(run), core, [])
    a, b = certify(plain, ON_GRID, 0.05), certify(one, ON_GRID, 0.05)
    assert (a.outcome == b.outcome).all()
    assert (a.radius == b.radius).all()
    assert (predict(plain, ON_GRID, 0.05).prediction() == predict(one, ON_GRID, 0.05).prediction()).all()


def test_the_stage_that_answers_is_told():
    c = chain(10, by_votes=(False, False), then=((0.6, 0.5),))
    answer = certify(c, ON_GRID, 0.05)
    assert answer.later is not None
    first = certify(replace(c, then=()), ON_GRID, 0.05)
    assert set(np.unique(answer.later.stage)) == {0, 1, 2}
    assert (answer.radius_certify[answer.later.stage == 0] == first.radius_certify[answer.later.stage == 0]).all()
    assert (
        answer.later.c_hat[answer.later.stage == 1]
        != np.broadcast_to(answer.c_hat[:, None], answer.outcome.shape)[answer.later.stage == 1]
    ).any()
    assert (answer.outcome[answer.later.stage == 2] != Outcome.CERTIFIED).all()


def test_known_values_of_a_radius_that_is_handed_on():
    """Of 10,000 draws 9,500 of the first stage hand on, 9,000 of the second select, 9,900 are of its class."""
    c = chain(10, by_votes=(False, False), then=((0.6, 0.5),), images=1)
    later = c.then[0].composition
    first = replace(
        c, n_select=10_000, select_counts0=np.zeros((1, 11), int), select_counts=np.full((1, 11), 500),
        class_counts=np.array([[3_334, 3_333, 3_333]]), n=10_000,
    )  # fmt: skip
    second = replace(
        later, n_select=10_000, n=10_000, select_counts0=np.full((1, 11), later.n0_select),
        select_counts=np.full((1, 11), 9_000), class_counts0=np.array([[0, 11, 0]]),
        class_counts=np.array([[50, 9_900, 50]]),
    )  # fmt: skip
    answer = certify(replace(first, then=(replace(c.then[0], composition=second),)), 0.5, 0.001)
    parts = [
        sigma * norm.ppf(lower_confidence_bound(k, 10_000, 0.001))
        for sigma, k in ((0.5, 9_500), (0.25, 9_000), (0.25, 9_900))
    ]
    assert Outcome(answer.outcome[0, 0]) is Outcome.CERTIFIED
    assert answer.prediction()[0, 0] == 1
    assert answer.radius[0, 0] == pytest.approx(min(parts)) == pytest.approx(0.307177, abs=1e-6)


def test_metrics_of_a_chain_are_those_of_its_answers():
    c = chain(10, by_votes=(False, False), then=((0.6, 0.3),))
    m = evaluate(c, ON_GRID, alpha=0.05, radii=[0, 0.2])
    answer = certify(c, ON_GRID, 0.05)
    right = answer.prediction() == c.label[:, None]
    assert m.acr == pytest.approx((answer.radius * right).mean(0))
    assert m.nac == pytest.approx(100 * (predict(c, ON_GRID, 0.05).prediction() == c.label[:, None]).mean(0))
    assert m.certified_accuracy[:, 0] == pytest.approx(100 * right.mean(0))
    assert m.certified_accuracy[:, 1] == pytest.approx(100 * (right & (answer.radius >= 0.2)).mean(0))


def test_chains_that_cannot_be_are_refused():
    a, b = runs(10, 2)
    core = core_of(a)
    with pytest.raises(AcesError, match="'run 0' stands twice"):
        compose_chain(StageRuns(a), core, [Then(StageRuns(a), 0.3)])
    elsewhere = replace(b, index=b.index + 1)
    with pytest.raises(AcesError, match="share no images"):
        compose_chain(StageRuns(a), core, [Then(StageRuns(elsewhere), 0.3)])
    another = replace(b, meta=replace(b.meta, dataset="another"))
    with pytest.raises(AcesError, match="'run 0' is of toy, 'run 1' of another: only runs of one dataset"):
        compose_chain(StageRuns(a), core, [Then(StageRuns(another), 0.3)])
    other = replace(b, label=(b.label + 1) % 3)
    with pytest.raises(AcesError, match="label"):
        compose_chain(StageRuns(a), core, [Then(StageRuns(other), 0.3)])
    for theta, t, says in ((1.2, 0.5, "theta is 1.2"), (0.3, 0.0, "t is 0"), (0.3, 1.0, "t is 1")):
        c = compose_chain(StageRuns(a), core, [Then(StageRuns(b), theta, t)])
        for ask in (certify, predict):
            with pytest.raises(AcesError, match=says):
                ask(c, 0.3)
    c = compose_chain(StageRuns(a), core, [Then(StageRuns(b), 0.3)])
    with pytest.raises(AcesError, match="one stage"):
        evaluate(c, 0.3, convention=Convention.PAPER)


@pytest.mark.parametrize("p0", [0.5, 0.3, 1.0, float("nan")])
def test_a_share_that_two_classes_may_have_selects_none(p0):
    c = chain(10, by_votes=(True,), then=())
    for ask in (certify, predict):
        with pytest.raises(AcesError, match="lies strictly between"):
            ask(c, p0)
