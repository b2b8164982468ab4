"""One image certified by a pair of networks, and its certificate drawn again."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from cache.catalog import DEMO
from engine.datasets import Transform
from engine.errors import AcesError
from engine.models import load
from engine.records.draws import Draws
from engine.sampling.inference import intra_op_threads
from engine.sampling.stream import Stage, chunk_generator
from engine.single_image import live
from engine.single_image.case import Case
from engine.single_image.certificate import check, from_json, issue, to_json
from engine.single_image.evidence import Evidence
from engine.single_image.live import open_pair
from engine.single_image.plan import LaterPlan, Mode, Plan, fresh_seed
from engine.single_image.resample import resample
from engine.single_image.subject import Streams
from engine.single_image.system import LaterNetwork, PairSpec, Selector
from tests import ROOT, toy
from tests.engine.single_image.toy_case import PLAN, SUBJECT, TENSOR, THREE_STAGES, TWO, scores


def test_the_evidence_grows_piece_by_piece_to_n(pair, issued):
    sizes = [len(evidence.estimate) for evidence in toy.evidence_of(pair, TENSOR, PLAN, 11)]
    assert sizes == [1_000, 2_000, 3_000, 4_000, 5_000, 5_100]
    check(issued, TENSOR)


def test_what_is_said_of_an_image_is_read_without_torch(pair):
    """The dashboard hears it, for which half a gigabyte would be much."""
    replies = pickle.dumps([*pair.answer(Case.fixed(TENSOR, SUBJECT, dataclasses.replace(PLAN, n=60)))])
    code = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer)) > 1, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, input=replies, check=True)
    assert done.stdout == b"True False\n"


def test_guess_and_estimate_share_no_draw(pair):
    parts = {part.stage: part.draws.scores for part in pair.draw(TENSOR, dataclasses.replace(PLAN, n=60), 11)}
    assert not np.isin(parts[Stage.GUESS], parts[Stage.ESTIMATE]).any()


def test_an_upload_shares_no_stream_with_a_data_set_image(pair):
    own, dataset = Streams(0, SUBJECT.index), Streams(0, -SUBJECT.index)
    assert not np.array_equal(scores(pair, own), scores(pair, dataset))


def test_an_image_of_another_shape_is_refused(pair):
    with pytest.raises(AcesError, match="networks read"):
        pair.core_answer(np.zeros((3, 8, 8), np.uint8))


def test_the_core_network_says_the_same_of_an_image_alone_and_beside_others_in_threads(pair):
    images = [pair.pixels(image) for image in toy.images("test").images[:7]]
    with intra_op_threads(1):
        alone = [pair.core_logits([image])[0] for image in images]
    with intra_op_threads(3):
        beside = pair.core_logits(images)
    assert all(torch.equal(a, b) for a, b in zip(alone, beside, strict=True))


def test_seeds_are_not_to_be_guessed():
    seeds = {fresh_seed() for _ in range(100)}
    assert len(seeds) == 100
    assert max(seeds) < 2**53


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


@pytest.mark.parametrize(("side", "fits"), [(toy.CARD.shape[1], True), (toy.CARD.shape[1] + 1, False)])
def test_a_network_with_a_size_of_its_own_is_taken_where_that_is_the_datasets(
    tmp_path, toy_dataset, monkeypatch, side, fits
):
    def seen_at(path, hints):
        return dataclasses.replace(load(path, hints), transform=Transform(crop=side, resize=2 * side))

    monkeypatch.setattr(live, "load", seen_at)
    spec = PairSpec(toy.checkpoint(tmp_path / "noisy.safetensors"), toy.checkpoint(tmp_path / "plain.safetensors"))
    if fits:
        assert open_pair(spec).dataset.shape == toy.CARD.shape
    else:
        with pytest.raises(AcesError, match=r"noisy.safetensors sees pictures at a size of its own"):
            open_pair(spec)


def test_a_certificate_of_a_chain_checks_and_draws_again(chain, issued_by_chain):
    made = from_json(to_json(issued_by_chain))
    check(made, TENSOR)
    again = resample(made, chain, TENSOR, 1.0)
    assert (again.draws, again.turned) == (3 * (60 + 2_100), 0)
    assert {part.network for part in made.segments} == {"certify", "then", "then-2"}
    assert [info.name for info in made.networks.then] == ["behind", "noisy"]


def test_all_networks_of_a_chain_are_looked_at_at_equal_draws(chain):
    for evidence in toy.evidence_of(chain, TENSOR, THREE_STAGES, 11):
        assert {len(evidence.estimate), *(len(pool.estimate) for pool in evidence.then)} == {evidence.drawn}


def test_one_network_at_two_noises_shares_no_draw(chain, issued_by_chain):
    """Else its two stages would see one another's noise."""
    pixels, streams = chain.pixels(TENSOR), issued_by_chain.streams
    at_one = dataclasses.replace(THREE_STAGES, then=(LaterPlan(2.0, 0.9), LaterPlan(2.0, p0=0.6)))
    drawn = [
        chain.block(role, pixels, at_one, streams, Stage.ESTIMATE, 0, 250).scores for role in ("certify", "then-2")
    ]
    assert not np.isin(*drawn).any()


def test_a_network_that_stands_twice_at_one_noise_is_refused_before_a_draw(chain):
    twice = dataclasses.replace(THREE_STAGES, then=(LaterPlan(1.0, 0.9), LaterPlan(2.0, p0=0.6)))
    with pytest.raises(AcesError, match="'noisy' stands twice in the chain at σ 2:"):
        next(chain.draw(TENSOR, twice, 11))


@pytest.mark.parametrize("plan", [PLAN, dataclasses.replace(THREE_STAGES, then=THREE_STAGES.then[:1])])
def test_plan_and_networks_must_agree_on_later_stages(chain, plan):
    with pytest.raises(AcesError, match="later stages, and 2 networks for them"):
        next(chain.draw(TENSOR, plan, 11))


def test_networks_of_a_chain_are_of_one_dataset(tmp_path, toy_dataset):
    certify = toy.checkpoint(tmp_path / "noisy.safetensors")
    core = toy.checkpoint(tmp_path / "plain.safetensors")
    with pytest.raises(AcesError, match="choose networks of one dataset"):
        open_pair(PairSpec(certify, core, then=(LaterNetwork(DEMO / "fashion_mnist-gaussian-0.25.safetensors"),)))
    with pytest.raises(AcesError, match="other weights"):
        open_pair(PairSpec(certify, core, then=(LaterNetwork(certify, "0" * 64),)))
    with pytest.raises(AcesError, match="outputs"):
        open_pair(PairSpec(certify, core, then=(LaterNetwork(toy.selector(tmp_path / "chooser.safetensors")),)))
