"""What a training method is, and the noise that the methods share.

A method is a function ``(network, x, y, step) -> BatchResult``; what can be tuned in it comes as one frozen dataclass
that ``functools.partial`` binds. ``x`` [B, C, H, W] in [0, 1], ``y`` int64 [B].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Step:
    """Where training stands: noise level in pixel units, the randomness of this epoch, whole epochs behind it."""

    sigma: float
    generator: torch.Generator
    epoch: int = 0


@dataclass(frozen=True, eq=False)
class BatchResult:
    """``loss``, a scalar; ``answer`` [B, m], whose argmax is the prediction; ``tally``, how many images of each kind.

    Tallies are scalars that are summed over the epoch and logged.
    """

    loss: Tensor
    answer: Tensor
    tally: Mapping[str, Tensor] = field(default_factory=dict)


Objective = Callable[[nn.Module, Tensor, Tensor, Step], BatchResult]


def noise(x: Tensor, copies: int, step: Step) -> Tensor:
    """``copies`` fresh eps ~ N(0, sigma^2 I) an image: [B, copies, C, H, W]."""
    shape = (len(x), copies, *x.shape[1:])
    return step.sigma * torch.randn(shape, generator=step.generator, device=x.device, dtype=x.dtype)


def noisy_logits(network: nn.Module, x: Tensor, eps: Tensor) -> Tensor:
    """f(x + eps_i) for every copy, in pixel space and not clamped: [B, copies, m], float32 or wider."""
    logits = network((x[:, None] + eps).flatten(0, 1)).unflatten(0, eps.shape[:2])
    return logits.to(torch.promote_types(logits.dtype, torch.float32))  # bfloat16 ends before softmax and log begin
