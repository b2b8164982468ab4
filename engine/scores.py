"""Selection mechanisms: logits -> a score in [0, 1] a draw; the certification network is selected where score <= theta.

A mechanism is one function on logits [B, m] that returns float32 [B]. Scores are computed in float32 whatever the
network's precision.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def entropy(logits: Tensor) -> Tensor:
    """Entropy of softmax(logits) to base m: 0 for a certain network, 1 for a clueless one (ACES, section 3)."""
    log_p = torch.log_softmax(logits.float(), dim=1)
    nats = -(log_p.exp() * log_p).sum(1)
    return (nats / math.log(logits.shape[1])).clamp_(0.0, 1.0)  # rounding alone may leave [0, 1] by 1e-7


def core_probability(logits: Tensor) -> Tensor:
    """A selection network's probability of class 0, "core" (ACES, appendix D.3.2)."""
    return torch.softmax(logits.float(), dim=1)[:, 0].clamp_(0.0, 1.0)
