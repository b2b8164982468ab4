from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.errors import AcesError
from engine.records.draws import Draws
from engine.sampling.stream import Stage
from engine.single_image.certificate import (
    Certificate,
    CertificateError,
    Segment,
    answer_at,
    answer_of,
    check,
    from_json,
    guesses,
    issue,
    to_json,
)
from engine.single_image.live import Pair
from engine.single_image.plan import LaterPlan, Mode, Plan
from engine.single_image.resample import TOLERATED, against, check_claim, doubted, resample
from engine.statistics.corrections import CERTIFY, CORE
from engine.statistics.margin import Bound
from tests import toy
from tests.engine.single_image.issued_toy import CHAIN, MARGIN, VOTES, chained, made
from tests.engine.single_image.toy_case import PLAN, SUBJECT, TENSOR, THREE_STAGES, swapped
from tests.forge import anew, lifted


def test_resampling_everything_finds_what_was_recorded(pair, issued):
    again = resample(from_json(to_json(issued)), pair, TENSOR, fraction=1.0)
    assert again.draws == PLAN.n0 + PLAN.n
    assert again.turned == 0


def test_resampling_a_fraction_draws_the_guesses_and_some_blocks(pair, issued):
    assert resample(issued, pair, TENSOR, fraction=0.3).draws in (60 + 2_500, 60 + 100)


def test_another_seed_is_found_out(pair, issued):
    with pytest.raises(CertificateError, match="votes differ"):
        resample(swapped(issued, seed=12), pair, TENSOR, fraction=1.0)


def test_votes_that_were_made_up_are_found_out(pair, issued):
    first = issued.segments[1]
    lied = dataclasses.replace(first, class_counts=(first.draws, 0, 0), select_counts=(first.draws,))
    with pytest.raises(CertificateError, match="votes differ"):
        resample(swapped(issued, segments=(issued.segments[0], lied, *issued.segments[2:])), pair, TENSOR, 1.0)


def test_other_networks_and_other_precision_are_found_out(pair, issued):
    other = dataclasses.replace(issued.networks.certify, sha256="0" * 64)
    with pytest.raises(CertificateError, match="other weights"):
        resample(swapped(issued, networks=dataclasses.replace(issued.networks, certify=other)), pair, TENSOR)
    with pytest.raises(CertificateError, match="precision bfloat16"):
        resample(swapped(issued, networks=dataclasses.replace(issued.networks, precision="bfloat16")), pair, TENSOR)


def test_a_wrong_core_answer_is_found_out(pair, issued):
    with pytest.raises(CertificateError, match="core network answers"):
        resample(swapped(issued, core_answer=(issued.core_answer + 1) % 3), pair, TENSOR)


@pytest.mark.parametrize("fraction", [0.0, 1.5, -1.0])
def test_a_fraction_outside_of_its_range_is_refused(pair, issued, fraction):
    with pytest.raises(AcesError, match="fraction"):
        resample(issued, pair, TENSOR, fraction)


def test_many_guess_draws_are_cut_into_blocks_as_well(pair):
    plan = Plan(sigma=0.25, theta=0.9, n=10, n0=2_600, mode=Mode.FIXED)
    *_, evidence = toy.evidence_of(pair, TENSOR, plan, 3)
    made = issue(evidence, plan, SUBJECT, pair.networks, 3)
    check(made)
    assert resample(made, pair, TENSOR).draws == 2_610


def test_a_challenge_that_was_not_mixed_in_is_found_out(pair, issued):
    with pytest.raises(CertificateError, match="votes differ"):
        resample(swapped(issued, challenge="a beacon"), pair, TENSOR)


def test_a_plan_that_was_changed_after_the_fact_is_found_out(pair, issued):
    forged = anew(issued, plan=dataclasses.replace(PLAN, alpha=0.002))
    check(forged, TENSOR)  # it agrees with itself
    with pytest.raises(CertificateError, match="votes differ"):
        resample(forged, pair, TENSOR)


SURE = Plan(sigma=1.0, theta=1.0, n=5_000, n0=60)


def elsewhere(pair: Pair) -> Pair:
    """The same networks, on a machine of another kind."""
    as_run = dataclasses.replace(pair.networks.as_run, hardware="another")
    return dataclasses.replace(pair, networks=dataclasses.replace(pair.networks, as_run=as_run))


def certified(pair: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(pair, TENSOR, SURE, 5)
    made = issue(evidence, SURE, SUBJECT, pair.networks, 5)
    assert made.outcome == "certified"
    return made


class Turning(Pair):
    """A pair whose floating point turns one vote for the class in every block, or gives one."""

    def block(self, role, pixels, plan, streams, stage, block, draws=2_500):
        drawn = super().block(role, pixels, plan, streams, stage, block, draws)
        classes = drawn.classes.copy()
        if stage is Stage.ESTIMATE:
            classes[0] = (classes[0] + 1) % 3
        return Draws(classes, drawn.scores)


def turning(pair: Pair) -> Pair:
    return Turning(**vars(pair))


def test_on_the_machine_that_made_it_not_one_vote_may_differ(pair):
    made = certified(pair)
    assert resample(made, pair, TENSOR, 1.0).same_machine is True
    with pytest.raises(CertificateError, match="1 of 1000 votes differ when drawn again, on the kind of machine"):
        resample(made, turning(pair), TENSOR, 1.0)


def test_elsewhere_equal_votes_are_as_good(pair):
    again = resample(certified(elsewhere(pair)), pair, TENSOR, 0.3)
    assert (again.turned, again.same_machine) == (0, False)


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_elsewhere_a_vote_less_takes_the_radius_away(pair, fraction):
    with pytest.raises(CertificateError, match=r"certified with radius .* follows, where the certificate claims"):
        resample(certified(elsewhere(pair)), turning(pair), TENSOR, fraction)


def test_elsewhere_a_smaller_claim_still_follows(pair):
    """With the tolerated share against it, which leaves a radius of its own."""
    made = certified(elsewhere(pair))
    claimed = dataclasses.replace(made, radius=made.radius / 2)
    again = resample(claimed, turning(pair), TENSOR, 0.3)
    assert again.turned == 1


def test_elsewhere_lifted_votes_never_pass(pair):
    made = certified(elsewhere(pair))
    *_, evidence = toy.evidence_of(elsewhere(pair), TENSOR, SURE, 5)
    fewer = np.where(np.arange(5_000) % 150 == 0, 0, evidence.estimate.classes).astype(np.uint16)
    honest = Turning(**vars(pair))
    lower = issue(
        dataclasses.replace(evidence, estimate=Draws(fewer, evidence.estimate.scores)),
        SURE, SUBJECT, elsewhere(pair).networks, 5,
    )  # fmt: skip
    assert lower.radius < made.radius  # as if its networks had been a little less sure
    monkey = pytest.MonkeyPatch()
    monkey.setattr(Turning, "block", _less_sure)
    with monkey.context():
        for fraction in (0.3, 0.7, 1.0):
            with pytest.raises(CertificateError, match="where the certificate claims"):
                resample(lifted(lower, 0.006), honest, TENSOR, fraction)
    monkey.undo()


def _less_sure(self, role, pixels, plan, streams, stage, block, draws=2_500):
    drawn = Pair.block(self, role, pixels, plan, streams, stage, block, draws)
    if stage is Stage.GUESS:
        return drawn
    at = 2_500 * block + np.arange(len(drawn))
    return Draws(np.where(at % 150 == 0, 0, drawn.classes).astype(np.uint16), drawn.scores)


def test_a_guess_that_comes_out_otherwise_ends_it(pair):
    made = certified(elsewhere(pair))
    close = dataclasses.replace(made.segments[0], class_counts=(0, 30, 30))
    recorded = dataclasses.replace(close, class_counts=(0, 30, 30))
    forged = dataclasses.replace(made, segments=(recorded, *made.segments[1:]))
    again = {recorded: dataclasses.replace(close, class_counts=(0, 29, 31))}
    with pytest.raises(CertificateError, match="guess otherwise"):
        check_claim(forged, again, 1)


@pytest.mark.parametrize(
    ("theta", "s_hat", "select_counts"), [(0.8, CERTIFY, (590,)), (0.8, CORE, (610,)), (1.0, CERTIFY, (600,))]
)
def test_what_was_not_drawn_is_turned_against_both_guesses(issued, theta, s_hat, select_counts):
    """From the class to another one, and away from the selection; at a threshold of 1 every draw is selected."""
    part = Segment("estimate", 0, 1_000, (13, 985, 2), (600,))
    turned = against(part, dataclasses.replace(issued, plan=dataclasses.replace(PLAN, theta=theta)), 1, s_hat, 2)
    assert turned.class_counts == (13, 975, 12)
    assert turned.select_counts == select_counts


def test_forged_selection_votes_are_found_out(three, issued_by_three):
    forged = lifted(issued_by_three)
    check(forged, TENSOR)
    with pytest.raises(CertificateError, match="votes differ"):
        resample(forged, three, TENSOR, 1.0)


def test_networks_that_are_not_the_certificates_are_named(pair, three, issued, issued_by_three):
    with pytest.raises(CertificateError, match="networks are certify, core, not certify, core, select"):
        resample(issued, three, TENSOR)
    with pytest.raises(CertificateError, match="networks are certify, core, select, not"):
        resample(issued_by_three, pair, TENSOR)


@pytest.mark.parametrize("p", [(0.45, 0.3, 0.25), (0.45, 0.28, 0.27), (0.9, 0.06, 0.04)])
def test_no_votes_that_turned_leave_less_of_a_margin_than_is_counted_against_it(p):
    """Each segment's tolerated votes go anywhere: to one rival, to the other, or to either by chance."""
    certificate = made(MARGIN, p=p)
    again = {part: part for part in certificate.segments if part.stage == "guess"}
    worst = answer_at(doubted(certificate, again, ((0, CERTIFY),)), MARGIN)
    assert 0 < worst.radius < certificate.radius
    rng = np.random.default_rng(0)
    found = []
    for trial in range(40):
        turned = []
        for part in certificate.segments:
            counts = np.array(part.class_counts)
            if part.stage == "estimate":
                for _ in range(int(np.ceil(TOLERATED * part.draws))):
                    rival = trial + 1 if trial < 2 else int(rng.integers(1, 3))
                    loser = 0 if trial < 20 else int(rng.choice([0, 3 - rival]))
                    counts[loser] -= 1
                    counts[rival] += 1
            selected = against(part, certificate, 0, CERTIFY, 1).select_counts if part not in again else None
            turned.append(
                dataclasses.replace(
                    part, class_counts=tuple(counts.tolist()), select_counts=selected or part.select_counts
                )
            )
        found.append(answer_of(certificate, tuple(turned)).radius)
    assert min(found) >= worst.radius
    assert min(found) == pytest.approx(worst.radius, rel=0.05)  # not more is doubted than may be


def test_what_is_doubted_is_doubted_for_the_strongest_rival_of_each_look():
    certificate = made(MARGIN, p=(0.45, 0.28, 0.27))
    again = {part: part for part in certificate.segments if part.stage == "guess"}
    looks = doubted(certificate, again, ((0, CERTIFY),))
    plain = [sum(p.class_counts[c] for p in certificate.segments if p.stage == "estimate") for c in range(3)]
    assert looks[-1].class_counts[0, 0] == pytest.approx(0.99 * 10_000 - (10_000 - plain[0]), abs=10)
    for look in looks:
        parts = [p for p in certificate.segments if p.stage == "estimate" and p.start < look.n]
        doubt = sum(int(np.ceil(TOLERATED * part.draws)) for part in parts)
        rivals = [sum(part.class_counts[c] for part in parts) for c in (1, 2)]
        assert look.class_counts[0, 1:].max() == max(rivals) + doubt
        assert look.class_counts[0].sum() == look.n


def test_where_the_class_has_no_votes_left_others_lose_theirs_to_the_rival(issued):
    part = Segment("estimate", 0, 1_000, (4, 990, 6), (600,))
    turned = against(part, issued, 0, CERTIFY, 2)
    assert turned.class_counts == (0, 984, 16)
    assert against(part, issued, 0, CERTIFY, 1).class_counts == (0, 1_000, 0)


def test_forged_votes_of_a_later_stage_are_found_out(chain, issued_by_chain):
    for at, part in enumerate(issued_by_chain.segments):
        counts = list(part.class_counts)
        counts[int(np.argmin(counts))] += 1
        counts[int(np.argmax(counts))] -= 1
        segments = list(issued_by_chain.segments)
        segments[at] = dataclasses.replace(part, class_counts=tuple(counts))
        forged = anew(issued_by_chain, segments=tuple(segments))
        check(forged, TENSOR)
        with pytest.raises(CertificateError, match="votes differ"):
            resample(forged, chain, TENSOR, 1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"theta": 0.801},
        {"then": (dataclasses.replace(THREE_STAGES.then[0], theta=0.901), THREE_STAGES.then[1])},
        {"then": (THREE_STAGES.then[0], dataclasses.replace(THREE_STAGES.then[1], p0=0.61))},
        {"then": (dataclasses.replace(THREE_STAGES.then[0], sigma=1.0000001), THREE_STAGES.then[1])},
    ],
)
def test_a_stage_that_was_changed_after_the_fact_is_found_out(chain, issued_by_chain, changes):
    forged = anew(issued_by_chain, plan=dataclasses.replace(THREE_STAGES, **changes))
    check(forged, TENSOR)
    with pytest.raises(CertificateError, match="votes differ"):
        resample(forged, chain, TENSOR, 1.0)


DOUBTED = {
    "first": (dataclasses.replace(CHAIN, bound=Bound.MARGIN), ({}, {}), {"p": (0.5, 0.3, 0.2)}),
    "second": (CHAIN, ({"p": (0.8, 0.15, 0.05)}, {}), {"low": 0.2}),
    "third": (CHAIN, ({"low": 0.6}, {"p": (0.9, 0.06, 0.04)}), {"low": 0.6}),
    "behind votes": (
        dataclasses.replace(VOTES, then=(LaterPlan(0.25, 0.4),)), ({},), {"p": (0.5, 0.48, 0.02)},
    ),
    "votes": (VOTES, (), {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", DOUBTED)
def test_no_votes_that_turned_leave_less_of_a_chain_than_is_counted_against_it(kind):
    """Each segment's tolerated votes go anywhere: to one class, and the scores to either side."""
    plan, then, first = DOUBTED[kind]
    certificate = chained(plan, *then, **first)
    assert certificate.outcome == "certified"
    guessed = guesses(certificate, certificate.segments)
    again = {part: part for part in certificate.segments if part.stage == "guess"}
    worst = answer_at(doubted(certificate, again, guessed), plan)
    assert 0 < worst.radius < certificate.radius
    rng = np.random.default_rng(0)
    found = []
    for trial in range(60):
        to = trial % 3 if trial < 30 else None
        turned = tuple(part if part in again else shaken(part, rng, to, trial % 2) for part in certificate.segments)
        found.append(answer_of(certificate, turned).radius)
    assert min(found) >= worst.radius
    assert min(found) == pytest.approx(worst.radius, rel=0.05)


def shaken(part: Segment, rng: np.random.Generator, to: int | None, up: int) -> Segment:
    """With as many votes turned as may be: all for one class, or each for any."""
    share, counts = int(np.ceil(TOLERATED * part.draws)), list(part.class_counts)
    for _ in range(share):
        gains = int(rng.integers(3)) if to is None else to
        loses = max((c for c in range(3) if c != gains), key=lambda c: counts[c])
        moved = min(1, counts[loses])
        counts[loses] -= moved
        counts[gains] += moved
    moved = share if up else -share
    selected = tuple(min(max(k + moved, 0), part.draws) for k in part.select_counts)
    return dataclasses.replace(part, class_counts=tuple(counts), select_counts=selected)


def test_a_consensus_by_votes_is_doubted_against_its_class():
    certificate = chained(VOTES, p=(0.7, 0.2, 0.1))
    assert certificate.outcome == "consensus"
    guessed = guesses(certificate, certificate.segments)
    again = {part: part for part in certificate.segments if part.stage == "guess"}
    (*_, last) = doubted(certificate, again, guessed)
    assert last.class_counts[0, 0] < sum(p.class_counts[0] for p in certificate.segments if p.stage == "estimate")
