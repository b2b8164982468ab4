"""One image certified by a pair of networks, and its certificate drawn again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.records.draws import Draws
from engine.sampling.stream import Stage, chunk_generator
from engine.single_image.certificate import (
    Certificate,
    CertificateError,
    Segment,
    Subject,
    check,
    from_json,
    issue,
    to_json,
)
from engine.single_image.evidence import Evidence
from engine.single_image.live import Pair, open_pair
from engine.single_image.picture import Framing, tensor_sha256
from engine.single_image.plan import Mode, Plan, fresh_seed
from engine.single_image.resample import against, check_claim, resample
from engine.single_image.subject import Streams
from engine.single_image.system import PairSpec, Selector
from engine.statistics.corrections import CERTIFY, CORE
from tests import toy
from tests.forge import anew, lifted

TENSOR = toy.images("test").images[2]
SUBJECT = Subject("f" * 64, tensor_sha256(TENSOR), (1, 8, 8), Framing())
PLAN = Plan(sigma=2.0, theta=0.8, n=5_100, n0=60)  # where the toy network selects about half of the draws


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("networks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        certify = toy.checkpoint(folder / "noisy.safetensors")
        core = toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        return open_pair(PairSpec(certify, core))


@pytest.fixture(scope="module")
def issued(pair: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(pair, TENSOR, PLAN, 11)
    return issue(evidence, PLAN, SUBJECT, pair.networks, 11)


def test_the_evidence_grows_piece_by_piece_to_n(pair, issued):
    sizes = [len(evidence.estimate) for evidence in toy.evidence_of(pair, TENSOR, PLAN, 11)]
    assert sizes == [1_000, 2_000, 3_000, 4_000, 5_000, 5_100]
    check(issued, TENSOR)


def test_guess_and_estimate_share_no_draw(pair):
    parts = {part.stage: part.draws.scores for part in pair.draw(TENSOR, dataclasses.replace(PLAN, n=60), 11)}
    assert not np.isin(parts[Stage.GUESS], parts[Stage.ESTIMATE]).any()


def test_an_upload_shares_no_stream_with_a_data_set_image(pair):
    own, dataset = Streams(0, SUBJECT.index), Streams(0, -SUBJECT.index)
    assert not np.array_equal(scores(pair, own), scores(pair, dataset))


def scores(pair: Pair, streams: Streams, plan: Plan = PLAN) -> np.ndarray:
    return pair.block("certify", pair.pixels(TENSOR), plan, streams, Stage.ESTIMATE, 0, 250).scores


def test_resampling_everything_finds_what_was_recorded(pair, issued):
    again = resample(from_json(to_json(issued)), pair, TENSOR, fraction=1.0)
    assert again.draws == PLAN.n0 + PLAN.n
    assert again.turned == 0


def test_resampling_a_fraction_draws_the_guesses_and_some_blocks(pair, issued):
    assert resample(issued, pair, TENSOR, fraction=0.3).draws in (60 + 2_500, 60 + 100)


def swapped(issued: Certificate, **fields: object) -> Certificate:
    return dataclasses.replace(issued, **fields)


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


def test_an_image_of_another_shape_is_refused(pair):
    with pytest.raises(AcesError, match="networks read"):
        pair.core_answer(np.zeros((3, 8, 8), np.uint8))


def test_seeds_are_not_to_be_guessed():
    seeds = {fresh_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert max(seeds) < 2**53


def test_many_guess_draws_are_cut_into_blocks_as_well(pair):
    plan = Plan(sigma=0.25, theta=0.9, n=10, n0=2_600, mode=Mode.FIXED)
    *_, evidence = toy.evidence_of(pair, TENSOR, plan, 3)
    made = issue(evidence, plan, SUBJECT, pair.networks, 3)
    check(made)
    assert resample(made, pair, TENSOR).draws == 2_610


@pytest.mark.parametrize(
    "change",
    [
        {"theta": 0.81},
        {"n": 5_000},
        {"n0": 61},
        {"alpha": 0.002},
        {"correction": "bonferroni"},
        {"mode": "fixed-n"},
        {"sigma": 2.0000001},
    ],
)
def test_another_plan_gives_other_noise(pair, change):
    plan = dataclasses.replace(PLAN, **change)
    one, other = (pair.streams(TENSOR, p, 11) for p in (PLAN, plan))
    assert not np.array_equal(scores(pair, one), scores(pair, other))


def test_another_image_challenge_network_or_precision_gives_other_noise(pair):
    other = dataclasses.replace(pair.networks.core, sha256="0" * 64)
    names = {
        pair.streams(TENSOR, PLAN, 11).commitment,
        pair.streams(TENSOR + 1, PLAN, 11).commitment,
        pair.streams(TENSOR, PLAN, 11, "a beacon").commitment,
        dataclasses.replace(pair, networks=dataclasses.replace(pair.networks, core=other))
        .streams(TENSOR, PLAN, 11)
        .commitment,
        dataclasses.replace(pair, networks=dataclasses.replace(pair.networks, precision="bfloat16"))
        .streams(TENSOR, PLAN, 11)
        .commitment,
    }
    assert len(names) == 5


def test_a_plan_written_with_integers_is_the_plan_that_is_read_back(pair):
    plan = Plan(sigma=2, theta=1, n=1_000, n0=60)
    *_, evidence = toy.evidence_of(pair, TENSOR, plan, 11)
    made = from_json(to_json(issue(evidence, plan, SUBJECT, pair.networks, 11)))
    assert made.streams == pair.streams(TENSOR, plan, 11)
    assert resample(made, pair, TENSOR, 1.0).turned == 0


def test_a_challenge_that_was_not_mixed_in_is_found_out(pair, issued):
    with pytest.raises(CertificateError, match="votes differ"):
        resample(swapped(issued, challenge="a beacon"), pair, TENSOR)


def test_a_plan_that_was_changed_after_the_fact_is_found_out(pair, issued):
    forged = anew(issued, plan=dataclasses.replace(PLAN, alpha=0.002))
    check(forged, TENSOR)  # it agrees with itself
    with pytest.raises(CertificateError, match="votes differ"):
        resample(forged, pair, TENSOR)


# --- what may differ elsewhere ------------------------------------------------------------------------------------

SURE = Plan(sigma=1.0, theta=1.0, n=5_000, n0=60)


def elsewhere(pair: Pair) -> Pair:
    """The same networks, on a machine of another kind."""
    as_run = dataclasses.replace(pair.networks.as_run, hardware="AVX2")
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
    turned = against(part, dataclasses.replace(issued, thetas=(theta,)), 1, s_hat)
    assert turned.class_counts == (13, 975, 12)
    assert turned.select_counts == select_counts


# --- a selection network --------------------------------------------------------------------------------------------

TWO = Plan(sigma=2.0, theta=0.5, n=5_100, n0=60, sigma_select=1.0)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """With a selection network of two outputs, untrained: it selects about half of the draws."""
    folder = tmp_path_factory.mktemp("three")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        certify = toy.checkpoint(folder / "noisy.safetensors")
        core = toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        return open_pair(PairSpec(certify, core, select=Selector(toy.selector(folder / "chooser.safetensors"))))


@pytest.fixture(scope="module")
def issued_by_three(three: Pair) -> Certificate:
    *_, evidence = toy.evidence_of(three, TENSOR, TWO, 11)
    return issue(evidence, TWO, SUBJECT, three.networks, 11)


def test_a_certificate_with_a_selection_network_checks_and_draws_again(three, issued_by_three):
    made = from_json(to_json(issued_by_three))
    check(made, TENSOR)
    again = resample(made, three, TENSOR, 1.0)
    assert (again.draws, again.turned) == (2 * (60 + 5_100), 0)
    assert {part.network for part in made.segments} == {"certify", "select"}
    assert made.networks.select.name == "chooser"


def test_both_networks_are_looked_at_at_equal_draws(three):
    for evidence in toy.evidence_of(three, TENSOR, TWO, 11):
        assert len(evidence.estimate) == len(evidence.select.estimate) == evidence.drawn


def test_the_networks_share_no_noise(three):
    """Were it one stream, the selection network would see the noise of the other at the same sigma."""
    streams = three.streams(TENSOR, TWO, 11)
    a, b = (
        chunk_generator(11, -1, Stage.ESTIMATE, 0, torch.device("cpu"), streams.of(r)) for r in ("certify", "select")
    )
    assert not torch.equal(torch.randn(8, generator=a), torch.randn(8, generator=b))


def test_the_radius_is_the_smaller_of_two_with_noise_of_their_own(three):
    draws = Draws(np.ones(1_000, np.uint16), np.zeros(1_000, np.float32))
    none = Evidence.none(3, 1, select=True)
    evidence = none
    for role in ("certify", "select"):
        evidence = evidence.with_draws("guess", draws.first(100), role).with_draws("estimate", draws, role)
    plan = Plan(sigma=2.0, theta=0.5, n=1_000, mode=Mode.FIXED, sigma_select=0.5)
    made = issue(evidence, plan, SUBJECT, three.networks, 0)
    alone = dataclasses.replace(plan, sigma=0.5, sigma_select=None)
    assert made.radius == pytest.approx(alone.ceiling, rel=1e-8)
    assert plan.ceiling == alone.ceiling
    assert Plan(sigma=0.25, theta=0.5, sigma_select=0.5).ceiling == Plan(sigma=0.25, theta=0.5).ceiling


@pytest.mark.parametrize("plan", [PLAN, TWO])
def test_plan_and_networks_must_agree_on_a_selection_network(pair, three, plan):
    other = three if plan is PLAN else pair
    with pytest.raises(AcesError, match="name both, or none"):
        next(other.draw(TENSOR, plan, 11))


def test_a_selection_network_that_selects_nothing_by_its_outputs_is_refused(pair, tmp_path, toy_dataset):
    certify = toy.checkpoint(tmp_path / "noisy.safetensors")
    core = toy.checkpoint(tmp_path / "plain.safetensors")
    with pytest.raises(AcesError, match="has 3 outputs; selection by network needs 2"):
        open_pair(PairSpec(certify, core, select=Selector(certify)))
    with pytest.raises(AcesError, match="unknown selection mechanism 'luck'"):
        open_pair(PairSpec(certify, core, select=Selector(certify, None, "luck")))
    by_entropy = open_pair(PairSpec(certify, core, select=Selector(core, None, "entropy")))
    assert by_entropy.networks.mechanism == "entropy"


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
