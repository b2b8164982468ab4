"""A synthetic demo folder: the names and shapes of the shipped runs, with made-up but plausible counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.datasets import card
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun, write_run

DATASET = "fashion_mnist"
CLASSES = len(card(DATASET).classes)
CORE, OTHER_CORE = f"{DATASET}-core", f"{DATASET}-other-core"
SIGMAS = (0.25, 0.5, 1.0)
THETAS = np.arange(1001) / 1000
N0, N = 100, 10_000


def certify_name(sigma: float) -> str:
    return f"{DATASET}-gaussian-{sigma}"


def labels(images: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, CLASSES, images)


def _ease(images: int) -> np.ndarray:
    """How easy each image is for every network, in [0, 1]."""
    return np.random.default_rng(3).beta(1.6, 0.9, images)


def smoothed(sigma: float, images: int = 500, sigma_train: float | None = None) -> SmoothedRun:
    """Harder images stay harder under more noise; more noise lowers the votes and raises the entropies."""
    rng = np.random.default_rng(11)
    ease = _ease(images)
    votes = np.clip(ease * (1.08 - 0.25 * sigma) + 0.02 * rng.standard_normal(images), 0.02, 0.9999)
    label = labels(images)
    spread = rng.dirichlet(np.full(CLASSES, 0.5), images)
    spread[np.arange(images), label] = 0
    p = (1 - votes)[:, None] * spread / spread.sum(1, keepdims=True)
    p[np.arange(images), label] = votes
    entropy = np.clip(0.75 * (1 - votes**2) + 0.12 * rng.standard_normal(images), 0.01, 0.95)
    scores = _score_probabilities(entropy)
    return SmoothedRun(
        meta=Meta(
            "smoothed",
            certify_name(sigma),
            DATASET,
            CLASSES,
            split="test",
            sigma=sigma,
            n0=N0,
            n=N,
            seed=0,
            precision="float32",
            network=NetworkInfo(certify_name(sigma), "0" * 64, "gaussian", sigma_train or sigma),
        ),
        index=20 * np.arange(images),
        label=label,
        class_counts0=np.stack([rng.multinomial(N0, row) for row in p]),
        class_counts=np.stack([rng.multinomial(N, row) for row in p]),
        thetas=THETAS,
        select_counts0=np.stack([rng.multinomial(N0, row).cumsum() for row in scores]),
        select_counts=np.stack([rng.multinomial(N, row).cumsum() for row in scores]),
        entropy_median=entropy,
    )


def _score_probabilities(entropy: np.ndarray) -> np.ndarray:
    """[N, T] of a discretised normal around each image's entropy; nothing falls on theta = 0."""
    density = np.exp(-0.5 * ((THETAS - entropy[:, None]) / 0.06) ** 2)
    density[:, 0] = 0
    return density / density.sum(1, keepdims=True)


def core(images: int = 500, name: str = CORE, accuracy: float = 0.93) -> CoreRun:
    """Right on this share of the images, mostly the easier ones."""
    label = labels(images)
    ease = _ease(images) + 0.3 * np.random.default_rng(5).standard_normal(images)
    prediction = np.where(ease >= np.quantile(ease, 1 - accuracy), label, (label + 1) % CLASSES)
    meta = Meta("core", name, DATASET, CLASSES, split="test", network=NetworkInfo(name, "1" * 64, "standard"))
    return CoreRun(meta, 20 * np.arange(images), label, prediction)


def selection(sigma: float, images: int = 500) -> SelectionRun:
    """A selection network that tells easy images from hard ones, as the entropy does, with other mistakes."""
    rng = np.random.default_rng(13)
    score = np.clip(0.8 * (1 - _ease(images)) + 0.1 * rng.standard_normal(images), 0.01, 0.95)
    draws = _score_probabilities(score)
    name = f"{DATASET}-selection-{sigma}"
    network = NetworkInfo(name, "2" * 64, "selection", sigma)
    return SelectionRun(
        Meta("selection", name, DATASET, CLASSES, split="test", sigma=sigma, n0=N0, n=N, network=network),
        20 * np.arange(images),
        THETAS,
        np.stack([rng.multinomial(N0, row).cumsum() for row in draws]),
        np.stack([rng.multinomial(N, row).cumsum() for row in draws]),
        score,
    )


def write_demo(folder: Path, images: int = 500) -> Path:
    """Write three smoothed runs, two core runs and the images; returns ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for sigma in SIGMAS:
        write_run(smoothed(sigma, images), folder / f"{certify_name(sigma)}.npz")
    for name, accuracy in ((CORE, 0.93), (OTHER_CORE, 0.8)):
        write_run(core(images, name, accuracy), folder / f"{name}.npz")
    np.savez_compressed(
        folder / f"{DATASET}_images.npz", index=20 * np.arange(images), label=labels(images), images=_pictures(images)
    )
    return folder


def _pictures(images: int) -> np.ndarray:
    """Grey 28x28 pictures whose tilt says the class."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    angle = np.pi * labels(images)[:, None, None] / CLASSES
    waves = np.cos(6 * (x * np.cos(angle) + y * np.sin(angle))) * np.exp(-2 * (x * x + y * y))
    return (127.5 * (1 + waves)).astype(np.uint8)[:, None]
