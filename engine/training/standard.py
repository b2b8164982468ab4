"""Plain training, for core networks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from engine.training.objective import BatchResult, Step


def standard(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """CE(f(x), y), without noise; ``step`` goes unused."""
    logits = network(x)
    return BatchResult(F.cross_entropy(logits, y), logits)
