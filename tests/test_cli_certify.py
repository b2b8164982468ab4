"""``certify`` and ``check``: images in, certificates out and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.certificate import check, from_json
from engine.pictures import read_picture, to_png, to_tensor
from tests import toy
from tests.bad_pictures import BAD

pytestmark = pytest.mark.usefixtures("toy_dataset")
QUICK = ("--sigma", "2.0", "--theta", "0.8", "--n", "600", "--n0", "50")


@pytest.fixture
def networks(tmp_path: Path) -> tuple[str, ...]:
    toy.checkpoint(tmp_path / "noisy.safetensors")
    toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    return ("--certify", str(tmp_path / "noisy.safetensors"), "--core", str(tmp_path / "plain.safetensors"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(to_png(toy.images("test").images[2]))
    return path


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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png.json", "b.png.json"]


def test_it_ends_at_the_radius_with_bounds_valid_at_every_look(call, networks, image):
    arguments = ("--sigma", "0.25", "--theta", "1", "--n", "20000", "--n0", "50", "--seed", "1", "--json")
    status, out, _ = call("certify", image, *networks, *arguments, "--until-radius", "0.3")
    certificate = from_json(out)
    assert status == 0
    assert certificate.plan.mode == "may-stop-early"
    assert certificate.radius >= 0.3
    assert sum(part.draws for part in certificate.segments) == 50 + 1_000
    check(certificate)


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
