from __future__ import annotations

import dataclasses

import pytest

from engine.errors import AcesError
from engine.single_image.plan import Mode, Plan
from engine.statistics.looks import schedule
from tests.engine.single_image.issued_toy import PLAN, made


def test_the_ceiling_is_what_unanimous_draws_certify():
    for mode in Mode:
        plan = dataclasses.replace(PLAN, mode=mode, theta=0.5)
        certificate = made(plan, p=(1.0, 0.0, 0.0))
        assert certificate.radius == pytest.approx(plan.ceiling, rel=1e-8)


def test_the_smallest_n_is_the_first_that_certifies():
    plan = dataclasses.replace(PLAN, mode=Mode.FIXED, theta=0.5)
    enough, few = (dataclasses.replace(plan, n=n) for n in (plan.smallest_n, plan.smallest_n - 1))
    unanimous = {"p": (1.0, 0.0, 0.0)}
    assert made(enough, k=enough.n, **unanimous).outcome == "certified"
    assert made(few, k=few.n, **unanimous).radius == 0


@pytest.mark.parametrize(
    "wrong",
    [{"sigma": 0.0}, {"sigma": float("nan")}, {"theta": 1.5}, {"n": 0}, {"n0": 0}, {"alpha": 1.0}, {"mode": "maybe"},
     {"correction": "holm"}, {"n": 10**9}],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused(wrong):
    with pytest.raises(AcesError):
        Plan(**{"sigma": 0.5, "theta": 0.3} | wrong)


def test_a_plan_looks_as_the_schedule_says_only_if_it_may_stop():
    assert Plan(0.5, 0.3, n=5_000).looks == schedule(5_000)
    assert Plan(0.5, 0.3, n=5_000, mode=Mode.FIXED).looks == (5_000,)
