"""Every entry of a certificate is verified, or named as not verified: nothing that is written is merely believed."""

from __future__ import annotations

import copy
import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.records.meta import NetworkInfo
from engine.single_image.certificate import Certificate, CertificateError, Subject, from_json, issue, to_json
from engine.single_image.certificate_check import ENTRIES, Known, Report, examine
from engine.single_image.live import Pair, open_pair
from engine.single_image.picture import Framing, Picture, Pixels, read_picture, tensor_sha256, to_png, to_tensor
from engine.single_image.plan import LaterPlan, Plan
from engine.single_image.resample import Resampled, resample
from engine.single_image.system import LaterNetwork, PairSpec, Selector
from engine.statistics.looks import Split
from engine.statistics.margin import Bound
from tests import ROOT, toy

FRAMING = Framing(x=0.3, y=0.6, zoom=0.5, invert=True)
PLAN = Plan(sigma=2.0, theta=0.8, n=1_000, n0=60)


class Case(NamedTuple):
    """A certificate, and everything that its reader could have."""

    made: Certificate
    pair: Pair
    picture: Picture
    tensor: Pixels

    def networks(self) -> dict[str, Known]:
        return {
            part: Known(info, "toy", 2 if part == "select" else 3) for part, info in self.pair.networks.parts.items()
        }


@pytest.fixture(
    scope="module",
    params=["entropies", "a selection network", "uniform noise", "fewer votes", "margin", "votes", "chain"],
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("networks")
    selects = request.param == "a selection network"
    smoothing = "uniform" if request.param == "uniform noise" else "gaussian"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        certify = toy.checkpoint(folder / "noisy.safetensors")
        core = toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        select = Selector(toy.selector(folder / "chooser.safetensors")) if selects else None
        later = ()
        if request.param == "chain":
            behind = toy.checkpoint(folder / "behind.safetensors", seed=3)
            later = LaterNetwork(behind), LaterNetwork(certify)
        pair = open_pair(PairSpec(certify, core, select=select, then=later))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    picture = read_picture(to_png(pixels[None]))
    tensor = to_tensor(picture, FRAMING, (1, 8, 8))
    subject = Subject(picture.sha256, tensor_sha256(tensor), (1, 8, 8), FRAMING)
    t = 0.3 if request.param == "fewer votes" else 0.5
    plan = dataclasses.replace(PLAN, sigma_select=1.0 if selects else None, smoothing=smoothing, t=t)
    if request.param == "margin":
        plan = dataclasses.replace(plan, bound=Bound.MARGIN, split=Split.HALF_LAST, n=1_200)
    if request.param == "votes":
        plan = dataclasses.replace(plan, theta=None, p0=0.7)
    if request.param == "chain":
        plan = dataclasses.replace(plan, then=(LaterPlan(1.0, 0.9, t=0.4), LaterPlan(4.0, p0=0.6)))
    *_, evidence = toy.evidence_of(pair, tensor, plan, 0, "a beacon")
    return Case(issue(evidence, plan, subject, pair.networks, 0, challenge="a beacon"), pair, picture, tensor)


def test_it_is_a_case_in_which_other_noise_shows(case):
    """Were all votes alike, another seed would give the same counts, and a certificate just as true."""
    first = case.made.segments[0]
    assert max(first.select_counts or (1,)) < first.draws


def leaves(kind: Any, where: str = "") -> Iterator[str]:
    """The entries of a record, those of the records inside it by their place."""
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield from leaves(hints[field.name], f"{where}.{field.name}" if where else field.name)
        return
    inside = [part for part in typing.get_args(kind) if part not in (type(None), Ellipsis)]
    records = [part for part in inside if dataclasses.is_dataclass(part)]
    if typing.get_origin(kind) in (tuple, types.UnionType, typing.Union) and records:
        yield from leaves(records[0], where)
    else:
        yield where


def test_no_entry_is_forgotten():
    assert set(leaves(Certificate)) == set(ENTRIES)


def written(value: Any, where: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a JSON file with its path."""
    if isinstance(value, dict | list):
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from written(part, (*where, name))
    elif value is not None:
        yield where, value


def entry_of(path: tuple[str | int, ...]) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def changed(value: Any) -> list[Any]:
    """Other values of the same type: one that is near, and one that is not."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value * 3 + 7]
    if isinstance(value, float):
        return [value + 1e-8, value / 2 + 0.111]
    hexadecimal = len(value) == 64
    return [value[:-1] + ("0" if value[-1] != "0" else "1")] if hexadecimal else [value + "x", "other"]


def with_value(data: Any, path: tuple[str | int, ...], value: Any) -> str:
    data = copy.deepcopy(data)
    place = data
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return json.dumps(data)


def mutations(made: Certificate) -> Iterator[tuple[str, str]]:
    """Entries with the files in which they were edited; a crop so near that it gives the tensor is no other crop."""
    data = json.loads(to_json(made))
    for path, value in written(data):
        entry = entry_of(path)
        others = changed(value)[1:] if entry.startswith("image.framing.") and value is not True else changed(value)
        for other in others:
            yield entry, with_value(data, path, other)


def report(case: Case, text: str, again: bool) -> Report:
    read = from_json(text)
    seen = partial(examine, read, case.tensor, picture=case.picture, card=toy.CARD, networks=case.networks())
    return seen(resampled=resample(read, case.pair, case.tensor, 1.0) if again and seen() else None)


@pytest.mark.parametrize("again", [False, True], ids=["from its counts", "drawn again"])
def test_whatever_is_edited_is_refused_or_named_as_not_verified(case, again):
    believed = []
    for entry, text in mutations(case.made):
        try:
            if entry not in report(case, text, again).unverified:
                believed.append(entry)
        except AcesError:
            continue
    assert not believed


def test_an_honest_certificate_says_how_each_entry_was_verified(case):
    before = report(case, to_json(case.made), again=False)
    assert not before.verified.keys() & before.unverified.keys()
    assert {"seed", "plan.sigma", "segments.class_counts", "networks.precision"} <= before.unverified.keys()
    after = report(case, to_json(case.made), again=True)
    assert set(after.unverified) == {"created", "engine_version"}
    held = {entry_of(path) for path, _ in written(json.loads(to_json(case.made)))}
    assert held == after.verified.keys() | after.unverified.keys()


def test_the_tensor_alone_tells_neither_the_file_nor_its_crop(case):
    alone = read_picture(to_png(case.tensor))
    found = examine(case.made, case.tensor, picture=alone, card=toy.CARD, networks=case.networks())
    assert {"image.file_sha256", "image.framing.zoom", "image.framing.invert"} <= found.unverified.keys()


def test_what_is_not_known_here_is_said(case):
    found = examine(case.made, case.tensor, networks={"certify": "its checkpoint cannot be read"})
    assert {"networks.dataset", "networks.classes", "networks.core.sha256"} <= found.unverified.keys()
    assert found.unverified["networks.certify.training"] == "its checkpoint cannot be read"
    lines = "\n".join(found.lines())
    assert "not verified: networks.{dataset, classes} (no dataset of that name is known here)" in lines
    assert "networks.core.{name, sha256, training, sigma_train} (no checkpoint of that name" in lines


def test_a_part_drawn_again_verifies_no_votes_but_those(case):
    some = Resampled(draws=60, recorded=1_060, turned=0, same_machine=False)
    found = examine(case.made, case.tensor, resampled=some)
    assert "60 of 1,060 draws" in found.unverified["segments.class_counts"]
    assert "another kind" in found.unverified["networks.as_run.hardware"]
    assert "seed" in found.verified


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (Known(NetworkInfo("noisy", "0" * 64), "toy", 3), "has other weights"),
        (Known(NetworkInfo("another"), "toy", 3), "networks.certify.name is noisy; the checkpoint says another"),
        (Known(NetworkInfo(training="macer"), "toy", 3), "training is gaussian; the checkpoint says macer"),
        (Known(NetworkInfo(sigma_train=0.5), "toy", 3), "sigma_train is 0.25; the checkpoint says 0.5"),
        (Known(NetworkInfo(), "cifar10", 3), "networks.dataset is toy; .* is for cifar10"),
        (Known(NetworkInfo(), "toy", 2), "has 2 outputs"),
    ],
)
def test_a_checkpoint_that_says_otherwise_is_a_contradiction(case, known, said):
    if known.info.sha256 is None:
        info = dataclasses.replace(known.info, sha256=case.made.networks.certify.sha256)
        known = dataclasses.replace(known, info=info)
    with pytest.raises(CertificateError, match=said):
        examine(case.made, case.tensor, networks={"certify": known})


def test_a_network_that_says_nothing_but_its_weights_verifies_nothing_but_them(case):
    silent = Known(NetworkInfo(sha256=case.made.networks.core.sha256), None, None)
    found = examine(case.made, case.tensor, networks={"core": silent})
    assert found.verified["networks.core.sha256"] == "the checkpoint's"
    assert found.unverified["networks.core.training"] == "the checkpoint does not say"


@pytest.mark.parametrize(("asked", "fine"), [(None, True), ("a beacon", True), ("another", False), ("", False)])
def test_a_challenge_must_be_the_one_that_was_asked_for(case, asked, fine):
    if fine:
        examine(case.made, case.tensor, challenge=asked)
        return
    with pytest.raises(CertificateError, match=r"challenge: .* is asked for, and the certificate records 'a beacon'"):
        examine(case.made, case.tensor, challenge=asked)


def test_version_1_ties_the_plan_to_nothing():
    folder = ROOT / "tests" / "certificates"
    read = from_json((folder / "version1-certified.json").read_text())
    with np.load(ROOT / "cache" / "demo" / "fashion_mnist_images.npz") as file:
        tensor = file["images"][3]
    everything = Resampled(draws=6_100, recorded=6_100, turned=0, same_machine=None)
    found = examine(read, tensor, resampled=everything)
    assert {"plan.theta", "plan.n", "plan.alpha", "plan.mode"} <= found.unverified.keys()
    assert {"seed", "plan.sigma", "segments.class_counts"} <= found.verified.keys()
    assert not {"promise", "challenge", "networks.mechanism"} & (found.verified.keys() | found.unverified.keys())
