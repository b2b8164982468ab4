from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.single_image.certificate import from_json, issue, to_json
from engine.single_image.picture import tensor_sha256
from engine.single_image.plan import Plan
from engine.single_image.resample import resample
from tests import toy
from tests.engine.single_image import issued_toy
from tests.engine.single_image.toy_case import PLAN, SUBJECT, TENSOR, scores


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


GOLDEN = "7b985a71d734b38d2486b5be9113899bd17ae9754e6beda27ebd637f22a81c2b"


def test_the_streams_of_a_certificate_have_a_name_for_ever():
    """Certificates in the world are drawn again by it: whoever changes what it is made of makes a new version."""
    streams = issued_toy.made(dataclasses.replace(issued_toy.PLAN, theta=0)).streams
    assert streams.of("select") == f"select|{streams.commitment}"
    assert streams.commitment == GOLDEN


def test_streams_are_named_by_the_tensor_and_never_by_a_data_set_index():
    other = dataclasses.replace(SUBJECT, tensor_sha256=tensor_sha256(TENSOR + 1))
    assert SUBJECT.index < 0
    assert SUBJECT.index != other.index
