"""Selection mechanisms: logits -> a score in [0, 1] a draw; the certification network is selected where score <= theta.

A mechanism is one function on logits [B, m] that returns float32 [B], and an entry in ``MECHANISMS``: that is all that
another one needs. Scores are computed in float32 whatever the network's precision. The function's name is part of what
names stored draws: change the one with the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.errors import AcesError


def entropy(logits: Tensor) -> Tensor:
    """Entropy of softmax(logits) to base m: 0 for a certain network, 1 for a clueless one (ACES, section 3)."""
    log_p = torch.log_softmax(logits.float(), dim=1)
    nats = -(log_p.exp() * log_p).sum(1)
    return (nats / math.log(logits.shape[1])).clamp_(0.0, 1.0)  # rounding alone may leave [0, 1] by 1e-7


def core_probability(logits: Tensor) -> Tensor:
    """A selection network's probability of class 0, "core" (ACES, appendix D.3.2)."""
    return torch.softmax(logits.float(), dim=1)[:, 0].clamp_(0.0, 1.0)


@dataclass(frozen=True)
class Mechanism:
    """A mechanism by name: its score, and the number of outputs that its network must have on m classes."""

    name: str
    score: Callable[[Tensor], Tensor]
    outputs: Callable[[int], int]

    def check(self, outputs: int | None, num_classes: int, where: str) -> None:
        """Raise ``AcesError`` for a network whose outputs the score is not made for; None means not known."""
        needed = self.outputs(num_classes)
        if outputs is None or outputs == needed:
            return
        if outputs == 1:  # as released, the authors' one-output networks score 1 on every image (softmax of one logit)
            raise AcesError(
                f"{where} has one output: its softmax is 1 whatever the image, and the certification network would "
                f"never be selected; a selection network needs {needed} outputs"
            )
        raise AcesError(f"{where} has {outputs} outputs; selection by {self.name} needs {needed}")


MECHANISMS: dict[str, Mechanism] = {
    m.name: m
    for m in (
        Mechanism("network", core_probability, lambda _num_classes: 2),
        Mechanism("entropy", entropy, lambda num_classes: num_classes),
    )
}
