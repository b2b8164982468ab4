"""The one training loop: SGD over a dataset that fits in memory, seeded, resumable from the last whole epoch.

Reading order: ``train`` calls ``_epoch`` for every epoch, and ``_epoch`` goes over ``_batches``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.datasets import ImageSet
from engine.errors import AcesError
from engine.models import Network
from engine.sampling.inference import PRECISIONS, resolve_device
from engine.training import checkpoint
from engine.training.objective import BatchResult, Objective, Step

MEMORY = 16 * 2**30  # bytes of uint8 images, at most
LOOK = 20  # batches between two looks at the running loss: each look waits for the device


@dataclass(frozen=True)
class EpochReport:
    """How an epoch stands, or stood at its end: ``seen`` of ``images``, mean loss, percent correct on the batches.

    ``held_out``: percent correct on held-out images under one draw of the training noise, at the end of the epoch;
    ``tally``: what the method counted, such as MACER's robust set, in images so far.
    """

    epoch: int
    seen: int
    images: int
    loss: float
    accuracy: float
    seconds: float
    held_out: float | None = None
    tally: dict[str, int] = field(default_factory=dict)

    @property
    def images_per_second(self) -> float:
        """Throughput of the epoch so far."""
        return self.seen / self.seconds if self.seconds > 0 else 0.0


Report = Callable[[EpochReport], None]


@dataclass(frozen=True)
class Recipe:
    """Everything that shapes a training run besides network, data, method and noise."""

    epochs: int
    batch_size: int  # images an update; a method with several noise vectors per image makes so many more passes
    lr: float
    weight_decay: float
    schedule: str  # "step": tenfold drop every step_size epochs; "cosine": to zero, after one epoch of warm-up
    step_size: int = 30
    momentum: float = 0.9
    nesterov: bool = True
    crop_padding: int = 2  # random crops from the image padded by so many pixels
    flip: bool = True
    precision: str = "bfloat16"  # of the passes; weights and their updates are float32 either way
    optimizer: str = "sgd"  # or "adam", which takes no momentum from here

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise AcesError(f"unknown precision '{self.precision}'; known: {', '.join(PRECISIONS)}")
        if self.optimizer not in ("sgd", "adam"):
            raise AcesError(f"unknown optimizer '{self.optimizer}'; known: sgd, adam")
        if self.schedule not in ("step", "cosine"):
            raise AcesError(f"unknown schedule '{self.schedule}'; known: step, cosine")
        if min(self.epochs, self.step_size) < 1 or self.batch_size < 2 or self.lr <= 0:
            raise AcesError(
                f"epochs {self.epochs}, step_size {self.step_size}, batch_size {self.batch_size}, lr {self.lr}: "
                f"epochs and step_size start at 1, batch_size at 2, lr above 0"
            )
        if not 0 <= self.momentum < 1 or self.weight_decay < 0 or self.crop_padding < 0:
            raise AcesError(
                f"momentum {self.momentum}, weight_decay {self.weight_decay}, crop_padding {self.crop_padding}: "
                f"momentum lies in [0, 1), the others are not negative"
            )

    def lr_at(self, progress: float) -> float:
        """The learning rate after ``progress`` epochs (fractions count)."""
        if self.schedule == "step":
            return self.lr * 0.1 ** (int(progress) // self.step_size)
        warm_up = min(1.0, (progress + 0.02) / 1.0)
        return self.lr * warm_up * 0.5 * (1 + math.cos(math.pi * progress / self.epochs))


@dataclass(frozen=True, eq=False)
class _Run:
    """What stays the same from epoch to epoch."""

    network: Network
    optimizer: torch.optim.Optimizer
    images: Tensor
    labels: Tensor
    objective: Objective
    recipe: Recipe
    report: Report


def train(
    network: Network,
    data: ImageSet,
    objective: Objective,
    sigma: float,
    recipe: Recipe,
    *,
    seed: int = 0,
    device: str = "cpu",
    held_out: ImageSet | None = None,
    state_file: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    report: Report = lambda _: None,
) -> list[EpochReport]:
    """Train ``network`` in place and return one report per epoch.

    With a ``state_file`` the run continues after the last whole epoch found there, and ends in the weights of an
    undisturbed one; a state that belongs to other ``settings`` is refused with ``AcesError``. So are images of one
    class only and a device that is not there, and a loss that is not finite stops the run.
    """
    _check_labels(data)
    resolve_device(device)
    images, labels = torch.from_numpy(_in_memory(data)).to(device), torch.from_numpy(data.label).to(device)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, recipe)
    identity = {**asdict(recipe), "sigma": sigma, "seed": seed, "images": len(data), **(settings or {})}
    kept = checkpoint.restore(state_file, network, optimizer, identity) if state_file else []
    history = [EpochReport(**epoch) for epoch in kept]
    if state_file is not None and not history:
        checkpoint.keep(state_file, network, optimizer, identity, [])  # a folder that refuses does so before the work
    run = _Run(network, optimizer, images, labels, objective, recipe, report)
    for epoch in range(len(history), recipe.epochs):
        # A generator an epoch, so that a resumed run sees the same batches and noise as an undisturbed one.
        number = 1_000_003 * seed + epoch
        generator = torch.Generator(device).manual_seed(number)
        torch.manual_seed(~number)  # for dropout, which draws from torch's own generator: another stream
        stands = _epoch(run, Step(sigma, generator, epoch))
        if held_out is not None:
            stands = replace(stands, held_out=accuracy(network, held_out, sigma, device=device))
            report(stands)
        history.append(stands)
        if state_file is not None:
            checkpoint.keep(state_file, network, optimizer, identity, [asdict(e) for e in history])
    return history


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    trained = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(trained, recipe.lr, weight_decay=recipe.weight_decay)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(trained, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=nesterov)


def _in_memory(data: ImageSet) -> npt.NDArray[np.uint8]:
    needed = len(data) * data.images[0].nbytes
    if needed > MEMORY:
        raise AcesError(
            f"the {len(data):,} training images of {data.dataset} take {needed / 2**30:,.0f} GiB; training keeps "
            f"images in memory, up to {MEMORY / 2**30:.0f} GiB"
        )
    return data.array()


def _check_labels(data: ImageSet) -> None:
    if len(np.unique(data.label)) < 2:
        raise AcesError(
            f"all {len(data)} training images of {data.dataset} have the same label; training needs two classes"
        )


def _epoch(run: _Run, step: Step) -> EpochReport:
    run.network.train()
    start, running = time.perf_counter(), _Running()
    for batch, (x, y) in enumerate(_batches(run.images, run.labels, run.recipe, step.generator)):
        for group in run.optimizer.param_groups:
            group["lr"] = run.recipe.lr_at(step.epoch + running.seen / len(run.labels))
        with torch.autocast(run.images.device.type, torch.bfloat16, enabled=run.recipe.precision == "bfloat16"):
            outcome = run.objective(run.network, x, y, step)
        run.optimizer.zero_grad(set_to_none=True)
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        run.optimizer.step()
        running.add(outcome, y)
        if batch % LOOK == 0 or running.seen >= len(run.labels) - 1:
            run.report(_look(run, step, running, time.perf_counter() - start))
    return _look(run, step, running, time.perf_counter() - start)


class _Running:
    """Sums over the batches of an epoch; they stay on the device until somebody looks."""

    def __init__(self) -> None:
        self.seen = 0
        self.loss: Tensor | float = 0.0
        self.correct: Tensor | int = 0
        self.tally: dict[str, Tensor] = {}

    def add(self, outcome: BatchResult, y: Tensor) -> None:
        self.seen += len(y)
        self.loss += outcome.loss.detach().double() * len(y)
        self.correct += (outcome.answer.argmax(1) == y).sum()
        for kind, images in outcome.tally.items():
            self.tally[kind] = self.tally.get(kind, torch.zeros_like(images)) + images


def _look(run: _Run, step: Step, running: _Running, seconds: float) -> EpochReport:
    """Read the sums; a loss that was ever NaN or infinite is so in the sum."""
    loss = float(running.loss) / running.seen
    if not math.isfinite(loss):
        raise AcesError(
            f"the loss became {loss} in epoch {step.epoch + 1}, within {running.seen} images, at learning rate "
            f"{run.optimizer.param_groups[0]['lr']:.3g}: the weights diverged; the checkpoint of the epoch before is "
            f"kept; start again in another folder with a lower learning rate"
        )
    tally = {kind: int(images) for kind, images in running.tally.items()}
    correct = 100 * int(running.correct) / running.seen
    return EpochReport(step.epoch + 1, running.seen, len(run.labels), loss, correct, seconds, tally=tally)


def _batches(
    images: Tensor, labels: Tensor, recipe: Recipe, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled, augmented batches; the images stay uint8 until here."""
    order = torch.randperm(len(labels), generator=generator, device=labels.device)
    for rows in torch.split(order, recipe.batch_size):
        if len(rows) > 1:  # batch norm needs two
            yield augment(images[rows].float() / 255, recipe, generator), labels[rows]


def augment(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
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


@torch.inference_mode()
def accuracy(network: nn.Module, data: ImageSet, sigma: float = 0.0, *, seed: int = 0, device: str = "cpu") -> float:
    """Percent of ``data`` classified correctly under one draw of noise per image (none at sigma = 0)."""
    network.eval()
    generator = torch.Generator(device).manual_seed(seed)
    correct = 0
    for rows in torch.split(torch.arange(len(data)), 500):
        x = torch.from_numpy(data.array(rows.numpy())).to(device).float() / 255
        if sigma > 0:
            x = x + sigma * torch.randn(x.shape, generator=generator, device=device)
        correct += int((network(x).argmax(1).cpu().numpy() == data.label[rows.numpy()]).sum())
    return 100 * correct / len(data)
