from __future__ import annotations

import json

import pytest

from engine.models import load
from tests import toy
from tests.engine.models.denoising import trained_denoiser

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture
def parts(tmp_path):
    toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0)
    trained_denoiser(tmp_path / "denoiser.safetensors", channels=1, sigma=0.25, dataset="toy")
    return "--denoiser", tmp_path / "denoiser.safetensors", "--classifier", tmp_path / "plain.safetensors"


def test_a_denoiser_and_a_classifier_become_a_file(call, parts, tmp_path):
    status, out, _ = call("denoise", *parts, "--sigma", "0.25", "-o", tmp_path)
    assert (status, out.strip()) == (0, str(tmp_path / "plain-denoised-0.25.denoised.json"))
    made = load(tmp_path / "plain-denoised-0.25.denoised.json")
    status, out, _ = call("inspect", tmp_path / "plain-denoised-0.25.denoised.json", "--format", "json")
    facts = json.loads(out)
    assert (status, facts["sha256"], facts["denoiser"]) == (0, made.sha256, made.parts["denoiser"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sigma", "0.5"], "was trained at sigma 0.25"),
        (["--sigma", "nan"], "a denoiser removes noise"),
        (["--sigma", "0.25", "--name", "../x"], "expected no path"),
    ],
)
def test_what_cannot_be_is_one_line(call, parts, tmp_path, more, message):
    status, _, err = call("denoise", *parts, "-o", tmp_path, *more)
    assert status == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_parts_that_the_file_could_not_find_again_are_refused(call, parts, tmp_path):
    status, _, err = call("denoise", *parts, "--sigma", "0.25", "-o", tmp_path / "elsewhere")
    assert status == 2
    assert "put it there first" in err
