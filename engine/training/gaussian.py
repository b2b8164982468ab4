"""GAUSSIAN: training under the noise of certification (Cohen et al. 2019, section 3.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def gaussian(
    network: nn.Module, x: Tensor, y: Tensor, sigma: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """CE(f(x + eps), y) with one fresh eps ~ N(0, sigma^2 I) an image, added in pixel space and not clamped.

    ``x`` [B, C, H, W] in [0, 1], ``y`` [B]; returns the mean loss and the logits [B, m].
    """
    noise = torch.randn(x.shape, generator=generator, device=x.device)
    logits = network(x + sigma * noise)
    return F.cross_entropy(logits, y), logits
