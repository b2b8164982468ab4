"""Plain training, for core networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def standard(
    network: nn.Module, x: Tensor, y: Tensor, sigma: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """CE(f(x), y), without noise; ``sigma`` and ``generator`` go unused.

    ``x`` [B, C, H, W] in [0, 1], ``y`` [B]; returns the mean loss and the logits [B, m].
    """
    logits = network(x)
    return F.cross_entropy(logits, y), logits
