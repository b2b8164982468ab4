"""MACER: training that enlarges the certified radius itself, without an attack (Zhai et al. 2020, section 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import AcesError
from engine.training.objective import BatchResult, Step, noise, noisy_logits

CLAMP = 1e-6  # Phi^-1 of float32 stays finite, |Phi^-1| <= 4.75, and margins beyond any gamma in use stay beyond it


@dataclass(frozen=True)
class Macer:
    """``copies`` noise vectors per image (k); ``lam`` weighs robustness (lambda), 0 for the first ``defer`` epochs.

    ``gamma``: margins beyond it are large enough; ``beta``: inverse temperature of the softmax in the margin.
    """

    lam: float
    copies: int = 16
    gamma: float = 8.0
    beta: float = 16.0
    defer: int = 0

    def __post_init__(self) -> None:
        if self.copies < 1 or self.lam < 0 or self.gamma <= 0 or self.beta <= 0 or self.defer < 0:
            raise AcesError(
                f"MACER with copies {self.copies}, lam {self.lam}, gamma {self.gamma}, beta {self.beta}, defer "
                f"{self.defer}: copies start at 1, gamma and beta are positive, lam and defer not negative"
            )


def macer(network: nn.Module, x: Tensor, y: Tensor, step: Step, h: Macer) -> BatchResult:
    """(1/B) [ sum_j -log q_y  +  lambda (sigma / 2) sum_{j in G} (gamma - margin_j) ]  (their eq. 9).

    q = mean_i softmax f(x + eps_i); the margin is Phi^-1(q1) - Phi^-1(q2) of the two largest entries of the tempered
    mean_i softmax(beta f(x + eps_i)), so that sigma / 2 x margin is the certified radius. G, the robust set, holds the
    images that the tempered mean classifies correctly with a margin of at most gamma; its size is tallied as
    ``robust``.
    """
    logits = noisy_logits(network, x, noise(x, h.copies, step))
    q = logits.softmax(-1).mean(1)
    q_y = q.gather(1, y[:, None]).squeeze(1)
    hinge, in_g = robustness(logits, y, h)
    lam = h.lam if step.epoch >= h.defer else 0.0
    loss = ((q_y + 1e-10).log().neg().sum() + lam * step.sigma / 2 * hinge.sum()) / len(x)
    return BatchResult(loss, q, {"robust": in_g.sum()})


def robustness(logits: Tensor, y: Tensor, h: Macer) -> tuple[Tensor, Tensor]:
    """gamma - margin of every image [B], 0 outside G; and G itself, boolean [B]. ``logits`` [B, copies, m]."""
    top, classes = (h.beta * logits).softmax(-1).mean(1).topk(2)
    quantiles = torch.special.ndtri(top.clamp(CLAMP, 1 - CLAMP))
    margin = quantiles[:, 0] - quantiles[:, 1]
    in_g = (classes[:, 0] == y) & (margin <= h.gamma)
    return torch.where(in_g, h.gamma - margin, 0.0), in_g
