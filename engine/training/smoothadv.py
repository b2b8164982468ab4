"""SMOOTHADV: adversarial training of the smoothed classifier (Salman et al. 2019, section 3.3 and Pseudocode 1)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import AcesError
from engine.models.ascent import ascend, at_most, norms, pixelwise
from engine.training.consistency import cross_entropy, disagreement
from engine.training.objective import BatchResult, Step, noise, noisy_logits

DDN_GAMMA = 0.05  # by which DDN grows or shrinks the norm of its perturbation at every step (Rony et al. 2019)


@dataclass(frozen=True)
class SmoothAdv:
    """``attack`` (pgd, ddn) within an l2 ball of radius ``epsilon`` in pixel units, in ``steps`` steps.

    ``copies`` noise vectors per image (m); ``epsilon`` is reached linearly over ``warm_up`` epochs.
    """

    epsilon: float
    steps: int
    attack: str = "pgd"
    copies: int = 1
    warm_up: int = 1

    def __post_init__(self) -> None:
        if self.attack not in ATTACKS:
            raise AcesError(f"unknown attack '{self.attack}'; known: {', '.join(ATTACKS)}")
        if self.epsilon <= 0 or min(self.steps, self.copies, self.warm_up) < 1:
            raise AcesError(
                f"SmoothAdv with epsilon {self.epsilon}, steps {self.steps}, copies {self.copies}, warm_up "
                f"{self.warm_up}: epsilon is positive, the others start at 1"
            )

    def epsilon_at(self, epoch: int) -> float:
        """The radius of the ball in an epoch, counted from 0."""
        return self.epsilon * min(1.0, (epoch + 1) / self.warm_up)


@dataclass(frozen=True)
class SmoothAdvConsistency(SmoothAdv):
    """SmoothAdv's attack under Consistency's loss, with the weights ``lam`` and ``eta`` of the latter."""

    lam: float = 1.0
    eta: float = 0.5


def smoothadv(network: nn.Module, x: Tensor, y: Tensor, step: Step, h: SmoothAdv) -> BatchResult:
    """mean_i CE(f(x' + eps_i), y), where x' maximises -log mean_i p_y(x' + eps_i) over ||x' - x||_2 <= epsilon.

    The eps_i of the attack are those of the update: fresh ones would meet a perturbation that was made for others.
    """
    logits = _attacked_logits(network, x, y, step, h)
    return BatchResult(cross_entropy(logits, y), logits.softmax(-1).mean(1))


def smoothadv_consistency(network: nn.Module, x: Tensor, y: Tensor, step: Step, h: SmoothAdvConsistency) -> BatchResult:
    """Consistency's loss at SmoothAdv's x' (Jeong and Shin 2020, section 4)."""
    logits = _attacked_logits(network, x, y, step, h)
    loss = cross_entropy(logits, y) + disagreement(logits, h.lam, h.eta)
    return BatchResult(loss, logits.softmax(-1).mean(1))


def _attacked_logits(network: nn.Module, x: Tensor, y: Tensor, step: Step, h: SmoothAdv) -> Tensor:
    eps = noise(x, h.copies, step)
    with _frozen(network):
        x_adv = ATTACKS[h.attack](network, x, y, eps, h.epsilon_at(step.epoch), h.steps, step.generator)
    return noisy_logits(network, x_adv, eps)


def pgd(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    eps: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Projected gradient ascent from x: ``steps`` steps of 2 epsilon / steps along the gradient's l2 direction."""
    return ascend(x, epsilon, steps, lambda x_adv: _ascent(network, x_adv, y, eps, generator)[0])


def ddn(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    eps: Tensor,
    epsilon: float,
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """Decoupled direction and norm (Rony et al. 2019): the smallest perturbation found that changes the answer.

    The norm shrinks where the mode of the copies' answers is already wrong and grows where it is not; an image whose
    answer never changes stays as it is. Pixels are not rounded to 8 bits: that could leave the ball.
    """
    delta, best = torch.zeros_like(x), torch.zeros_like(x)
    best_norm = torch.full((len(x),), torch.inf, device=x.device, dtype=x.dtype)
    norm = torch.full_like(best_norm, epsilon)
    farthest = norms(torch.maximum(x, 1 - x))  # of the corners of the box
    for t in range(steps):
        gradient, answer = _ascent(network, x + delta, y, eps, generator)
        wrong = answer != y
        smaller = wrong & (norms(delta) < best_norm)
        best, best_norm = (
            torch.where(pixelwise(smaller), delta, best),
            torch.where(smaller, norms(delta), best_norm),
        )
        norm = torch.minimum(torch.where(wrong, norm * (1 - DDN_GAMMA), norm * (1 + DDN_GAMMA)), farthest)
        rate = 0.01 + 0.99 * (1 + math.cos(math.pi * t / steps)) / 2
        delta = delta + rate * gradient
        delta = delta * pixelwise(norm / norms(delta).clamp(min=1e-12))
        delta = (x + delta).clamp(0, 1) - x
    return x + at_most(best, epsilon)


ATTACKS = {"pgd": pgd, "ddn": ddn}


def _ascent(network: nn.Module, x: Tensor, y: Tensor, eps: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The unit direction in which the smoothed loss of each image grows fastest, and the mode of its answers [B]."""
    x = x.detach().requires_grad_()
    logits = noisy_logits(network, x, eps)
    (gradient,) = torch.autograd.grad(smoothed_loss(logits, y).sum(), x)
    length = norms(gradient)
    random = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    direction = torch.where(pixelwise(length > 0), gradient, random)
    return direction / pixelwise(norms(direction)), logits.argmax(-1).mode(1).values


def smoothed_loss(logits: Tensor, y: Tensor) -> Tensor:
    """-log mean_i p_y(x + eps_i) of each image: ``logits`` [B, copies, m] -> [B]."""
    log_p_y = logits.log_softmax(-1).gather(2, y[:, None, None].expand(-1, logits.shape[1], 1)).squeeze(2)
    return math.log(logits.shape[1]) - log_p_y.logsumexp(1)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients for the weights, so that an attack moves neither them nor batch statistics."""
    training, learned = network.training, [p for p in network.parameters() if p.requires_grad]
    network.eval()
    for p in learned:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learned:
            p.requires_grad_(True)
        network.train(training)
