"""A toy dataset and toy runs, small enough for every test; also used by the subprocesses that tests kill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import datasets
from engine.datasets import DatasetCard, ImageSet
from engine.models import NetworkCard, build, save
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import CoreRun, SmoothedRun

if TYPE_CHECKING:
    from engine.single_image.evidence import Evidence
    from engine.single_image.live import Pair
    from engine.single_image.plan import Plan


def images(split: str) -> ImageSet:
    """24 grey 8x8 images of 3 classes; brightness says the class."""
    rng = np.random.default_rng(0 if split == "train" else 1)
    label = np.arange(24) % 3
    pixels = rng.integers(0, 40, (24, 1, 8, 8)) + 80 * label[:, None, None, None]
    return ImageSet("toy", split, np.arange(24), label, pixels.astype(np.uint8))


CARD = DatasetCard(
    "toy", "Toy", ("dark", "grey", "bright"), (1, 8, 8), (0.4,), (0.3,), every=4, reader=images, recipes="mnist"
)


def register() -> None:
    """For processes of their own; tests take the fixture ``toy_dataset``, which is undone."""
    datasets.DATASETS["toy"] = CARD


def checkpoint(path: Path, *, training: str = "gaussian", sigma: float = 0.25, seed: int = 0) -> Path:
    """An untrained resnet8 on the toy dataset, saved as a checkpoint."""
    import torch

    torch.manual_seed(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, build("resnet8", "toy"), NetworkCard(path.stem, "resnet8", "toy", training, sigma))
    return path


def selector(path: Path, *, sigma: float = 0.25) -> Path:
    """A selection network of two outputs, of which none is much likelier, saved as a checkpoint."""
    import torch

    from engine.models import architecture, assemble

    torch.manual_seed(2)
    network = assemble(architecture("resnet8"), CARD, 2)
    save(path, network, NetworkCard(path.stem, "resnet8", "toy", "selection", sigma, 2))
    return path


def evidence_of(
    pair: Pair, tensor: np.ndarray, plan: Plan, seed: int, challenge: str | None = None
) -> Iterator[Evidence]:
    """The evidence of one image as it grows."""
    from engine.single_image.case import Case
    from engine.single_image.certify import grow
    from engine.single_image.picture import Framing, tensor_sha256
    from engine.single_image.subject import Subject

    case = Case(tensor, Subject("f" * 64, tensor_sha256(tensor), tensor.shape, Framing()), plan, seed, challenge)
    return (found.evidence for found in grow(case, pair.answer(case)))


def config(folder: Path, *, n: int = 600, every: int = 4) -> Path:
    """A config with one certification and one core network, and their checkpoints beside it."""
    checkpoint(folder / "noisy.safetensors")
    checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    path = folder / "toy.yaml"
    path.write_text(
        f"dataset: toy\nevery: {every}\nn0: 50\nn: {n}\ncertify:\n  - checkpoint: noisy.safetensors\n"
        f"core:\n  - checkpoint: plain.safetensors\n"
    )
    return path


def smoothed_run(name: str = "toy-noisy", n_images: int = 40, n: int = 1000, seed: int = 0) -> SmoothedRun:
    """A plausible smoothed run with all kinds of images: certain, doubtful, hopeless."""
    rng = np.random.default_rng(seed)
    m, n0, t = 3, 100, 101
    label = np.arange(n_images) % m
    certainty = rng.beta(2, 1, n_images)
    p = np.full((n_images, m), 0.0) + (1 - certainty[:, None]) / m
    p[np.arange(n_images), label] += certainty
    location = 0.9 * (1 - certainty)

    def selected(draws: int) -> np.ndarray:
        scores = np.clip(location[:, None] + 0.1 * rng.standard_normal((n_images, draws)), 0, 1)
        steps = np.ceil(scores * (t - 1)).astype(int)
        return np.stack([np.bincount(row, minlength=t).cumsum() for row in steps])

    return SmoothedRun(
        meta=Meta(
            "smoothed",
            name,
            "toy",
            m,
            split="test",
            sigma=0.25,
            n0=n0,
            n=n,
            seed=seed,
            precision="float32",
            network=NetworkInfo(name, "0" * 64, "gaussian", 0.25),
        ),
        index=20 * np.arange(n_images),
        label=label,
        class_counts0=np.stack([rng.multinomial(n0, row) for row in p]),
        class_counts=np.stack([rng.multinomial(n, row) for row in p]),
        thetas=np.arange(t) / (t - 1),
        select_counts0=selected(n0),
        select_counts=selected(n),
        entropy_median=location.astype(np.float32).clip(0, 1),
    )


def core_run(name: str = "toy-core", n_images: int = 40, wrong: int = 3) -> CoreRun:
    """A core network that errs on the last ``wrong`` images."""
    label = np.arange(n_images) % 3
    prediction = np.where(np.arange(n_images) >= n_images - wrong, (label + 1) % 3, label)
    meta = Meta("core", name, "toy", 3, split="test", network=NetworkInfo(name, "1" * 64, "standard", 0.0))
    return CoreRun(meta, 20 * np.arange(n_images), label, prediction)
