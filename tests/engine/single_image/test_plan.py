from __future__ import annotations

import dataclasses

import pytest

from engine.errors import AcesError
from engine.single_image.plan import Mode, Plan, usual_split
from engine.statistics.bounds import ceiling
from engine.statistics.corrections import Correction
from engine.statistics.looks import Split, schedule
from engine.statistics.margin import Bound, usual_bound
from tests.engine.single_image.issued_toy import PLAN, made

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
     {"correction": "holm"}, {"n": 10**9}, {"bound": "exact"}, {"split": "odd"}],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(AcesError):
        Plan(**{"sigma": 0.5, "theta": 0.3} | wrong)


def test_a_plan_looks_as_the_schedule_says_only_if_it_may_stop():
    assert Plan(0.5, 0.3, n=5_000).looks == schedule(5_000)
    assert Plan(0.5, 0.3, n=5_000, mode=Mode.FIXED).looks == (5_000,)


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
