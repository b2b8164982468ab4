"""Trying to break a certificate: an l2 attack on the smoothed system. It illustrates; failing to break proves nothing.

Projected gradient ascent on the average over noisy copies (SmoothAdv: Salman et al. 2019, section 2.2), once against
the class and once against the selection, with steps along the l2-normalised gradient. What comes out is judged by
fresh draws and by PREDICT (Algorithm 4), before and after.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.aces import predict
from engine.errands import Attack, Judged
from engine.evidence import Evidence
from engine.live import Pair
from engine.pictures import Pixels
from engine.plan import Plan, fresh_seed
from engine.sampling import Stage
from engine.scores import entropy

COPIES, STEPS = 32, 20
JUDGES = 1_000  # fresh draws that judge an image
INDEX = -(2**62)  # of no upload, whose indices have 48 bits


def attack(pair: Pair, tensor: Pixels, plan: Plan, target: int, budget: float) -> Attack:
    """Look for a change of at most ``budget`` (l2, pixel units) that takes the answer ``target`` away.

    Images stay within [0, 1]. Of the two attacks the one is kept that changes the answer, else the one that leaves
    the fewest votes.
    """
    clean = pair.pixels(tensor)
    before = _judge(pair, clean, plan, target)
    found = []
    for goal, loss in _losses(target).items():
        changed = _ascend(pair, clean, plan.sigma, budget, loss)
        after = _judge(pair, changed, plan, target)
        found.append(Attack(changed.cpu().numpy(), float((changed - clean).norm()), goal, before, after))
    return min(found, key=lambda one: (one.held, min(one.after.select, one.after.certify)))


def _losses(target: int) -> dict[str, Callable[[Tensor], Tensor]]:
    """What to raise over the logits [copies, m] of noisy copies."""

    def against_the_class(logits: Tensor) -> Tensor:
        return -torch.softmax(logits, 1)[:, target].mean().log()

    def against_the_selection(logits: Tensor) -> Tensor:
        return entropy(logits).mean()

    return {"class": against_the_class, "selection": against_the_selection}


def _ascend(pair: Pair, clean: Tensor, sigma: float, budget: float, loss: Callable[[Tensor], Tensor]) -> Tensor:
    """``STEPS`` steps of twice the budget over their number (Salman et al.), each on fresh noise, projected."""
    network = pair.network
    generator = torch.Generator(clean.device).manual_seed(fresh_seed())
    delta = torch.zeros_like(clean)
    for _ in range(STEPS):
        delta.requires_grad_(True)
        noise = torch.randn((COPIES, *clean.shape), generator=generator, device=clean.device)
        (gradient,) = torch.autograd.grad(loss(network(clean + delta + sigma * noise)), delta)
        step = delta.detach() + 2 * budget / STEPS * gradient / gradient.norm().clamp_min(1e-12)
        delta = _project((clean + step).clamp(0, 1) - clean, budget)
    return clean + delta


def _project(delta: Tensor, budget: float) -> Tensor:
    """Into the ball. Clamped before: shrinking towards the image keeps pixels within [0, 1]."""
    return delta * min(1.0, budget / max(float(delta.norm()), 1e-12))


def _judge(pair: Pair, pixels: Tensor, plan: Plan, target: int) -> Judged:
    """Ask fresh draws: the attack must not have seen the noise that judges it."""
    draws = pair.block(pixels, plan.sigma, fresh_seed(), INDEX, Stage.ESTIMATE, 0, JUDGES)
    core = pair.core_at(pixels)
    evidence = Evidence(pair.dataset.num_classes, core, draws, draws)  # PREDICT needs no guesses of their own
    counts = evidence.composition(plan.sigma, JUDGES)
    answer = int(predict(counts, [plan.theta], plan.alpha).prediction()[0, 0])
    at = int(np.searchsorted(counts.thetas, plan.theta + 1e-9, side="right")) - 1
    return Judged(JUDGES, int(counts.select_counts[0, at]), int(counts.class_counts[0, target]), answer, core)
