"""From a method's name to a checkpoint with a card: what ``python -m engine train`` calls."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from engine import __version__, datasets
from engine.models import NetworkCard, build, save, weights_sha256
from engine.training.loop import Recipe, Report, accuracy, train
from engine.training.methods import method


def fit(
    method_name: str,
    dataset: str,
    architecture: str,
    sigma: float,
    recipe: Recipe,
    directory: Path,
    *,
    name: str,
    seed: int = 0,
    device: str = "cpu",
    report: Report = lambda _: None,
) -> Path:
    """Train, or go on training, and write ``name.safetensors`` and its card ``name.json`` into ``directory``.

    The card holds command, recipe, seed, hardware, seconds, the history by epoch, and the accuracy on
    the full test set, clean and under noise. Returns the path of the checkpoint.
    """
    chosen = method(method_name)
    sigma = sigma if chosen.noisy else 0.0
    torch.manual_seed(seed)  # the initial weights
    network = build(architecture, dataset)
    train_set, test_set = datasets.load(dataset, "train"), datasets.load(dataset, "test")
    directory.mkdir(parents=True, exist_ok=True)
    state_file = directory / f"{name}.state.pt"
    history = train(
        network,
        train_set,
        chosen.objective,
        sigma,
        recipe,
        seed=seed,
        device=device,
        state_file=state_file,
        report=report,
    )
    card = NetworkCard(name, architecture, dataset, method_name, sigma)
    path = directory / f"{name}.safetensors"
    save(path, network, card)
    facts = {
        **asdict(card),
        "paper": chosen.paper,
        "parameters": sum(p.numel() for p in network.parameters()),
        "sha256": weights_sha256(network),
        "command": _command(),
        "recipe": asdict(recipe),
        "seed": seed,
        "train_images": len(train_set),
        "test_images": len(test_set),
        "test_accuracy": round(accuracy(network, test_set, device=device), 2),
        "test_accuracy_under_noise": round(accuracy(network, test_set, sigma, device=device), 2) if sigma else None,
        "hardware": _hardware(device),
        "training_seconds": round(sum(epoch.seconds for epoch in history)),
        "history": [
            {"loss": round(epoch.loss, 4), "accuracy": round(epoch.accuracy, 2), "seconds": round(epoch.seconds)}
            for epoch in history
        ],
        "torch": torch.__version__,
        "engine_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")
    state_file.unlink(missing_ok=True)
    return path


def _command() -> str:
    return " ".join(["python -m engine", *sys.argv[1:]])


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores ({platform.machine()}, {torch.backends.cpu.get_cpu_capability()})"
