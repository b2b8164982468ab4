"""One image certified by a pair of networks, and its certificate drawn again."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.certificate import Certificate, CertificateError, Subject, check, from_json, issue, to_json
from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.live import Pair, open_pair
from engine.pictures import Framing, tensor_sha256
from engine.plan import Mode, Plan, fresh_seed
from engine.resample import resample
from engine.sampling import Stage
from tests import toy

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
        return open_pair(certify, core)


@pytest.fixture(scope="module")
def issued(pair: Pair) -> Certificate:
    *_, evidence = pair.evidence(TENSOR, PLAN, 11, SUBJECT.index)
    return issue(evidence, PLAN, SUBJECT, pair.networks, 11)


def test_the_evidence_grows_piece_by_piece_to_n(pair, issued):
    sizes = [len(evidence.estimate) for evidence in pair.evidence(TENSOR, PLAN, 11, SUBJECT.index)]
    assert sizes == [1_000, 2_000, 3_000, 4_000, 5_000, 5_100]
    check(issued, TENSOR)


def test_guess_and_estimate_share_no_draw(pair):
    parts = dict.fromkeys(Stage)
    for stage, draws in pair.draw(TENSOR, dataclasses.replace(PLAN, n=60), 11, SUBJECT.index):
        parts[stage] = draws.scores
    assert not np.isin(parts[Stage.GUESS], parts[Stage.ESTIMATE]).any()


def test_an_upload_shares_no_stream_with_a_data_set_image(pair):
    pixels = pair.pixels(TENSOR)
    own, dataset = (
        pair.block(pixels, 0.25, 0, index, Stage.ESTIMATE, 0, 250).scores for index in (SUBJECT.index, -SUBJECT.index)
    )
    assert not np.array_equal(own, dataset)


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
    *_, evidence = pair.evidence(TENSOR, plan, 3, SUBJECT.index)
    made = issue(evidence, plan, SUBJECT, pair.networks, 3)
    check(made)
    assert resample(made, pair, TENSOR).draws == 2_610
