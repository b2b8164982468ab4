"""CONSISTENCY: predictions that agree with one another under noise (Jeong and Shin 2020, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from engine.errors import AcesError
from engine.training.objective import BatchResult, Step, noise, noisy_logits


@dataclass(frozen=True)
class Consistency:
    """``copies`` noise vectors per image; ``lam`` weighs agreement (lambda), ``eta`` the entropy of the mean."""

    lam: float
    eta: float = 0.5
    copies: int = 2

    def __post_init__(self) -> None:
        if self.copies < 2 or self.lam < 0 or self.eta < 0:
            raise AcesError(
                f"consistency with copies {self.copies}, lam {self.lam}, eta {self.eta}: "
                f"at least 2 copies have to agree, and weights are not negative"
            )


def consistency(network: nn.Module, x: Tensor, y: Tensor, step: Step, h: Consistency) -> BatchResult:
    """mean_i CE(f(x + eps_i), y) + lambda mean_i KL(pbar || p_i) + eta H(pbar), averaged over the batch.

    p_i = softmax f(x + eps_i), pbar = mean_i p_i, in nats (their eqs. 9 and 10).
    """
    logits = noisy_logits(network, x, noise(x, h.copies, step))
    loss = cross_entropy(logits, y) + disagreement(logits, h.lam, h.eta)
    return BatchResult(loss, logits.softmax(-1).mean(1))


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """The mean over images and copies of CE: ``logits`` [B, copies, m], ``y`` [B] -> scalar."""
    return F.cross_entropy(logits.flatten(0, 1), y.repeat_interleave(logits.shape[1]))


def disagreement(logits: Tensor, lam: float, eta: float) -> Tensor:
    """lambda mean_i KL(pbar || p_i) + eta H(pbar), averaged over the batch: ``logits`` [B, copies, m] -> scalar.

    Gradients flow through pbar as well.
    """
    log_p = logits.log_softmax(-1)
    p_bar = log_p.exp().mean(1)
    log_p_bar = p_bar.clamp(min=1e-20).log()  # 0 log 0 = 0
    kl = (p_bar[:, None] * (log_p_bar[:, None] - log_p)).sum(-1).mean(1)
    entropy = -(p_bar * log_p_bar).sum(-1)
    return (lam * kl + eta * entropy).mean()
