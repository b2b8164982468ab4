"""GAUSSIAN: training under the noise of certification (Cohen et al. 2019, section 3.3)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from engine.training.objective import BatchResult, Step, noise


def gaussian(network: nn.Module, x: Tensor, y: Tensor, step: Step) -> BatchResult:
    """CE(f(x + eps), y) with one fresh eps ~ N(0, sigma^2 I) an image, added in pixel space and not clamped."""
    logits = network(x + noise(x, 1, step).squeeze(1))
    return BatchResult(F.cross_entropy(logits, y), logits)
