"""Draws that end by themselves: when the question is answered, when nothing is to be hoped for, and never too soon."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.errors import AcesError
from engine.records.draws import Draws
from engine.single_image.certificate import issue
from engine.single_image.evidence import Evidence
from engine.single_image.plan import Mode, Plan
from engine.single_image.until import Ending, Until, check_until, is_over, looks_reached
from engine.statistics.deciding import Decider, RadiusQuestion
from engine.statistics.margin import Bound
from tests import toy
from tests.engine.single_image.issued_toy import CHAIN, NETWORKS, SUBJECT, in_chain
from tests.engine.single_image.toy_case import PLAN as TOY
from tests.engine.single_image.toy_case import TENSOR

PLAN = Plan(sigma=0.5, theta=0.5, n=10_000, n0=100, first=20)
RNG = np.random.default_rng


def some(rng: np.random.Generator, n: int, p: float, q: float) -> Draws:
    """Draws of class 0 with probability ``p``, else 1; the score below 1/2 with ``q``."""
    return Draws((rng.random(n) >= p).astype(np.uint16), np.where(rng.random(n) < q, 0.2, 0.8).astype(np.float32))


def evidence(p: float, q: float, n: int, seed: int = 0, core: int = 0) -> Evidence:
    rng = RNG(seed)
    guess = some(rng, 100, p, q)
    return Evidence.none(3, core).with_draws("guess", guess).with_draws("estimate", some(rng, n, p, q))


def upto(whole: Evidence, n: int) -> Evidence:
    return dataclasses.replace(whole, estimate=whole.estimate.first(n))


def ended(until: Until, whole: Evidence, plan: Plan = PLAN) -> tuple[Ending | None, int]:
    """The verdict, and the look that ended it."""
    for n in plan.looks:
        verdict = until.verdict(upto(whole, n), plan)
        if verdict is not None:
            return verdict, n
    raise AssertionError("the last look decides")


def test_sure_images_are_decided_after_few_draws_and_hopeless_ones_given_up():
    sure = evidence(1.0, 1.0, 10_000)
    assert ended(Until(0.1), sure) == (Ending.REACHED, 20)
    assert ended(Until(0.5), sure) == (Ending.REACHED, 80)
    assert ended(Until(5.0), sure) == (Ending.GIVEN_UP, 20)  # no n that is planned certifies so much
    verdict, n = ended(Until(0.4), evidence(0.6, 1.0, 10_000))  # 0.13 is its true radius
    assert (verdict, n < 1_000) == (Ending.GIVEN_UP, True)
    assert ended(Until(0.1), evidence(1.0, 0.0, 10_000)) == (Ending.GIVEN_UP, 20)  # the core network answers
    assert ended(Until(), evidence(1.0, 0.0, 10_000))[0] is Ending.REACHED  # and that is an answer


def test_an_image_near_the_verge_takes_what_it_needs():
    verdict, n = ended(Until(0.25), evidence(0.72, 1.0, 10_000))  # 0.29 is its true radius
    assert (verdict, n > 320) == (Ending.REACHED, True)
    assert ended(Until(), evidence(0.5, 0.5, 10_000, core=2))[0] in (Ending.OPEN, Ending.GIVEN_UP)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("q", [1.0, 0.85])
def test_it_gives_up_where_the_question_of_a_run_does(seed, q):
    """The same rule as ``deciding.Decider``, which knows the complement and one noise alone."""
    whole, r = evidence(0.8, q, 10_000, seed), 0.4
    decider = Decider(RadiusQuestion((r,), theta=0.5), PLAN.looks, 0.5)
    plan = dataclasses.replace(PLAN, split="half-last")
    for at, n in enumerate(plan.looks):
        classes, scores = whole.estimate.classes[:n], whole.estimate.scores[:n]
        look = decider.look(at, int((scores <= 0.5).sum()), int((classes == 0).sum()))
        verdict = Until(r).verdict(upto(whole, n), plan)
        assert (verdict is not None) == look.ends, n
        assert (verdict is Ending.REACHED) == (look.reached == 1)
        if look.ends:
            break


def test_what_would_have_been_reached_is_seldom_given_up():
    lost = 0
    for seed in range(150):
        whole = evidence(0.75, 1.0, 2_000, seed)
        plan = dataclasses.replace(PLAN, n=2_000)
        reached = Until(0.25).verdict(whole, plan) is Ending.REACHED
        lost += reached and ended(Until(0.25), whole, plan)[0] is Ending.GIVEN_UP
    assert lost <= 12


def test_a_radius_is_reached_as_the_certificate_states_it():
    whole = evidence(1.0, 1.0, 20)
    stated = issue(whole, PLAN, SUBJECT, NETWORKS, 1).radius
    exact = float(whole.answer(PLAN).radius[0, 0])
    assert stated < exact
    assert Until(exact).verdict(whole, PLAN) is not Ending.REACHED
    assert Until(stated).verdict(whole, PLAN) is Ending.REACHED


@pytest.mark.parametrize("bound", Bound)
def test_a_margin_is_hoped_for_as_a_margin(bound):
    """Three classes, none with a majority: only the margin can certify, and it is not given up for the complement."""
    rng = RNG(1)
    draws = [
        Draws(rng.choice(3, n, p=[0.48, 0.26, 0.26]).astype(np.uint16), np.full(n, 0.1, np.float32))
        for n in (100, 9_000)
    ]
    whole = Evidence.none(3, 0).with_draws("guess", draws[0]).with_draws("estimate", draws[1])
    plan = dataclasses.replace(PLAN, n=9_000, bound=bound)
    verdict, _ = ended(Until(0.1), whole, plan)
    assert verdict is (Ending.REACHED if bound is Bound.MARGIN else Ending.GIVEN_UP)


def test_chains_and_votes_are_decided_too():
    votes = Plan(sigma=0.5, theta=None, p0=0.7, n=10_000, first=20)
    assert ended(Until(0.1), evidence(1.0, 1.0, 10_000), votes)[0] is Ending.REACHED
    assert ended(Until(0.1), evidence(0.6, 1.0, 10_000), votes) == (Ending.GIVEN_UP, 20)
    assert ended(Until(), evidence(0.4, 1.0, 10_000), votes)[0] is Ending.REACHED  # handed on


def test_a_later_look_of_a_piece_that_ends_between_two_is_the_last_reached():
    whole = evidence(1.0, 0.0, 30)  # the core network answers
    assert looks_reached(PLAN, 19) == 0
    assert looks_reached(PLAN, 30) == 1
    assert Until(0.1).verdict(upto(whole, 19), PLAN) is None
    assert Until(0.1).verdict(whole, PLAN) is Ending.GIVEN_UP
    assert is_over(Until(0.1), whole, PLAN)
    assert not is_over(Until(0.1), whole, PLAN, before=20)  # asked at a look, and once


def test_what_is_said_is_what_was_certified_and_after_how_many_draws():
    sure = evidence(1.0, 1.0, 10_000)
    assert Until(0.1).said(upto(sure, 20), PLAN) == "Radius 0.1 is certified after 20 of at most 10,000 draws."
    assert Until().said(upto(sure, 20), PLAN) == "An answer is certain after 20 of at most 10,000 draws."
    gone = Until(5.0).said(upto(sure, 20), PLAN)
    assert gone.startswith("Radius 5 is not certified after 20 of at most 10,000 draws: given up, ")
    assert gone.endswith("This proves nothing.")
    verge = evidence(0.72, 1.0, 10_000)
    assert Until(0.25).said(upto(verge, 20), PLAN).endswith("where it was stopped; more may certify it.")
    assert Until(0.29).said(verge, PLAN) == "Radius 0.29 is not certified by all 10,000 draws. This proves nothing."


@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan"), float("inf")])
def test_a_radius_that_is_none_is_refused(radius):
    with pytest.raises(AcesError, match="the radius is"):
        Until(radius)


def test_a_fixed_n_does_not_end_by_what_is_seen():
    check_until(None, dataclasses.replace(PLAN, first=1_000, mode=Mode.FIXED))
    with pytest.raises(AcesError, match="with a fixed n"):
        check_until(Until(), dataclasses.replace(PLAN, first=1_000, mode=Mode.FIXED))


def test_networks_stop_where_the_question_ends(pair):
    plan = dataclasses.replace(TOY, n=4_000, first=20)
    sizes = [found.drawn for found in toy.evidence_of(pair, TENSOR, plan, 11)]
    assert sizes[:7] == [20, 40, 80, 160, 320, 640, 1280]
    assert sizes[-1] == 4_000
    usual = [found.estimate for found in toy.evidence_of(pair, TENSOR, dataclasses.replace(TOY, n=4_000), 11)][-1]
    assert len(usual) == 4_000


def test_a_chain_is_certified_by_its_second_stage_or_given_up():
    plan = dataclasses.replace(CHAIN, first=20, n=10_000)
    by_second = in_chain(10_000, 0, {"low": 0.0}, {}, low=0.6)  # the first hands on
    for n in plan.looks:
        some_of = dataclasses.replace(
            by_second,
            estimate=by_second.estimate.first(n),
            then=tuple(dataclasses.replace(pool, estimate=pool.estimate.first(n)) for pool in by_second.then),
        )
        verdict = Until(0.05).verdict(some_of, plan)
        if verdict is not None:
            break
    assert (verdict, n < 1_000) == (Ending.REACHED, True)
    assert Until(3.0).verdict(by_second, plan) is Ending.OPEN
