"""The one training loop: SGD over a dataset that fits in memory, seeded, resumable from the last whole epoch.

Reading order: ``train`` calls ``_epoch`` for every epoch, and ``_epoch`` goes over ``_batches``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets import ImageSet
from engine.errors import AcesError

Objective = Callable[[nn.Module, Tensor, Tensor, float, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class EpochReport:
    """How an epoch stands, or stood at its end: ``seen`` of ``images``, mean loss, percent right on the batches."""

    epoch: int
    seen: int
    images: int
    loss: float
    accuracy: float
    seconds: float

    @property
    def images_per_second(self) -> float:
        """Throughput of the epoch so far."""
        return self.seen / self.seconds if self.seconds > 0 else 0.0


Report = Callable[[EpochReport], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a training run besides network, data, method and noise."""

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    schedule: str  # "step": tenfold drop every step_size epochs; "cosine": to zero, after one epoch of warm-up
    step_size: int = 30
    momentum: float = 0.9
    crop_padding: int = 2  # random crops from the image padded by so many pixels
    flip: bool = True

    def lr_at(self, progress: float) -> float:
        """The learning rate after ``progress`` epochs (fractions count)."""
        if self.schedule == "step":
            return self.lr * 0.1 ** (int(progress) // self.step_size)
        warm_up = min(1.0, (progress + 0.02) / 1.0)
        return self.lr * warm_up * 0.5 * (1 + math.cos(math.pi * progress / self.epochs))


def train(
    network: nn.Module,
    data: ImageSet,
    objective: Objective,
    sigma: float,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str = "cpu",
    state_file: Path | None = None,
    report: Report = lambda _: None,
) -> list[EpochReport]:
    """Train ``network`` in place and return one report an epoch.

    With a ``state_file`` the run continues after the last whole epoch found there; a state that
    belongs to other settings is refused with ``AcesError``. A loss that is not finite stops the run.
    """
    images, labels = torch.from_numpy(data.array()).to(device), torch.from_numpy(data.label).to(device)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(), recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True
    )
    settings = {**asdict(recipe), "sigma": sigma, "seed": seed, "images": len(data)}
    history = _restore(state_file, settings, network, optimizer)
    for epoch in range(len(history), recipe.epochs):
        # A generator an epoch, so that a resumed run sees the same batches and noise as an undisturbed one.
        generator = torch.Generator(device).manual_seed(1_000_003 * seed + epoch)
        history.append(_epoch(network, images, labels, objective, sigma, recipe, optimizer, epoch, generator, report))
        if state_file is not None:
            _keep(state_file, settings, network, optimizer, history)
    return history


def _epoch(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    objective: Objective,
    sigma: float,
    recipe: Recipe,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    generator: torch.Generator,
    report: Report,
) -> EpochReport:
    network.train()
    start, seen, loss_sum, right = time.perf_counter(), 0, 0.0, 0
    for x, y in _batches(images, labels, recipe, generator):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr_at(epoch + seen / len(labels))
        with torch.autocast(images.device.type, dtype=torch.bfloat16):
            loss, logits = objective(network, x, y, sigma, generator)
        if not torch.isfinite(loss):
            raise AcesError(
                f"the loss became {loss.item()} in epoch {epoch + 1}; the last good state is kept: "
                f"lower the learning rate (now {recipe.lr}) and start again"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        seen += len(y)
        loss_sum += loss.item() * len(y)
        right += int((logits.argmax(1) == y).sum())
        seconds = time.perf_counter() - start
        stands = EpochReport(epoch + 1, seen, len(labels), loss_sum / seen, 100 * right / seen, seconds)
        report(stands)
    return stands


def _batches(
    images: Tensor, labels: Tensor, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented batches; the images stay uint8 until here."""
    order = torch.randperm(len(labels), generator=generator, device=labels.device)
    for rows in torch.split(order, recipe.batch_size):
        if len(rows) > 1:  # batch norm needs two
            yield _augment(images[rows].float() / 255, recipe, generator), labels[rows]


def _augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """A random crop and flip an image, as one gather: [B, C, H, W] -> the same."""
    b, _, h, w = x.shape
    p = recipe.crop_padding
    top, left = torch.randint(0, 2 * p + 1, (2, b, 1), generator=generator, device=x.device)
    rows = top + torch.arange(h, device=x.device)  # [B, H]
    columns = left + torch.arange(w, device=x.device)  # [B, W]
    if recipe.flip:
        mirrored = torch.rand(b, 1, generator=generator, device=x.device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    padded = F.pad(x, (p, p, p, p))
    image = torch.arange(b, device=x.device)
    cropped = padded[image[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [B, H, W, C]
    return cropped.permute(0, 3, 1, 2)


def _restore(
    state_file: Path | None, settings: dict[str, Any], network: nn.Module, optimizer: torch.optim.Optimizer
) -> list[EpochReport]:
    if state_file is None or not state_file.exists():
        return []
    state = torch.load(state_file, weights_only=True)
    if state["settings"] != settings:
        differ = sorted(k for k in settings if state["settings"].get(k) != settings[k])
        raise AcesError(f"{state_file} belongs to a run with other {', '.join(differ)}; choose another folder")
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    return [EpochReport(**epoch) for epoch in state["history"]]


def _keep(
    state_file: Path,
    settings: dict[str, Any],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: list[EpochReport],
) -> None:
    """Write the whole state beside, then rename: a kill at any instant leaves a whole file."""
    state = {"settings": settings, "network": network.state_dict(), "optimizer": optimizer.state_dict()}
    partial = state_file.with_suffix(".partial")
    torch.save({**state, "history": [asdict(epoch) for epoch in history]}, partial)
    partial.replace(state_file)


@torch.inference_mode()
def accuracy(network: nn.Module, data: ImageSet, sigma: float = 0.0, *, seed: int = 0, device: str = "cpu") -> float:
    """Percent of ``data`` that the network gets right under one draw of noise an image (none at sigma = 0)."""
    network.eval()
    generator = torch.Generator(device).manual_seed(seed)
    right = 0
    for rows in torch.split(torch.arange(len(data)), 500):
        x = torch.from_numpy(data.array(rows.numpy())).to(device).float() / 255
        if sigma > 0:
            x = x + sigma * torch.randn(x.shape, generator=generator, device=device)
        right += int((network(x).argmax(1).cpu().numpy() == data.label[rows.numpy()]).sum())
    return 100 * right / len(data)
