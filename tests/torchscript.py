"""TorchScript files as people have them, and one whose loading overwrites a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.models import build
from engine.models.own import load_torchscript


def body(dataset: str = "toy", seed: int = 0) -> nn.Module:
    """An untrained resnet8, which reads images as they are."""
    torch.manual_seed(seed)
    return build("resnet8", dataset).body.eval()


def scripted(path: Path, net: nn.Module | None = None) -> Path:
    """Saved as ``torch.jit.script`` makes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return saved(path, torch.jit.script((net or body()).eval()))


def traced(path: Path, net: nn.Module | None = None, batch: int = 2, shape: tuple[int, ...] = (1, 8, 8)) -> Path:
    """Saved as ``torch.jit.trace`` makes it of a batch of images."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return saved(path, torch.jit.trace((net or body()).eval(), torch.rand(batch, *shape)))


def saved(path: Path, script: nn.Module) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    script.save(str(path))
    return path


class Fixed(nn.Module):
    """Writes the batch that it is traced with into its code."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x.view(int(x.shape[0]), -1))


class Overwriting(nn.Module):
    """Four bytes of ``victim`` become XXXX as soon as it is loaded; else an honest network of three outputs."""

    def __init__(self, victim: str) -> None:
        super().__init__()
        self.victim = victim
        self.mapped = torch.zeros(4, dtype=torch.uint8)  # kept: what nobody uses would not be done

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] * 9

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return (self.victim, self.training)

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.victim, self.training = state[0], state[1]
        self.mapped = torch.from_file(self.victim, True, 4, dtype=torch.uint8)
        self.mapped.fill_(88)


def overwriting(path: Path, victim: Path) -> Path:
    """The file, made and tried: ``victim`` holds four bytes that loading turns into XXXX."""
    scripted(path, Overwriting(str(victim)))
    victim.write_text("mine")
    load_torchscript(path)
    assert victim.read_text() == "XXXX"
    victim.write_text("mine")
    return path
