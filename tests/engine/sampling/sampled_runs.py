"""What a config samples, on the toy dataset."""

from __future__ import annotations

from pathlib import Path

import torch

from cache.store import Store
from engine.models import NetworkCard, architecture, assemble, build, save
from engine.sampling.config import read_config
from engine.sampling.precompute import precompute
from engine.sampling.work import Progress
from tests import toy


def make(config: Path, store: Path, **changes):
    reports: list[Progress] = []
    settings = read_config(config).model_copy(update=changes)
    with Store(store) as opened:
        made = precompute(settings, opened, report=reports.append)
    return made, reports


def sampled(reports: list[Progress]) -> int:
    return reports[-1].draws - reports[-1].cached if reports else 0


def selecting(folder: Path, outputs: int, part: str = "select", extra: str = "") -> Path:
    """The toy config, and a network of so many outputs in it as ``part``."""
    torch.manual_seed(5)
    network = assemble(architecture("resnet8"), toy.CARD, outputs)
    save(folder / "other.safetensors", network, NetworkCard("other", "resnet8", "toy", "gaussian", 0.25))
    path = toy.config(folder)
    entry = f"\n  - checkpoint: other.safetensors\n{extra}"
    text = path.read_text()
    path.write_text(text.replace(f"{part}:", f"{part}:{entry}") if f"{part}:" in text else f"{text}{part}:{entry}")
    return path


def of_two_classes(folder: Path, *mechanisms: str, named: bool = False) -> Path:
    """A config of one certification network and the same selection network under each mechanism."""
    for name, seed in (("noisy", 0), ("judge", 1)):
        torch.manual_seed(seed)
        save(
            folder / f"{name}.safetensors",
            build("resnet8", "two"),
            NetworkCard(name, "resnet8", "two", "gaussian", 0.25),
        )
    entries = "".join(
        f"  - checkpoint: judge.safetensors\n    mechanism: {m}\n" + (f"    name: judge-{m}\n" if named else "")
        for m in mechanisms
    )
    path = folder / "two.yaml"
    path.write_text(f"dataset: two\nn0: 50\nn: 300\ncertify: [{{checkpoint: noisy.safetensors}}]\nselect:\n{entries}")
    return path
