"""From a plan to a checkpoint with a card: what ``python -m engine train`` calls."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from engine import __version__, datasets
from engine.datasets import DatasetCard, ImageSet
from engine.errors import AcesError
from engine.files import reason
from engine.models import ARCHITECTURES, Network, NetworkCard, assemble, weights_sha256
from engine.models.checkpoint import to_bytes
from engine.models.own import find
from engine.names import file_fault, quoted
from engine.output import confirm
from engine.training.checkpoint import write_whole
from engine.training.initial import start_from
from engine.training.loop import EpochReport, Recipe, Report, accuracy, train
from engine.training.methods import Hyper, method
from engine.training.objective import Objective

DENOISING = ("denoiser-mse", "denoiser-stability")  # which train a denoiser: engine.training.denoiser
HELD_OUT_EVERY = 5  # the accuracy by epoch is that of every fifth image of the test split; nothing is chosen by it


@dataclass(frozen=True)
class TrainingPlan:
    """A training run in full: the same plan on the same machine ends in the same weights."""

    name: str
    method: str
    dataset: str
    architecture: str
    sigma: float
    recipe: Recipe
    hyper: Hyper | None = None
    seed: int = 0
    initial: str | None = None  # a checkpoint, or an architecture with published weights, to start from
    own: DatasetCard | None = None  # the card of pictures of one's own, which ``dataset`` alone does not find

    def __post_init__(self) -> None:
        if (wrong := file_fault(self.name)) is not None:
            raise AcesError(f"the name of the checkpoint is {quoted(self.name)}; expected {wrong}")
        noisy = self.method in DENOISING or method(self.method).noisy
        if noisy and not 0 < self.sigma < math.inf:
            raise AcesError(f"sigma is {self.sigma}; {self.method} trains under noise, for example --sigma 0.25")
        if not noisy and self.sigma != 0:
            raise AcesError(f"sigma is {self.sigma}; {self.method} trains without noise: leave it out")

    @property
    def data(self) -> DatasetCard:
        """The card of the dataset."""
        return self.own or datasets.card(self.dataset)


@dataclass(frozen=True, eq=False)
class Material:
    """The images that a run learns from, those it is watched on by epoch, and those its card's accuracies are of."""

    train: ImageSet
    held_out: ImageSet
    test: ImageSet


def state_file(directory: Path, plan: TrainingPlan) -> Path:
    """Where an unfinished run is kept: ``name.pth.tar``, in Cohen et al.'s structure, written after every epoch."""
    return directory / f"{plan.name}.pth.tar"


def fit(plan: TrainingPlan, directory: Path, *, device: str = "cpu", report: Report = lambda _: None) -> Path:
    """Train, or go on training, and write ``name.safetensors`` and its card ``name.json`` into ``directory``.

    An interrupted run goes on from its ``state_file``. Returns the path of the safetensors.
    """
    card = NetworkCard(plan.name, plan.architecture, plan.dataset, plan.method, plan.sigma)
    return fit_to(material_of(plan), card, plan, directory, device=device, report=report)


def material_of(plan: TrainingPlan) -> Material:
    """Both splits of a plan's dataset."""
    test = plan.data.read("test")
    return Material(plan.data.read("train"), test.every(HELD_OUT_EVERY), test)


def fit_to(
    material: Material,
    card: NetworkCard,
    plan: TrainingPlan,
    directory: Path,
    *,
    facts: dict[str, Any] | None = None,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> Path:
    """``fit`` on given images and labels; ``facts`` go to the card and identify the run beside the plan."""
    torch.manual_seed(plan.seed)  # the initial weights
    network = _built(card, plan.data)
    facts = dict(facts or {})
    if plan.initial:
        facts["initial"] = start_from(network, plan.initial)
    objective = method(plan.method).objective(plan.hyper)
    return fit_network(
        network, network, objective, material, card, plan, directory, facts=facts, device=device, report=report
    )


def fit_network(
    network: Network,
    shipped: Network,
    objective: Objective,
    material: Material,
    card: NetworkCard,
    plan: TrainingPlan,
    directory: Path,
    *,
    facts: dict[str, Any],
    also: Callable[[], dict[str, Any]] = dict,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> Path:
    """``fit_to`` of a ``network`` that exists; ``shipped``, which may be a part of it, is what is written.

    ``also``: what else the card says once training has ended.
    """
    path = directory / f"{plan.name}.safetensors"
    facts = facts | ({} if plan.own is None else _of_own(plan.own, material))
    hyper = asdict(plan.hyper) if plan.hyper else {}
    history = train(
        network,
        material.train,
        objective,
        plan.sigma,
        plan.recipe,
        seed=plan.seed,
        device=device,
        held_out=material.held_out,
        state_file=state_file(directory, plan),
        settings={"architecture": plan.architecture, "method": plan.method, **hyper, **facts},
        report=report,
    )
    whole = _facts(card, plan, material, network, shipped, history, device) | facts | also()
    made = {path: to_bytes(shipped, card), path.with_suffix(".json"): (json.dumps(whole, indent=1) + "\n").encode()}
    for file, data in made.items():
        write_whole(file, data)
    for file, data in made.items():  # a folder that was removed meanwhile is made again, without what was in it
        confirm(file, data)
    return path


def _built(card: NetworkCard, data: DatasetCard) -> Network:
    """The untrained network. Raises ``AcesError`` for one of the user's own whose answers do not fit the labels."""
    network = assemble(find(card.architecture), data, card.outputs)
    if card.architecture not in ARCHITECTURES:
        wanted = (2, card.outputs or data.num_classes)
        try:
            with torch.inference_mode():
                answered = tuple(network.eval()(torch.zeros(2, *data.shape)).shape)
        except Exception as error:  # whatever code of the user's own raises
            raise AcesError(f"{card.architecture} does not read images of {data.shape}: {reason(error)}") from error
        if answered != wanted:
            raise AcesError(f"{card.architecture} answers two images with {answered}; {data.name} needs {wanted}")
    return network


def _of_own(data: DatasetCard, material: Material) -> dict[str, Any]:
    """What the card says of pictures that no name vouches for: the classes, a digest, and whether the splits overlap.

    Raises ``AcesError`` where every picture of the test is learnt from: the accuracies would say nothing.
    """
    learnt = {material.train.content(row) for row in range(len(material.train))}
    both = sum(material.test.content(row) in learnt for row in range(len(material.test)))
    if both == len(material.test):
        raise AcesError(
            f"all {both} test pictures of {data.name} are among those to learn from: put others aside, and name the "
            f"folder of those to learn from as `train` under `data`"
        )
    return {"classes": list(data.classes), "pictures": material.train.digest(), "test_images_also_trained_on": both}


def _facts(
    card: NetworkCard,
    plan: TrainingPlan,
    material: Material,
    network: Network,
    shipped: Network,
    history: list[EpochReport],
    device: str,
) -> dict[str, Any]:
    """The card: what the network is, how it was made, how well it does."""
    test, sigma = material.test, plan.sigma
    return {
        **asdict(card),
        **_of(shipped, plan),
        "command": " ".join(["python -m engine", *sys.argv[1:]]),
        "recipe": asdict(plan.recipe),
        "hyper": asdict(plan.hyper) if plan.hyper else None,
        "seed": plan.seed,
        "train_images": len(material.train),
        "train_sha256": _digest(material.train),
        "own_files": material.train.own,
        "train_encoding": material.train.encoding,
        "test_images": len(test),
        "test_accuracy": round(accuracy(network, test, device=device), 2),
        "test_accuracy_under_noise": round(accuracy(network, test, sigma, device=device), 2) if sigma else None,
        "hardware": _hardware(device),
        "training_seconds": round(sum(epoch.seconds for epoch in history)),
        "held_out": f"every {HELD_OUT_EVERY}th image of the test split, one draw of the training noise each",
        "history": [_line(epoch) for epoch in history],
        "torch": torch.__version__,
        "engine_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _of(shipped: Network, plan: TrainingPlan) -> dict[str, Any]:
    """Whose method, and the identity of what is written."""
    return {
        "paper": None if plan.method in DENOISING else method(plan.method).paper,
        "parameters": sum(p.numel() for p in shipped.parameters()),
        "sha256": weights_sha256(shipped),
    }


def _digest(images: ImageSet) -> str:
    """Of pixels and labels: which rendition of a dataset this was (its PNG, its JPEG), and labelled by whom."""
    digest = hashlib.sha256(images.array().tobytes())
    digest.update(images.label.astype("<i8").tobytes())
    return digest.hexdigest()


def _line(epoch: EpochReport) -> dict[str, Any]:
    return {
        "loss": round(epoch.loss, 4),
        "accuracy": round(epoch.accuracy, 2),
        "held_out_accuracy_under_noise": None if epoch.held_out is None else round(epoch.held_out, 2),
        "seconds": round(epoch.seconds, 1),
        **epoch.tally,
    }


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} CPU cores"
    return f"{threads} ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
