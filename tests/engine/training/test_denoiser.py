from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from engine.errors import AcesError
from engine.models import Network, load
from engine.models.denoised import Denoised, load_denoised
from engine.models.denoisers import find_denoiser
from engine.training.denoiser import OBJECTIVES, fit_denoiser, mse, stability
from engine.training.fit import TrainingPlan
from engine.training.objective import Step
from engine.training.presets import denoiser_preset
from tests import toy
from tests.engine.training.recipes import RECIPE

pytestmark = pytest.mark.usefixtures("toy_dataset")
SIGMA = 0.25


def plan(name="d", objective="mse", **changes):
    recipe = replace(RECIPE, optimizer="adam", lr=3e-3, **changes)
    return TrainingPlan(name, f"denoiser-{objective}", "toy", "dncnn-half", SIGMA, recipe, seed=4)


def both():
    torch.manual_seed(0)
    classifier = Network(nn.Identity(), nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    return Network(nn.Identity(), Denoised(nn.Conv2d(1, 1, 3, padding=1), classifier))


def step():
    return Step(SIGMA, torch.Generator().manual_seed(1))


def test_the_losses_are_those_of_the_paper():
    net, x, y = both(), torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    eps = SIGMA * torch.randn(4, 1, 1, 8, 8, generator=torch.Generator().manual_seed(1)).squeeze(1)
    denoised = net.body.denoiser(x + eps)
    logits, wanted = net.body.classifier(denoised), net.body.classifier(x).argmax(1)
    by_pixels, by_answer = mse(net, x, y, step()), stability(net, x, y, step())
    assert by_pixels.loss.item() == pytest.approx(((denoised - x) ** 2).mean().item(), rel=1e-5)
    log_p = logits - logits.logsumexp(1, keepdim=True)
    assert by_answer.loss.item() == pytest.approx(-log_p[torch.arange(4), wanted].mean().item(), rel=1e-5)
    assert torch.allclose(by_pixels.answer, logits, atol=1e-6)


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_only_the_denoiser_learns(objective):
    net = both()
    OBJECTIVES[objective](net, torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64), step()).loss.backward()
    assert net.body.denoiser.weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.body.classifier.parameters())


def test_what_is_written_is_a_denoiser_with_a_card(tmp_path):
    classifier = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0)
    path = fit_denoiser(load(classifier), plan(epochs=2), tmp_path)
    card, found = json.loads(path.with_suffix(".json").read_text()), find_denoiser(path, SIGMA, 1)
    assert card["sha256"] == found.sha256
    assert card["classifier"] == {"name": "plain", "sha256": load(classifier).sha256}
    assert card["parameters"] == sum(p.numel() for p in found.module.parameters())
    assert card["history"][1]["loss"] < card["history"][0]["loss"]
    assert load_denoised(path, classifier, SIGMA).parts["denoiser"]["sha256"] == card["sha256"]


def test_an_interrupted_one_ends_in_the_same_weights(tmp_path):
    classifier = load(toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0))
    whole = fit_denoiser(classifier, plan(), tmp_path / "whole")

    def kill(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_denoiser(classifier, plan(), tmp_path / "killed", report=kill)
    again = fit_denoiser(classifier, plan(), tmp_path / "killed")
    assert again.read_bytes() == whole.read_bytes()


def test_it_may_start_from_another(tmp_path):
    classifier = load(toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0))
    first = fit_denoiser(classifier, plan("first", epochs=1), tmp_path)
    second = fit_denoiser(classifier, replace(plan("second", "stability", epochs=1), initial=str(first)), tmp_path)
    card = json.loads(second.with_suffix(".json").read_text())
    assert card["initial"] == {"name": "first.safetensors", "sha256": find_denoiser(first, SIGMA, 1).sha256}
    with pytest.raises(AcesError, match="its weights do not fit"):
        fit_denoiser(classifier, replace(plan("third"), initial=str(first), architecture="dncnn"), tmp_path)


def test_classifiers_that_cannot_stand_there_are_refused(tmp_path):
    classifier = load(toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0))
    with pytest.raises(AcesError, match="is for toy, the denoiser for cifar10"):
        fit_denoiser(classifier, replace(plan(), dataset="cifar10"), tmp_path)
    with pytest.raises(AcesError, match="unknown denoiser 'resnet8'; known: dncnn"):
        fit_denoiser(classifier, replace(plan(), architecture="resnet8"), tmp_path)


def test_presets():
    assert denoiser_preset("paper", "cifar10").epochs == 90
    assert denoiser_preset("demo", "cifar10").crop_padding == 4
    with pytest.raises(AcesError, match="known: paper, demo"):
        denoiser_preset("best", "cifar10")
