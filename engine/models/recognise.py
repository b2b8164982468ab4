"""Which architecture weights belong to, told by their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import AcesError
from engine.models.registry import ARCHITECTURES, Architecture

# As the files of the field spell them, to the names here. What a file says is a first guess: the authors' selection
# networks say cifar_resnet110 and have two outputs, which are read off the weights.
ARCH = {
    "cifar_resnet20": "resnet20",
    "cifar_resnet50": "resnet50-cifar",
    "cifar_resnet110": "resnet110",
    "cifar_resnet110_selection": "resnet110",
    "cifar_resnet110_binary": "resnet110",
    "cifar100_resnet110": "resnet110",
    "imagenet32_resnet110": "resnet110",
    "resnet50": "resnet50",
}
TRAINING_ONLY = "auxiliary_head."  # LaNet's checkpoint brings it; inference has no use for it
COUNTERS = ".num_batches_tracked"  # absent from files of old torch, and of no consequence


@dataclass(frozen=True)
class Misfit:
    """How weights differ from what an architecture needs: names it misses, names it does not know, other shapes."""

    architecture: str
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.reshaped)

    def __str__(self) -> str:
        parts = [("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", self.reshaped)]
        return "; ".join(f"{len(names)} {what}: {_some(names)}" for what, names in parts if names)


def outputs_of(weights: Mapping[str, Tensor], chosen: Architecture, default: int) -> int:
    """How many outputs the network has: the rows of its last layer's weight, which an empty one has no say in."""
    head = weights.get(chosen.head)
    return len(head) if head is not None and head.ndim and head.numel() else default


def channels_of(weights: Mapping[str, Tensor], default: int = 3) -> int:
    """How many channels the network reads: those of its first convolution."""
    return next((tensor.shape[1] for tensor in weights.values() if tensor.ndim == 4 and tensor.numel()), default)


def compare(weights: Mapping[str, Tensor], chosen: Architecture, channels: int | None = None) -> Misfit:
    """What keeps ``weights`` from fitting an architecture (for images of so many channels, if that is known)."""
    with torch.device("meta"):  # shapes only
        needs = chosen.build(outputs_of(weights, chosen, 2), channels or channels_of(weights)).state_dict()
    has = {name: tensor for name, tensor in weights.items() if not name.startswith(TRAINING_ONLY)}
    return Misfit(
        chosen.name,
        missing=tuple(name for name in needs if name not in has and not name.endswith(COUNTERS)),
        unexpected=tuple(name for name in has if name not in needs),
        reshaped=tuple(name for name in has if name in needs and has[name].shape != needs[name].shape),
    )


def recognise(weights: Mapping[str, Tensor], where: str, first_guess: str | None = None) -> Architecture:
    """The architecture that ``weights`` fit. Raises ``AcesError`` that names the nearest one and what differs."""
    guess = ARCH.get(first_guess or "")
    order = sorted(ARCHITECTURES.values(), key=lambda a: a.name != guess)
    nearest: Misfit | None = None
    for candidate in order:
        misfit = compare(weights, candidate)
        if not misfit.size:
            return candidate
        nearest = misfit if nearest is None or misfit.size < nearest.size else nearest
    said = f" (the file says {first_guess})" if first_guess else ""
    raise AcesError(
        f"{where} fits no known architecture{said}; nearest is {nearest.architecture if nearest else ''}: {nearest}"
    )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(ascii(name)[1:-1][:60] for name in names[:3]) + (", ..." if len(names) > 3 else "")
