"""``certify``: images in, certificates out, which check."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest

from engine.single_image.certificate import check, from_json, to_json
from engine.single_image.picture import read_picture, to_png, to_tensor
from tests import toy
from tests.bad_pictures import BAD
from tests.forge import refused

pytestmark = pytest.mark.usefixtures("toy_dataset")
QUICK = ("--sigma", "2.0", "--theta", "0.8", "--n", "600", "--n0", "50")


@pytest.fixture
def networks(tmp_path: Path) -> tuple[str, ...]:
    toy.checkpoint(tmp_path / "noisy.safetensors")
    toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    return ("--certify", str(tmp_path / "noisy.safetensors"), "--core", str(tmp_path / "plain.safetensors"))


def test_one_image_gives_one_certificate_that_checks(call, networks, image, tmp_path):
    status, out, _ = call("certify", image, *networks, *QUICK, "--json")
    assert status == 0
    certificate = from_json(out)
    tensor = to_tensor(read_picture(image.read_bytes()), certificate.image.framing, certificate.image.shape)
    check(certificate, tensor)
    assert (certificate.plan.n, certificate.plan.n0, certificate.plan.mode) == (600, 50, "fixed-n")
    path = tmp_path / "certificate.json"
    path.write_text(out)
    status, out, err = call("check", path, image, *networks, "--resample", "--fraction", "1")
    assert (status, err) == (0, "")
    assert "650 draws again, no votes otherwise" in out


@pytest.mark.parametrize(
    ("asked", "version", "bound"),
    [
        ((), 5, "margin"),
        (("--bound", "complement"), 2, None),
        (("--correction", "bonferroni"), 2, None),
        (("--correction", "bonferroni", "--bound", "margin"), 5, "margin"),
    ],
)
def test_the_margin_is_the_default_but_beside_the_papers_correction(
    call, networks, image, tmp_path, asked, version, bound
):
    status, out, _ = call("certify", image, *networks, *QUICK, *asked, "--json")
    assert status == 0
    made = json.loads(out)
    assert (made["version"], made["plan"].get("bound")) == (version, bound)
    path = tmp_path / "certificate.json"
    path.write_text(out)
    status, out, err = call("check", path, image, *networks, "--resample", "--fraction", "1")
    assert (status, err) == (0, "")
    assert "650 draws again, no votes otherwise" in out


def test_what_may_stop_early_keeps_half_of_alpha_for_its_last_look(call, networks, image):
    stop = ("--n", "2100", "--max-seconds", "600")
    status, out, _ = call("certify", image, *networks, *QUICK, *stop, "--json")
    assert status == 0
    assert json.loads(out)["plan"]["split"] == "half-last"


def test_by_fewer_votes_the_certificate_says_so_and_is_drawn_again(call, networks, image, tmp_path):
    status, out, _ = call("certify", image, *networks, *QUICK, "--votes", "0.2", "--bound", "complement", "--json")
    assert status == 0
    made = json.loads(out)
    assert (made["version"], made["plan"]["t"]) == (4, 0.2)
    path = tmp_path / "certificate.json"
    path.write_text(out)
    again = ("--resample", "--fraction", "1")
    status, out, err = call("check", path, image, *networks, *again)
    assert (status, err) == (0, "")
    assert "650 draws again, no votes otherwise" in out
    made["plan"]["t"] = 0.3
    path.write_text(json.dumps(made))
    assert call("check", path, image, *networks, *again)[0] == 2


@pytest.mark.parametrize("votes", ["0", "1", "2", "nan", "0.00001"])
def test_a_share_of_the_votes_that_cannot_be_is_one_line(call, networks, image, votes):
    status, out, err = call("certify", image, *networks, *QUICK, "--votes", votes)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "t is " in err


def test_without_json_it_says_the_answer_in_a_sentence(call, networks, image):
    status, out, _ = call("certify", image, *networks, *QUICK)
    assert status == 0
    assert out.startswith(f"{image}: ")
    assert out.count("\n") == 1


def test_the_seed_is_fresh_unless_it_is_given(call, networks, image):
    fresh = {json.loads(call("certify", image, *networks, *QUICK, "--json")[1])["seed"] for _ in range(2)}
    given = [json.loads(call("certify", image, *networks, *QUICK, "--seed", "5", "--json")[1]) for _ in range(2)]
    assert len(fresh) == 2
    assert given[0]["segments"] == given[1]["segments"]


def test_a_folder_gives_a_certificate_a_file_and_names_what_is_no_image(call, networks, image, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.png", "deeper/b.png"):
        (folder / name).write_bytes(image.read_bytes())
    (folder / "broken.png").write_bytes(BAD["truncated.png"][0])
    (folder / "notes.txt").write_text("not an image")
    status, out, err = call("certify", folder, *networks, *QUICK, "--json", "-o", tmp_path / "out")
    assert status == 2
    assert "broken.png: the image is damaged" in err
    assert len(json.loads(out)) == 2
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.json"))
    assert found == ["a.png.json", "deeper/b.png.json"]


def test_it_ends_at_the_radius_with_bounds_valid_at_every_look(call, networks, image):
    arguments = ("--sigma", "0.25", "--theta", "1", "--n", "20000", "--n0", "50", "--seed", "1", "--json")
    status, out, _ = call("certify", image, *networks, *arguments, "--until-radius", "0.3")
    certificate = from_json(out)
    assert status == 0
    assert certificate.plan.mode == "may-stop-early"
    assert certificate.radius >= 0.3
    drawn = sum(part.draws for part in certificate.segments) - 50
    assert drawn == certificate.looks[-1].n < 1_000
    assert certificate.version == 7
    check(certificate)


def test_it_ends_as_soon_as_there_is_an_answer(call, networks, image):
    arguments = ("--sigma", "0.25", "--n", "20000", "--n0", "50", "--seed", "1", "--outcome", "--json")
    for theta in ("0", "1"):
        status, out, _ = call("certify", image, *networks, *arguments, "--theta", theta)
        certificate = from_json(out)
        assert status == 0
        assert certificate.plan.mode == "may-stop-early"
        assert certificate.outcome != "abstain"
        assert certificate.looks[-1].n < 1_000
        check(certificate)


def test_it_gives_up_where_nothing_is_to_be_hoped_for_and_says_after_how_many_draws(call, networks, image):
    arguments = ("--sigma", "0.25", "--theta", "0", "--n", "20000", "--n0", "50", "--seed", "1")
    status, out, _ = call("certify", image, *networks, *arguments, "--until-radius", "0.3")
    assert status == 0
    assert "Radius 0.3 is not certified after 20 of at most 20,000 draws: given up" in out
    status, out, _ = call("certify", image, *networks, *arguments[:2], "--theta", "1", "--until-radius", "0.3")
    assert re.search(r"Radius 0.3 is certified after \d+ of at most 10,000 draws. Certified ", out)


@pytest.mark.parametrize("radius", ["0", "-1", "nan", "inf"])
def test_a_radius_that_is_none_is_refused(call, networks, image, radius):
    status, _, err = call("certify", image, *networks, "--until-radius", radius)
    assert status == 2
    assert err.startswith("error: the radius is ")
    assert err.count("\n") == 1


def test_two_questions_are_one_too_many(call, networks, image):
    status, _, err = call("certify", image, *networks, "--until-radius", "0.3", "--outcome")
    assert status == 2
    assert "ask two questions" in err


def test_it_ends_in_time_with_what_was_drawn(call, networks, image):
    status, out, _ = call("certify", image, *networks, "--sigma", "0.25", "--n", "1000000", "--max-seconds", "0",
                          "--json")  # fmt: skip
    assert status == 0
    assert from_json(out).looks[-1].n == 1_000


def test_the_crop_is_part_of_the_certificate(call, networks, image, tmp_path):
    out = call("certify", image, *networks, *QUICK, "--crop", "0,1,0.5", "--invert", "--json")[1]
    path, tensor = tmp_path / "certificate.json", tmp_path / "tensor.png"
    path.write_text(out)
    certificate = from_json(out)
    framing = certificate.image.framing
    assert (framing.x, framing.y, framing.zoom, framing.invert) == (0.0, 1.0, 0.5, True)
    assert call("check", path, image)[0] == 0
    tensor.write_bytes(to_png(to_tensor(read_picture(image.read_bytes()), framing, certificate.image.shape)))
    status, out, _ = call("check", path, tensor)
    assert status == 0
    assert "though the file is another" in out


def test_a_tampered_certificate_and_another_image_fail(call, networks, image, tmp_path):
    path, other = tmp_path / "certificate.json", tmp_path / "other.png"
    other.write_bytes(to_png(toy.images("test").images[1]))
    path.write_text(call("certify", image, *networks, *QUICK, "--json")[1])
    status, _, err = call("check", path, other)
    assert status == 2
    assert "another image" in err
    path.write_text(path.read_text().replace('"radius": ', '"radius": 1'))
    status, _, err = call("check", path, image)
    assert status == 2
    assert "radius" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent.png",), "absent.png: cannot be read"),
        (("image.png", "--crop", "1"), "x,y,zoom"),
        (("image.png", "--crop", "a,b,c"), "'a' is not a number"),
        (("image.png", "--theta", "2"), "theta is 2"),
        (("image.png", "--n", "0"), "n is 0"),
        (("image.png", "--sigma", "-1"), "sigma is -1"),
        (("image.png", "--precision", "float8"), "float8"),
        (("image.png", "--device", "cuda:77"), "cuda:77"),
        (("image.png", "--certify", "nobody"), "no smoothed run matches 'nobody'"),
        (("image.png", "--certify", "gone.safetensors"), "no checkpoint at gone.safetensors"),
    ],
)
def test_what_the_user_can_mend_is_one_line(call, networks, image, arguments, message, monkeypatch):
    monkeypatch.chdir(image.parent)
    status, out, err = call("certify", *networks, *arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_run_names_its_network_and_missing_weights_are_said(call, tmp_path, image, monkeypatch):
    from cache.store import Store

    with Store(tmp_path / "store") as store:
        store.put(toy.smoothed_run())
        store.put(toy.core_run())
    names = ("--certify", "toy-noisy", "--core", "toy-core", "--cache", tmp_path / "store")
    status, _, err = call("certify", image, *names)
    assert status == 2
    assert "weights of 'toy-noisy' are missing" in err
    monkeypatch.setenv("ACES_MODELS", str(tmp_path))
    toy.checkpoint(tmp_path / "toy-noisy.safetensors")
    toy.checkpoint(tmp_path / "toy-core.safetensors")
    status, _, err = call("certify", image, *names)
    assert status == 2
    assert "other weights" in err  # the toy runs name made-up weights


# --- a selection network, and a challenge --------------------------------------------------------------------------


def test_a_selection_network_has_noise_and_draws_of_its_own(call, networks, image, tmp_path):
    select = ("--select", str(toy.selector(tmp_path / "chooser.safetensors")))
    status, out, err = call("certify", image, *networks, *select, *QUICK, "--json")
    assert status == 0
    made = from_json(out)
    assert (made.plan.sigma, made.plan.sigma_select) == (2.0, 0.25)  # by default what it was trained with
    assert made.networks.select.name == "chooser"
    path = tmp_path / "certificate.json"
    path.write_text(out)
    status, out, err = call("check", path, image, *networks, *select, "--resample", "--fraction", "1")
    assert (status, err) == (0, "")
    assert "1,300 draws again, no votes otherwise" in out
    assert "networks.select.{sha256, name, training, sigma_train}" in out
    out = call("certify", image, *networks, *select, *QUICK, "--sigma-select", "0.7", "--json")[1]
    assert from_json(out).plan.sigma_select == 0.7


def test_noise_of_a_selection_network_without_one_is_refused(call, networks, image):
    status, _, err = call("certify", image, *networks, *QUICK, "--sigma-select", "0.7")
    assert status == 2
    assert "name both, or none" in err


def test_a_selection_run_brings_network_and_noise(call, shoe, tmp_path):
    names = ("--certify", "fashion_mnist-gaussian-0.5", "--core", "fashion_mnist-core")
    select = ("--select", "fashion_mnist-gaussian-0.25-selection-0.5")
    status, out, _ = call("certify", shoe, *names, *select, "--theta", "0.5", "--n", "600", "--json")
    assert status == 0
    made = from_json(out)
    assert (made.plan.sigma, made.plan.sigma_select, made.outcome) == (0.5, 0.25, "certified")
    assert made.radius < 0.25 * 3
    path = tmp_path / "certificate.json"
    path.write_text(out)
    status, out, _ = call("check", path, shoe, "--resample")
    assert status == 0
    assert "no votes otherwise" in out


def test_a_challenge_is_recorded_mixed_in_and_asked_for(call, networks, image, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(call("certify", image, *networks, *QUICK, "--challenge", "7f3a", "--json")[1])
    plain = from_json(call("certify", image, *networks, *QUICK, "--seed", "1", "--json")[1])
    made = from_json(path.read_text())
    assert (made.challenge, made.seed) == ("7f3a", 0)  # a seed of its own could be tried until it pleases
    assert made.segments != plain.segments  # other noise
    status, out, _ = call("check", path, image, *networks, "--challenge", "7f3a", "--resample")
    assert status == 0
    assert "challenge: '7f3a' names the noise" in out
    assert "--resample tells whether it names" in call("check", path, image)[1]
    status, _, err = call("check", path, image, "--challenge", "7f3b")
    assert (status, err.count("\n")) == (2, 1)
    assert "'7f3b' is asked for, and the certificate records '7f3a'" in err
    path.write_text(to_json(plain))
    assert "records none" in call("check", path, image, "--challenge", "7f3a")[2]
    assert "nothing shows that its issuer did not try several seeds" in call("check", path, image)[1]


def test_a_seed_beside_a_challenge_is_refused(call, networks, image, forged):
    status, _, err = call("certify", image, *networks, *QUICK, "--challenge", "7f3a", "--seed", "5")
    assert status == 2
    assert "a challenge names the noise" in err
    made = from_json(call("certify", image, *networks, *QUICK, "--challenge", "7f3a", "--json")[1])
    assert "seed: beside a challenge" in refused(call, forged, dataclasses.replace(made, seed=5), image)


@pytest.mark.parametrize("challenge", ["", "a\nb", "\x1b[2J", 2_000 * "x"])
def test_a_challenge_that_cannot_be_read_back_is_refused(call, networks, image, challenge):
    status, _, err = call("certify", image, *networks, *QUICK, "--challenge", challenge)
    assert status == 2
    assert "a challenge: 1 to 1,000 printable letters" in err


# --- votes that select, and chains -----------------------------------------------------------------------------------

AGAIN = ("--resample", "--fraction", "1")


@pytest.fixture
def behind(tmp_path: Path) -> str:
    return str(toy.checkpoint(tmp_path / "behind.safetensors", sigma=1.0, seed=3))


def test_by_the_votes_for_the_class_a_picture_is_certified_and_drawn_again(call, networks, image, tmp_path):
    status, out, _ = call("certify", image, *networks, "--sigma", "2.0", "--p0", "0.7", "--n", "600", "--json")
    assert status == 0
    made, path = json.loads(out), tmp_path / "certificate.json"
    assert (made["version"], made["plan"]["p0"], made["plan"]["theta"]) == (6, 0.7, None)
    path.write_text(out)
    status, out, err = call("check", path, image, *networks, *AGAIN)
    assert (status, err) == (0, "")
    assert "700 draws again, no votes otherwise" in out
    made["plan"]["p0"] = 0.71
    path.write_text(json.dumps(made))
    assert call("check", path, image, *networks, *AGAIN)[0] == 2


def test_a_chain_certifies_and_is_drawn_again(call, networks, behind, image, tmp_path):
    noisy = networks[1]
    then = ("--then", f"{behind},0.9,0.4", "--then", f"{noisy},p0=0.6")
    status, out, _ = call("certify", image, *networks, *QUICK, *then, "--json")
    assert status == 0
    made, path = from_json(out), tmp_path / "certificate.json"
    stages = [(stage.sigma, stage.theta, stage.t, stage.p0) for stage in made.plan.then]
    assert stages == [(1.0, 0.9, 0.4, None), (0.25, None, 0.5, 0.6)]  # under the noise that each was trained with
    assert [info.name for info in made.networks.then] == ["behind", "noisy"]
    path.write_text(out)
    named = ("--then", behind, "--then", noisy)
    status, out, err = call("check", path, image, *networks, *named, *AGAIN)
    assert (status, err) == (0, "")
    assert "1,950 draws again, no votes otherwise" in out
    assert "networks.then.{sha256, name, training, sigma_train}" in out
    status, out, _ = call("check", path, image, *networks)
    assert "networks.then.{name, sha256, training, sigma_train} (no checkpoint of that name was found here" in out
    assert "name it with --then" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--then", "BEHIND"), "1 networks are named with --then; the certificate has 2 later stages"),
        (("--then", "NOISY", "--then", "BEHIND"), "networks.then.sha256: the checkpoint 'noisy' found here has other"),
        (("--resample",), "its then network is needed: name a checkpoint with --then"),
        (("--then", "gone.safetensors", "--then", "NOISY"), "no checkpoint at gone.safetensors"),
    ],
)
def test_networks_of_a_chain_that_are_not_its_own_are_one_line(call, networks, behind, image, tmp_path, options, said):
    then = ("--then", behind, "--then", f"{networks[1]},p0=0.6")
    path = tmp_path / "certificate.json"
    path.write_text(call("certify", image, *networks, *QUICK, *then, "--json")[1])
    places = {"BEHIND": behind, "NOISY": networks[1]}
    status, _, err = call("check", path, image, *networks, *(places.get(option, option) for option in options))
    assert (status, err.count("\n")) == (2, 1)
    assert said in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--p0", "0.5"), "p0 is 0.5"),
        (("--p0", "nan"), "p0 is nan"),
        (("--p0", "0.7", "--theta", "0.3"), "--theta and --p0 are two ways to select"),
        (("--p0", "0.7", "--votes", "0.3"), "of the votes for the class --p0 is the share"),
        (("--p0", "0.7", "--select", "chooser"), "name one of them"),
        (("--p0", "0.7", "--bound", "margin"), "a margin adds nothing"),
        (("--p0", "0.99999", "--n", "600"), "p0 is 0.99999: 600 draws cannot tell it from 1"),
        (("--then", "BEHIND,0.3,0.5,9"), "--then: "),
        (("--then", ",0.3"), "is not RUN[,THETA[,VOTES]]"),
        (("--then", "BEHIND,x"), "--then: 'x' is not a number"),
        (("--then", "BEHIND,nan"), "--then: theta is nan"),
        (("--then", "BEHIND,p0=2"), "--then: p0 is 2"),
        (("--then", "BEHIND,0.3,0"), "--then: t is 0"),
        (("--then", "nobody"), "no smoothed run matches 'nobody'"),
        (("--then", "NOISY"), "'noisy' stands twice in the chain at σ 0.25"),
        (("--then", "BEHIND", "--then", "BEHIND"), "'behind' stands twice in the chain at σ 1"),
        (("--then", "BEHIND") * 4, "a chain of 5 stages; it may have 4"),
        (("--then", "BEHIND", "--n", "6000000"), "each needs 1 to 5,000,000 draws"),
        (("--then", "BEHIND,0.3,0.0001", "--n", "600"), "t is 0.0001: 600 draws cannot tell it from 0"),
    ],
)
def test_a_chain_or_votes_that_could_not_be_are_one_line(call, networks, behind, image, options, said):
    places = {"BEHIND": behind, "NOISY": networks[1]}
    options = [_placed(option, places) for option in options]
    status, out, err = call("certify", image, *networks, *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err


def _placed(option: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        option = option.replace(name, place)
    return option


# --- words ---------------------------------------------------------------------------------------------------------


def test_what_is_promised_is_said_beside_the_answer(call, networks, image):
    out = call("certify", image, *networks, *QUICK)[1]
    assert "except with probability at most 0.001 over the sampling; whether the answer is right is not said" in out
    assert "the answer is one of the classes that the networks know: dark, grey, bright." in out
    assert "wrong with probability" not in out
