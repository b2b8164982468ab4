from __future__ import annotations

import dataclasses
import re

import pytest
from scipy.stats import norm

from engine.errors import AcesError
from engine.single_image.plan import LaterPlan, Mode, Plan, usual_split
from engine.statistics.bounds import ceiling
from engine.statistics.corrections import Correction
from engine.statistics.looks import Split, schedule
from engine.statistics.margin import Bound, usual_bound
from tests.engine.single_image.issued_toy import CHAIN, PLAN, VOTES, chained, made

HOW = [{"bound": bound, "split": split} for bound in Bound for split in Split]


@pytest.mark.parametrize("how", HOW)
def test_the_ceiling_is_what_unanimous_draws_certify(how):
    for mode in Mode:
        plan = dataclasses.replace(PLAN, mode=mode, theta=0.5, **how)
        certificate = made(plan, p=(1.0, 0.0, 0.0))
        assert certificate.radius == pytest.approx(plan.ceiling, rel=1e-8)


@pytest.mark.parametrize("how", HOW)
def test_the_smallest_n_is_the_first_that_certifies(how):
    plan = dataclasses.replace(PLAN, mode=Mode.FIXED, theta=0.5, **how)
    enough, few = (dataclasses.replace(plan, n=n) for n in (plan.smallest_n, plan.smallest_n - 1))
    unanimous = {"p": (1.0, 0.0, 0.0)}
    assert made(enough, k=enough.n, **unanimous).outcome == "certified"
    assert made(few, k=few.n, **unanimous).radius == 0


@pytest.mark.parametrize(
    "wrong",
    [{"sigma": 0.0}, {"sigma": float("nan")}, {"theta": 1.5}, {"n": 0}, {"n0": 0}, {"alpha": 1.0}, {"mode": "maybe"},
     {"correction": "holm"}, {"n": 10**9}, {"bound": "exact"}, {"split": "odd"}, {"first": 0}, {"first": 10**9},
     {"first": 20, "mode": "fixed-n"}],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(AcesError):
        Plan(**{"sigma": 0.5, "theta": 0.3} | wrong)


def test_a_plan_looks_as_the_schedule_says_only_if_it_may_stop():
    assert Plan(0.5, 0.3, n=5_000).looks == schedule(5_000)
    assert Plan(0.5, 0.3, n=5_000, mode=Mode.FIXED).looks == (5_000,)
    assert Plan(0.5, 0.3, n=500, first=20).looks == (20, 40, 80, 160, 320, 500)
    assert Plan(0.5, 0.3, n=5, first=20).looks == (5,)


def test_looks_from_few_draws_on_are_of_version_7():
    plan = Plan(0.5, 0.3, n=500, first=20, split=usual_split(500, Mode.EARLY, 20))
    assert plan.version == 7
    assert plan.alphas == (0.001 / 10,) * 5 + (0.0005,)
    assert dataclasses.replace(plan, first=1_000).version == 5


def test_each_look_has_its_share_of_alpha():
    even, half = (Plan(0.5, 0.3, n=100_000, alpha=0.001, split=split) for split in Split)
    assert even.alphas == (0.001 / 8,) * 8
    assert half.alphas == (0.001 / 14,) * 7 + (0.0005,)
    assert half.ceiling == 0.5 * ceiling(1.0, 100_000, 0.0005) > even.ceiling
    assert half.smallest_n > even.smallest_n
    fixed = dataclasses.replace(half, mode=Mode.FIXED)
    assert fixed.alphas == (0.001,)


def test_a_share_that_the_last_look_cannot_tell_is_refused():
    n, t = 1_001, 0.991  # unanimous draws show it at a quarter of alpha or more, and not at less
    for split in Split:
        Plan(0.5, 0.3, n=2_000, t=t, split=split)
    with pytest.raises(AcesError, match="cannot tell it"):
        Plan(0.5, 0.3, n=n, t=0.995, split=Split.HALF_LAST)


def test_old_certificates_say_neither_bound_nor_split_and_new_plans_do():
    plain = Plan(0.5, 0.3)
    assert (plain.bound, plain.split, plain.version) == (Bound.COMPLEMENT, Split.EVEN, 2)
    for newer in ({"bound": "margin"}, {"split": "half-last"}):
        assert dataclasses.replace(plain, **newer).version == 5
    assert usual_split(10_000, Mode.EARLY) is Split.HALF_LAST
    assert usual_split(10_000, Mode.FIXED) is usual_split(1_000, Mode.EARLY) is Split.EVEN
    assert usual_bound(Correction.BONFERRONI) is Bound.COMPLEMENT
    assert usual_bound(Correction.INTERSECTION_UNION) is usual_bound(Correction.SIMULTANEOUS) is Bound.MARGIN


@pytest.mark.parametrize("correction", Correction)
def test_the_ceiling_of_votes_and_chains_is_what_unanimous_draws_certify(correction):
    sure = {"p": (1.0, 0.0, 0.0)}
    votes, chain = (dataclasses.replace(plan, correction=correction) for plan in (VOTES, CHAIN))
    assert chained(votes, **sure).radius == pytest.approx(votes.ceiling, rel=1e-8)
    by_first = chained(dataclasses.replace(chain, theta=0.4), sure, sure, **sure)
    assert by_first.radius == pytest.approx(chain.ceiling, rel=1e-8)  # no later stage reaches further
    by_second = chained(chain, sure, sure, **sure, low=0.6)
    assert 0 < by_second.radius < chain.ceiling


def test_the_ceiling_of_a_chain_is_that_of_its_best_stage_within_what_hands_on():
    wide, narrow = LaterPlan(1.0, 0.3), LaterPlan(0.1, 0.3)
    one = Plan(0.25, 0.3, mode=Mode.FIXED)
    alone = Plan(1.0, 0.3, mode=Mode.FIXED).ceiling
    assert dataclasses.replace(one, then=(narrow,)).ceiling == one.ceiling
    assert dataclasses.replace(one, then=(wide,)).ceiling == one.ceiling  # the first hands on within no more
    assert Plan(2.0, 0.3, then=(wide,), mode=Mode.FIXED).ceiling == 2 * alone
    assert dataclasses.replace(one, t=0.9, then=(wide,)).ceiling == pytest.approx(
        min(alone, 0.25 * (norm.ppf(0.001**1e-4) - norm.ppf(0.1)))
    )


def test_the_smallest_n_of_votes_and_chains_is_the_first_that_certifies():
    sure = {"p": (1.0, 0.0, 0.0)}
    fixed = dataclasses.replace(VOTES, mode=Mode.FIXED, n=1_000, correction=Correction.BONFERRONI)
    enough = dataclasses.replace(fixed, n=fixed.smallest_n)
    assert chained(enough, k=enough.n, **sure).outcome == "certified"
    with pytest.raises(AcesError, match="cannot tell it from 1"):
        dataclasses.replace(fixed, n=fixed.smallest_n - 1)
    chain = dataclasses.replace(CHAIN, mode=Mode.FIXED, n=1_000, then=(LaterPlan(0.25, 0.4),))
    enough, few = (dataclasses.replace(chain, n=n) for n in (chain.smallest_n, chain.smallest_n - 1))
    assert chained(enough, sure, k=enough.n, **sure, low=0.6).outcome == "certified"
    assert chained(few, sure, k=few.n, **sure, low=0.6).radius == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"theta": None}, "a stage needs one of them"),
        ({"p0": 0.7}, "a stage needs one of them"),
        ({"theta": None, "p0": 0.5}, "p0 is 0.5"),
        ({"theta": None, "p0": 1.0}, "p0 is 1"),
        ({"theta": None, "p0": float("nan")}, "p0 is nan"),
        ({"theta": None, "p0": 0.7, "t": 0.3}, "p0 is the share"),
        ({"theta": None, "p0": 0.7, "sigma_select": 0.5}, "name one of them"),
        ({"theta": None, "p0": 0.7, "bound": "margin"}, "a margin adds nothing"),
        ({"theta": None, "p0": 0.9999, "n": 1_000}, "p0 is 0.9999: 1,000 draws cannot tell it from 1"),
        ({"then": (LaterPlan(1.0, 0.3),) * 4}, "a chain of 5 stages; it may have 4"),
        ({"then": (LaterPlan(1.0, 0.3, t=1e-4),), "n": 1_000}, "t is 0.0001: 1,000 draws cannot tell it from 0"),
        ({"then": (LaterPlan(1.0, 0.3),), "n": 9_000_000}, "1 to 5,000,000 draws"),
    ],
)
def test_a_chain_or_votes_that_could_not_be_are_refused(wrong, said):
    with pytest.raises(AcesError, match=re.escape(said)):
        Plan(**{"sigma": 0.5, "theta": 0.3} | wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "needs one of them"),
        ({"theta": 0.3, "p0": 0.7}, "needs one of them"),
        ({"theta": 1.5}, "theta is 1.5"),
        ({"theta": 0.3, "t": 0.0}, "t is 0"),
        ({"p0": 0.3}, "p0 is 0.3"),
        ({"p0": 0.7, "t": 0.2}, "p0 is the share"),
        ({"theta": 0.3, "sigma": float("inf")}, "sigma is inf"),
        ({"theta": 0.3, "sigma": 0.0}, "sigma is 0"),
    ],
)
def test_a_later_stage_that_could_not_be_is_refused(wrong, said):
    with pytest.raises(AcesError, match=re.escape(said)):
        LaterPlan(**{"sigma": 0.5} | wrong)


def test_votes_and_chains_are_of_version_6():
    assert {plan.version for plan in (VOTES, CHAIN)} == {6}
    assert (VOTES.threshold, CHAIN.threshold, [stage.threshold for stage in CHAIN.then]) == (0.7, 0.3, [0.4, 0.6])
    assert Plan(0.5, 0.3, then=[]).version == 2
