"""``check``: honest certificates of every version pass, forged and hostile ones are refused in one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from engine.single_image.certificate import Certificate, check, from_json, to_json
from tests import ROOT, toy
from tests.forge import anew, lifted, refused, with_swapped_names

pytestmark = pytest.mark.usefixtures("toy_dataset")
FOLDER = ROOT / "tests" / "certificates"
PHOTOGRAPHS = ROOT / "app" / "photographs"
STORED = {  # of later versions, each with what it alone can say
    "version5-margin.json": (
        "cat.jpg",
        "plan.{sigma, theta, n, n0, alpha, correction, mode, smoothing, t, bound, split}",
    ),
    "version6-chain.json": ("cat.jpg", "looks.then.{select, certify, p_select, p_certify"),
    "version6-votes.json": ("coffee.jpg", "smoothing, t, bound, split, p0}"),
    "version7-decided.json": ("cat.jpg", "smoothing, t, bound, split, first}"),
}
COMMITMENTS = {  # that name their noise for ever
    "version5-margin.json": "66bd42ca46b63497eb5784245004078149e7437bd6eaf2b2a712db8532388951",
    "version6-chain.json": "3cdbd405bd3bea4cf37de1c9deb4721f43e02bd3ad8094b07c19c74074c38635",
    "version6-votes.json": "36207320a003af6e01e43ae86acebeda224d46de009f4d4b00986a7f793a8b88",
    "version7-decided.json": "7787db0ab1894cb4ce7de993ec36576b3a422c0b515a65badfd14883dfc09a25",
}
VERSION_1 = {
    "version1-certified.json": None,
    "version1-core.json": "cat.jpg",
    "version1-coffee.json": "coffee.jpg",
    "version1-simultaneous.json": "photographer.jpg",
}


def image_of(name: str, shoe: Path) -> Path:
    which = VERSION_1[name]
    return shoe if which is None else PHOTOGRAPHS / which


@pytest.mark.parametrize("name", VERSION_1)
def test_honest_certificates_of_version_1_still_check(call, shoe, name):
    status, out, err = call("check", FOLDER / name, image_of(name, shoe))
    assert (status, err) == (0, "")
    assert "version 1: its noise does not depend on the plan" in out
    assert "networks.certify.{sha256, name, training, sigma_train}" in out
    assert "not verified: plan.{theta, n, n0, alpha, correction, mode}" in out


@pytest.mark.parametrize("name", STORED)
def test_honest_certificates_of_later_versions_still_check(call, name, forged):
    image, said = STORED[name]
    text = (FOLDER / name).read_text()
    status, out, err = call("check", FOLDER / name, PHOTOGRAPHS / image)
    assert (status, err) == (0, "")
    assert said in out
    made = from_json(text)
    assert to_json(made) == text  # byte for byte
    assert made.streams.commitment == COMMITMENTS[name]
    assert len(made.looks) > 1
    assert made.plan.split == "half-last"
    better = lifted(made)
    assert better.radius > made.radius
    forged.write_text(to_json(dataclasses.replace(better, segments=made.segments)))
    status, _, err = call("check", forged, PHOTOGRAPHS / image)
    assert (status, err.count("\n")) == (2, 1)


def test_an_honest_certificate_of_version_1_is_drawn_again(call, shoe):
    """It was made on a CPU with AVX512. Elsewhere votes may turn, and it names no machine: its claim may not follow."""
    name = "version1-core.json"
    status, out, err = call("check", FOLDER / name, image_of(name, shoe), "--resample", "--fraction", "1")
    assert (status, err) == (0, "")
    assert "2,100 draws again" in out


@pytest.fixture(params=["version 1", "version 2"])
def honest(request: pytest.FixtureRequest, call) -> tuple[Certificate, Path]:
    """A certificate of the demo's networks in which votes are missing in every block, and its image."""
    image = PHOTOGRAPHS / "coffee.jpg"
    if request.param == "version 1":
        return from_json((FOLDER / "version1-coffee.json").read_text()), image
    names = ("--certify", "cifar10-gaussian-0.25", "--core", "cifar10-core")
    arguments = ("--theta", "0.7", "--n", "6000", "--max-seconds", "1000", "--json", "--seed", "3")
    return from_json(call("certify", image, *names, *arguments)[1]), image


def test_the_honest_one_passes(call, honest, tmp_path):
    made, image = honest
    path = tmp_path / "honest.json"
    path.write_text(to_json(made) if made.version > 1 else without_new_entries(made))
    again = ("--resample", "--fraction", "1") if made.version > 1 else ()  # it may have been made on another machine
    assert call("check", path, image, *again)[0] == 0


def test_swapped_class_names_are_refused(call, honest, forged):
    made, image = honest
    err = refused(call, forged, with_swapped_names(made, 9, 3), image)
    assert "networks.classes: class 3 is called 'truck', and it is 'cat' in cifar10" in err
    swapped = with_swapped_names(made, 9, 3)
    own = anew(swapped, networks=dataclasses.replace(swapped.networks, dataset="own"))
    assert "networks.dataset is own" in refused(call, forged, own, image)


@pytest.mark.parametrize("fraction", ["0.1", "1"])
def test_votes_lifted_in_every_block_are_refused(call, honest, forged, fraction):
    made, image = honest
    better = lifted(made)
    assert better.radius > made.radius
    check(better)  # it agrees with itself
    assert "differ when drawn again" in refused(call, forged, better, image, "--resample", "--fraction", fraction)


def test_a_radius_that_is_up_by_the_last_digit_is_refused(call, honest, forged):
    made, image = honest
    err = refused(call, forged, dataclasses.replace(made, radius=made.radius + 1e-8), image)
    assert err.startswith("error: radius: the certificate says")


def test_a_plan_that_was_changed_after_the_fact_is_refused(call, honest, forged):
    made, image = honest
    other = anew(made, plan=dataclasses.replace(made.plan, alpha=0.01))
    assert other.radius > made.radius
    check(other)  # it agrees with itself
    if made.version > 1:
        assert "votes differ when drawn again" in refused(call, forged, other, image, "--resample")
        return
    forged.write_text(without_new_entries(other))
    status, out, _ = call("check", forged, image)
    assert status == 0  # which is why there is a version 2, and why this is said
    assert "nothing prevents that θ, n, α or the mode were chosen after looking" in out


def without_new_entries(certificate: Certificate) -> str:
    """As version 1 writes it."""
    data = json.loads(to_json(certificate))
    for place, names in ((data, ("promise", "challenge")), (data["plan"], ("sigma_select",)),
                         (data["networks"], ("select", "mechanism", "as_run"))):  # fmt: skip
        for name in names:
            del place[name]
    for part in data["segments"]:
        del part["network"]
    return json.dumps(data)


@pytest.mark.parametrize("shape", [[1, 28, 0], [0, 0, 0], [1, -1, 28], [1, 10**12, 10**12], [3, 25_000_000, 25_000_000],
                                   [1, 28], [1, 28, 28, 28], [2, 28, 28], [], "28", None, [1, 28, 28.5],
                                   [1, 28, 10**30]])  # fmt: skip
def test_an_impossible_shape_is_one_line(call, shoe, shape, forged):
    data = json.loads((FOLDER / "version1-certified.json").read_text())
    data["image"]["shape"] = shape
    refused(call, forged, json.dumps(data), shoe)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("networks", "classes"), [str(i) for i in range(10**6)], "or 500,000 strings"),
        (("networks", "classes"), [str(i) for i in range(10**5)], "the counts do not add up"),
        (("networks", "classes"), ["a\x1b[2J", "b"], "networks.classes.0: 'a\\x1b[2J' is not printable"),
        (("networks", "certify", "name"), "two\nlines", "networks.certify.name: 'two\\nlines' is not printable"),
        (("networks", "device"), "meta", "networks.device is none of"),
        (("radius"), float("nan"), "NaN"),
        (("segments", 1, "draws"), 10**18, "do not add up"),
        (("segments", 1, "class_counts"), [10**19] * 10, "do not add up"),
        (("segments",), 30_000 * [{}], "segments: 30,000 entries"),
        (("looks",), 10_000 * [{}], "looks.0.n"),
        (("seed",), 2**64, "seed: more than 64 bits"),
        (("created",), "yesterday", "created: no time"),
        (("note",), "checked by a notary", "note: there is no such entry"),
        (("plan", "note"), 1, "plan.note: there is no such entry"),
        (("promise",), "for ever", "promise: version 1 knows no such entry"),
        (("challenge",), "a beacon", "challenge: version 1 knows no such entry"),
        (("version",), 8, "of version 8; this engine reads 1 to 7"),
        (("version",), 3, "version: of this plan it is 2, and not 3"),
        (("version",), 2, "statement"),
        (("image", "tensor_sha256"), "zz", "a sha256 has 64 digits"),
    ],
)
def test_a_hostile_entry_is_one_line(call, shoe, path, value, said, forged):
    data = json.loads((FOLDER / "version1-certified.json").read_text())
    place = data
    path = (path,) if isinstance(path, str) else path
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    err = refused(call, forged, json.dumps(data), shoe)
    assert err.rstrip("\n").isprintable()
    assert said in err
    assert len(err) < 500


def test_a_name_in_a_certificate_is_never_a_path(call, shoe, tmp_path, monkeypatch):
    """Were it one, whoever writes a certificate would choose what its reader opens."""
    made = from_json((FOLDER / "version1-certified.json").read_text())
    weights = toy.checkpoint(tmp_path / "elsewhere.safetensors")
    for name in (str(weights), weights.name):
        info = dataclasses.replace(made.networks.certify, name=name)
        named = anew(made, networks=dataclasses.replace(made.networks, certify=info))
        path = tmp_path / "named.json"
        path.write_text(without_new_entries(named))
        monkeypatch.chdir(tmp_path)
        status, out, _ = call("check", path, shoe)
        assert status == 0
        assert "not verified: networks.certify.{name, sha256, training, sigma_train} (no checkpoint of that name" in out
        assert "name a checkpoint with --certify" in call("check", path, shoe, "--resample")[2]


def test_files_too_large_to_be_certificates_are_not_read(call, image, tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(1_000_000_000)
    status, _, err = call("check", path, image)
    assert status == 2
    assert "huge.json: more than 32 MB, which is not read" in err
    status, _, err = call("check", "/dev/zero", image)
    assert status == 2
    assert "/dev/zero: is no file" in err
