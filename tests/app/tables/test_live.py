"""The packs as files; what the browser makes of them is in tests/browser/test_model.py."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from app.settings import Terms
from app.tables import live
from engine.mechanisms import OWN, words_for
from engine.records.compose import LaterStage
from engine.statistics.aces import certify
from engine.statistics.bounds import lower_bounds
from engine.statistics.corrections import Correction
from engine.statistics.explain import explain, floor
from engine.statistics.margin import Bound
from engine.statistics.metrics import standalone
from tests import random_runs

C = random_runs.composed(3)
TERMS = Terms(0.01, Correction("intersection-union"), 0.5, Bound.MARGIN)


def unpack(data: bytes) -> dict[str, np.ndarray | float]:
    """As model.js reads it."""
    head, _, body = (whole := zlib.decompress(data)).partition(b"\n")
    assert (len(whole) - len(body)) % 8 == 0
    said = json.loads(head)
    arrays = {
        name: np.frombuffer(body, np.dtype(place["type"]).newbyteorder("<"), place["length"], place["at"])
        for name, place in said["arrays"].items()
    }
    assert all(place["at"] % 8 == 0 for place in said["arrays"].values())
    return arrays | said["numbers"]


@pytest.mark.parametrize("kind", ["float64", "uint8", "uint16", "uint32", "int32"])
@pytest.mark.parametrize("length", [0, 1, 7, 8, 1001])
def test_a_pack_gives_back_what_it_was_made_of(kind, length):
    arrays = {"first": np.arange(3, dtype=np.uint8), "second": np.arange(length).astype(kind)}
    found = unpack(live.pack(arrays, {"n": 5, "sigma": 0.25}))
    assert found["first"].tolist() == [0, 1, 2]
    assert found["second"].dtype == kind
    assert found["second"].tolist() == arrays["second"].tolist()
    assert (found["n"], found["sigma"]) == (5, 0.25)


def test_votes_add_up_along_the_thresholds():
    found = unpack(live.of_counts(C))
    shape = C.select_counts.shape
    assert np.array_equal(found["votes"].reshape(shape).cumsum(1), C.select_counts)
    assert np.array_equal(found["votes0"].reshape(shape).cumsum(1), C.select_counts0)
    assert (found["n0"], found["n"], found["sigma"]) == (C.n0_select, C.n_select, C.sigma_select)


def test_more_draws_than_two_bytes_hold():
    many = replace(C, select_counts=C.select_counts.astype(np.int64) * 1000, n_select=C.n_select * 1000)
    found = unpack(live.of_counts(many))
    assert np.array_equal(found["votes"].reshape(many.select_counts.shape).cumsum(1), many.select_counts)


def test_the_classes_have_the_radii_of_certify_and_of_the_network_alone():
    found = unpack(live.of_classes(C, TERMS))
    answer = certify(C, C.thetas, **TERMS.named)
    certifies = answer.radius_select > 0
    assert certifies.any()
    where = np.broadcast_to(found["radius"][:, None], certifies.shape)
    assert np.array_equal(where[certifies], answer.radius_certify[certifies])
    run = random_runs.smoothed(3)
    assert found["alone"].tolist() == standalone(run, TERMS.alpha, bound=TERMS.bound).radius.tolist()


@pytest.mark.parametrize("bound", list(Bound))
def test_the_bounds_of_the_classes_are_those_that_are_explained(bound):
    terms = Terms(TERMS.alpha, TERMS.correction, TERMS.t, bound)
    found, answer = unpack(live.of_classes(C, terms)), certify(C, C.thetas, **terms.named)
    seen = set()
    for row in range(len(C)):
        for column in (0, len(C.thetas) - 1):
            by = float(C.thetas[column]), terms.alpha, terms.correction, words_for(OWN.name), terms.t
            e = explain(C, int(C.index[row]), *by, bound=bound)
            side = "" if e.chose_certify else "_core"
            seen.add(side)
            assert f"{found['p' + side][row] / 1e5:.5f}" == floor(e.certify.p)
            assert found["radius" + side][row] == answer.radius_certify[row, column]
    assert seen == {"", "_core"}


def test_the_worth_of_votes_is_the_engines():
    link = C.smoothing_select.link
    found = unpack(live.of_votes(C.n_select, link, 0.01, TERMS.correction))
    bounds = lower_bounds(C.n_select, 0.01).table()
    assert found["z"].tolist() == link(bounds).tolist()
    assert [f"{p / 1e5:.5f}" for p in found["p"].tolist()] == [floor(p) for p in bounds.tolist()]
    for share, fewest in zip(live.SHARES, found["select"], strict=True):
        assert (bounds[fewest:] > share).all()
        assert not (bounds[:fewest] > share).any()


def test_what_the_browser_cannot_follow_is_said():
    assert live.can_be_live(C)
    chain = replace(C, then=(LaterStage(random_runs.composed(4), 0.5),))
    unlike = (replace(C, from_log=True), replace(C, from_log_select=True), replace(C, by_votes=True), chain)
    assert not any(map(live.can_be_live, unlike))
