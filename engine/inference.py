"""A network made fast and frozen: evaluation mode, batch norm folded, channels last, fixed precision and batch.

What is certified is the network *as run*: precision, memory format and batch belong to its identity, and a frozen
network always runs at the batch size it was frozen for.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from engine.errors import AcesError
from engine.models import Network

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """Images in [0, 1], float32 [batch, C, H, W] -> logits float32 [batch, m], without gradients."""

    normalize: nn.Module
    body: nn.Module
    precision: str
    device: torch.device
    batch: int

    @torch.inference_mode()
    def __call__(self, x: Tensor) -> Tensor:
        # Normalised in float32 before the cast: exact also at zero-padded borders, where folding the mean is not.
        normal = self.normalize(x).to(PRECISIONS[self.precision], memory_format=torch.channels_last)
        logits: Tensor = self.body(normal)
        return logits.float()


def freeze(network: Network, precision: str = "float32", device: str = "cpu", batch: int = 250) -> FrozenNetwork:
    """Freeze a copy of ``network``; the original is left as it is.

    Raises ``AcesError`` for an unknown precision or a device that is not there.
    """
    if precision not in PRECISIONS:
        raise AcesError(f"unknown precision '{precision}'; known: {', '.join(PRECISIONS)}")
    where = resolve_device(device)
    body = _fold_batch_norm(copy.deepcopy(network.body).cpu().eval())
    body = body.to(where, PRECISIONS[precision]).to(memory_format=torch.channels_last)
    body.requires_grad_(False)
    return FrozenNetwork(copy.deepcopy(network.normalize).to(where).eval(), body, precision, where, batch)


def _fold_batch_norm(body: nn.Module) -> nn.Module:
    """Fold batch norms into the convolutions before them; a body that torch.fx cannot trace stays as it is."""
    try:
        return fuse(body)
    except (torch.fx.proxy.TraceError, TypeError, RuntimeError):
        return body


def resolve_device(device: str) -> torch.device:
    """The torch device of that name. Raises ``AcesError`` if this machine does not have it."""
    try:
        where = torch.device(device)
        torch.empty(1, device=where)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise AcesError(f"device '{device}' is not available ({reason}); use --device cpu") from error
    return where


def check_network(frozen: FrozenNetwork, example: Tensor, num_classes: int) -> None:
    """Refuse, before any sampling, a network whose answers could not be counted.

    ``example`` is one image [C, H, W]. Raises ``AcesError`` for a wrong number of outputs, for NaN or infinity, and
    for a network that answers the same batch differently twice (dropout left on).
    """
    x = example.to(frozen.device).expand(frozen.batch, *example.shape).contiguous()
    try:
        first, second = frozen(x), frozen(x)
    except (RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise AcesError(f"the network cannot read images of shape {tuple(example.shape)}: {reason}") from error
    if first.shape != (frozen.batch, num_classes):
        raise AcesError(f"the network has {first.shape[-1]} outputs; the dataset has {num_classes} classes")
    if not torch.isfinite(first).all():
        raise AcesError("the network returns NaN or infinite logits: check its weights and its precision")
    if not torch.equal(first, second):
        raise AcesError("the network answers the same images differently twice: is dropout left on?")
