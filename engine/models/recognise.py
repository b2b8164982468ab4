"""Which architecture weights belong to, told by their names and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from engine.errors import AcesError
from engine.models.kinds import COUNTERS, shown
from engine.models.nests import Level, levels
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
MOST_PARTS = 8  # that weights are divided into, to see whether one of them is a network


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
    needs = needed(chosen, outputs_of(weights, chosen, 2), channels or channels_of(weights))
    has = {name: tensor for name, tensor in weights.items() if not name.startswith(TRAINING_ONLY)}
    return Misfit(
        chosen.name,
        missing=tuple(name for name in needs if name not in has and not name.endswith(COUNTERS)),
        unexpected=tuple(name for name in has if name not in needs),
        reshaped=tuple(name for name in has if name in needs and has[name].shape != needs[name].shape),
    )


@lru_cache(maxsize=128)
def needed(chosen: Architecture, outputs: int, channels: int) -> Mapping[str, Tensor]:
    """The state dict that an architecture has, without its values."""
    try:
        with torch.device("meta"):  # shapes only
            return chosen.build(outputs, channels).state_dict()
    except (NotImplementedError, RuntimeError):  # a function of one's own may look at values as it builds
        return chosen.build(outputs, channels).state_dict()


def fit(found: Sequence[Level], chosen: Architecture) -> tuple[Misfit, Level]:
    """The level at which weights fit an architecture best, the outermost of equals, and how far they do not."""
    tried = [(compare(level.weights, chosen), level) for level in found]
    return min(tried, key=lambda one: one[0].size)


def recognise(found: Sequence[Level], where: str, first_guess: str | None = None) -> tuple[Architecture, Level]:
    """The architecture that weights fit, and the level at which they do.

    Raises ``AcesError`` that names the nearest one and what differs, and the part of them that would fit.
    """
    guess = ARCH.get(first_guess or "")
    order = sorted(ARCHITECTURES.values(), key=lambda a: a.name != guess)
    nearest: Misfit | None = None
    for candidate in order:
        misfit, level = fit(found, candidate)
        if not misfit.size:
            return candidate, level
        nearest = misfit if nearest is None or misfit.size < nearest.size else nearest
    said = f" (the file says {shown(first_guess)})" if first_guess else ""
    raise AcesError(
        f"{where} fits no known architecture{said}; nearest is {nearest.architecture if nearest else ''}: {nearest}"
        f"{parts_that_fit(found, order)}"
    )


def parts_that_fit(found: Sequence[Level], candidates: Iterable[Architecture]) -> str:
    """What to say where a part of the weights alone, as a network beside its loss, fits one of ``candidates``."""
    weights = found[-1].weights
    heads = sorted({name.partition(".")[0] for name in weights if "." in name})
    if len(heads) > MOST_PARTS:
        return ""
    for head in heads:
        part = levels({name: tensor for name, tensor in weights.items() if name.startswith(f"{head}.")})
        for candidate in candidates:
            if not fit(part, candidate)[0].size:
                return f"; those under {shown(head)} fit {candidate.name}: say --weights {shown(head)} to take them"
    return ""


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(shown(name) for name in names[:3]) + (", ..." if len(names) > 3 else "")
