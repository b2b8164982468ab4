from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from engine.mechanisms import ENTROPY
from engine.records.counts import count
from engine.records.draws import Draws
from engine.single_image.evidence import Evidence, Pool, certify_by
from engine.single_image.plan import LaterPlan, Mode, Plan, share, usual_split
from engine.single_image.segments import compositions, segments_of
from engine.statistics.aces import Outcome, certify, predict
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain
from engine.statistics.margin import Bound
from tests.chain_oracle import AskedStage, certify_chain_at_looks, predict_chain
from tests.engine.single_image.issued_toy import CHAIN, draws, evidence, in_chain
from tests.oracle import Row

EARLY = Plan(sigma=0.5, theta=0.3, n=4_000)
FIXED = replace(EARLY, mode=Mode.FIXED)


def parts(whole: Draws, *cuts: int) -> list[Draws]:
    at = [0, *cuts, len(whole)]
    return [Draws(whole.classes[a:b], whole.scores[a:b]) for a, b in pairwise(at)]


def test_parts_of_a_stream_add_up_to_the_whole():
    whole = evidence(4_000)
    grown = Evidence.none(3, 0)
    assert grown.answer(EARLY) is None
    for part in parts(whole.guess, 30):
        grown = grown.with_draws("guess", part)
    for part in parts(whole.estimate, 1, 999, 1_500):
        grown = grown.with_draws("estimate", part)
    assert grown.drawn == 4_000
    assert grown.answer(EARLY).radius.tolist() == whole.answer(EARLY).radius.tolist()
    assert grown.bounds(EARLY) == whole.bounds(EARLY)


def test_the_counts_at_a_look_are_those_of_its_first_draws():
    found = evidence(4_000)
    looks = found.looks(EARLY)
    assert [look.n for look in looks] == [1_000, 2_000, 4_000]
    for look in looks:
        counted = count(found.estimate.first(look.n), 3)
        assert look.class_counts[0].tolist() == counted.class_counts.tolist()
        assert look.select_counts[0].tolist() == counted.select_counts.tolist()
    assert [look.n for look in evidence(2_500).looks(EARLY)] == [1_000, 2_000]


def test_with_a_fixed_n_the_answer_is_plain_certify_and_nothing_before():
    found = evidence(4_000)
    plain = certify(found.composition(FIXED, 4_000), [0.3], FIXED.alpha, FIXED.correction)
    assert found.answer(FIXED).radius.tolist() == plain.radius.tolist()
    under_way = evidence(3_999)
    assert under_way.answer(FIXED) is None
    assert under_way.provisional(FIXED).n == 3_999
    assert Evidence.none(3, 0).provisional(FIXED) is None


def test_two_networks_are_looked_at_where_both_have_been_drawn():
    plan = replace(EARLY, sigma_select=1.0)
    both = Evidence.none(3, 0, select=True)
    for role in ("certify", "select"):
        both = both.with_draws("guess", draws(100, seed=1), role)
    both = both.with_draws("estimate", draws(2_000)).with_draws("estimate", draws(1_000, low=0.5), "select")
    assert both.drawn == 1_000
    (look,) = both.looks(plan)
    assert look.class_counts[0].tolist() == count(draws(2_000).first(1_000), 3).class_counts.tolist()
    assert look.select_counts[0].tolist() == count(draws(1_000, low=0.5), 1).select_counts.tolist()
    assert look.sigma_select == 1.0


def test_a_network_that_is_not_sampled_has_no_draws():
    with pytest.raises(AssertionError, match="no selection network"):
        evidence(10).pool("select")
    with pytest.raises(AssertionError, match="noise of its own"):
        evidence(1_000).composition(replace(EARLY, sigma_select=1.0), 1_000)
    assert np.isnan(evidence(1_000).composition(EARLY, 1_000).score_median[0]) == np.False_


def counted(plan: Plan, found: Evidence, n: int) -> list[AskedStage]:
    """Every stage's counts of the first ``n`` draws, as the oracle takes them: plain sums at plain thresholds."""
    thetas = [k / 1_000 for k in range(1_001)]
    stages = []
    for stage, own in zip(plan.stages, (found.pool("certify"), *found.then), strict=True):
        scored = [own.guess, own.estimate.first(n)]
        if stage is plan and found.select is not None:
            scored = [found.select.guess, found.select.estimate.first(n)]
        steps = [np.ceil(part.scores * np.float32(1_000)) for part in scored]
        selected = [[int((at <= k).sum()) for k in range(1_001)] for at in steps]
        classes = [[int((part.classes == c).sum()) for c in range(3)] for part in (own.guess, own.estimate.first(n))]
        row = Row(
            thetas, *selected, len(own.guess), n, stage.noise_select, classes[0], classes[1], stage.sigma, found.core
        )
        stages.append(AskedStage(row, p0=stage.p0) if stage.by_votes else AskedStage(row, stage.theta, stage.t))
    return stages


def any_draws(rng: np.random.Generator, k: int) -> Draws:
    """Around the decisions that a stage takes."""
    top = rng.choice([0.45, 0.55, 0.7, 0.95])
    p = rng.permuted([top, 0.8 * (1 - top), 0.2 * (1 - top)])
    scores = rng.beta(3, rng.choice([1.5, 6.0, 40.0, 40.0]), k)
    return Draws(rng.choice(3, k, p=p).astype(np.uint16), scores.astype(np.float32))


LATER = (LaterPlan(0.25, 0.3, t=0.3), LaterPlan(1.0, p0=0.6), LaterPlan(0.5, 0.4445))


@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"theta": None, "p0": 0.6}, ()),
        ({"theta": 0.3}, LATER[:1]),
        ({"theta": None, "p0": 0.9}, LATER[:1]),
        ({"theta": 0.3, "sigma_select": 0.25, "t": 0.7}, LATER[1:2]),
        ({"theta": 0.25}, LATER),
    ],
)
def test_chains_and_votes_that_select_answer_as_the_oracle_does(first, then, mode, bound, correction):
    bound = bound if then else Bound.COMPLEMENT  # there is no margin where the votes select
    plan = Plan(0.5, n=1_500, n0=40, alpha=0.05, correction=correction, mode=mode, bound=bound, then=then, **first)
    plan = replace(plan, split=usual_split(plan.n, mode))
    met = set()
    for seed in range(16):
        rng = np.random.default_rng(seed)
        pools = [Pool(any_draws(rng, plan.n0), any_draws(rng, plan.n)) for _ in range(2 + len(then))]
        select = pools[1] if plan.sigma_select else None
        found = Evidence(3, seed % 3, pools[0].guess, pools[0].estimate, select, tuple(pools[2:]))
        answer, looks = found.answer(plan), [counted(plan, found, n) for n in plan.looks]
        want = certify_chain_at_looks(looks, len(plan.looks), plan.alpha, correction, bound, plan.split)
        assert Outcome(answer.outcome[0, 0]).label == want.outcome
        assert int(answer.prediction()[0, 0]) == want.label
        assert answer.radius[0, 0] == pytest.approx(want.radius, rel=1e-9, abs=1e-12)
        assert_bounds_give_the_radius(plan, found, want.radius if want.outcome == "certified" else 0.0)
        natural = predict(found.composition(plan, plan.n), [plan.threshold], plan.alpha, plan.t).prediction()
        assert natural[0, 0] == predict_chain(looks[-1], plan.alpha)
        met.add(want.outcome)
        segments = segments_of(found, plan)
        by_sums = certify_by(plan, compositions(segments, plan, found.core), [plan.threshold])
        assert by_sums.radius[0, 0] == answer.radius[0, 0]
        assert by_sums.outcome[0, 0] == answer.outcome[0, 0]
    assert len(met) > 1


def assert_bounds_give_the_radius(plan: Plan, found: Evidence, radius: float) -> None:
    """The least of what the last look shows of every stage that is asked."""
    told = explain(found.composition(plan, plan.n), 0, plan.threshold, 0.05, plan.correction, ENTROPY.words, plan.t)
    if radius == 0 or not told.asked[-1].chose_certify:
        return
    parts = []
    for at, shown, stage in zip(told.asked, found.bounds(plan)[-1].stages, plan.stages, strict=False):
        of = share(stage) if at.chose_certify else 1 - share(stage)
        parts.append(stage.noise_select * (norm.ppf(shown.p_select) - norm.ppf(of)))
        if at.chose_certify:
            z = norm.ppf(shown.p_certify)
            parts.append(stage.sigma * (z if shown.p_rival is None else (z - norm.ppf(shown.p_rival)) / 2))
    assert radius == pytest.approx(min(parts), rel=1e-9)


def test_a_chain_is_looked_at_where_all_of_its_networks_have_been_drawn():
    plan = replace(CHAIN, n=4_000)
    found = in_chain(4_000, 0, {}, {})
    assert found.drawn == 4_000
    behind = replace(found, then=(found.then[0], Pool(found.then[1].guess, found.then[1].estimate.first(1_500))))
    assert behind.drawn == 1_500
    assert [look.n for look in behind.looks(plan)] == [1_000]
    none = Evidence.none(3, 0, then=2)
    grown = none.with_draws("estimate", draws(10), "then-2")
    assert [len(pool.estimate) for pool in grown.then] == [0, 10]
    with pytest.raises(AssertionError, match="draws of its own"):
        evidence(1_000).composition(plan, 1_000)
