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

from engine.errors import AcesError
from engine.mechanisms import mechanism
from engine.models.ascent import ascend
from engine.sampling.stream import Stage
from engine.single_image.evidence import Evidence
from engine.single_image.live import Pair
from engine.single_image.messages import Attack, Judged, no_attack
from engine.single_image.picture import Pixels
from engine.single_image.plan import Plan, fresh_seed
from engine.single_image.segments import roles
from engine.single_image.subject import Streams
from engine.statistics.aces import predict

COPIES, STEPS = 32, 20
JUDGES = 1_000  # fresh draws that judge an image
INDEX = -(2**62)  # of no upload, whose indices have 48 bits


def attack(pair: Pair, tensor: Pixels, plan: Plan, target: int, budget: float) -> Attack:
    """Look for a change of at most ``budget`` (l2, pixel units) that takes the answer ``target`` away.

    Images stay within [0, 1]. Of the two attacks the one is kept that changes the answer, else the one that leaves
    the fewest votes. Raises ``AcesError`` where the certificate is of another norm, of a chain, and where the votes for
    the class select.
    """
    clean = pair.pixels(tensor)
    missing = no_attack(plan)
    if missing:
        raise AcesError(missing)
    before = _judge(pair, clean, plan, target)
    found = []
    for goal, loss in _losses(pair, plan, target).items():
        changed = _ascend(clean, budget, loss)
        after = _judge(pair, changed, plan, target)
        found.append(Attack(changed.cpu().numpy(), float((changed - clean).norm()), goal, before, after))
    return min(found, key=lambda one: (one.held, min(one.after.select, one.after.certify)))


def _losses(pair: Pair, plan: Plan, target: int) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """What to raise, of an image and standard noise [copies, C, H, W]: of the network in question, at its sigma."""
    score = mechanism(pair.networks.mechanism).score
    selects = pair.network if pair.selection is None else pair.selection.origin

    def against_the_class(x: Tensor, noise: Tensor) -> Tensor:
        return -torch.softmax(pair.network(x + plan.sigma * noise), 1)[:, target].mean().log()

    def against_the_selection(x: Tensor, noise: Tensor) -> Tensor:
        return score(selects(x + plan.noise_select * noise)).mean()

    return {"class": against_the_class, "selection": against_the_selection}


def _ascend(clean: Tensor, budget: float, loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """``STEPS`` steps up ``loss`` from one image [C, H, W], each on fresh noise."""
    generator = torch.Generator(clean.device).manual_seed(fresh_seed())

    def direction(x: Tensor) -> Tensor:
        x = x.detach().requires_grad_(True)
        noise = torch.randn((COPIES, *clean.shape), generator=generator, device=clean.device)
        (gradient,) = torch.autograd.grad(loss(x[0], noise), x)
        return gradient / gradient.norm().clamp_min(1e-12)

    return ascend(clean[None], budget, STEPS, direction)[0]


def _judge(pair: Pair, pixels: Tensor, plan: Plan, target: int) -> Judged:
    """Ask fresh draws: the attack must not have seen the noise that judges it."""
    evidence = Evidence.none(pair.dataset.num_classes, pair.core_at(pixels), select=pair.selection is not None)
    for role in roles(plan):
        draws = pair.block(role, pixels, plan, Streams(fresh_seed(), INDEX), Stage.ESTIMATE, 0, JUDGES)
        for stage in ("guess", "estimate"):  # PREDICT needs no guesses of their own
            evidence = evidence.with_draws(stage, draws, role)
    counts = evidence.composition(plan, JUDGES)
    answer = int(predict(counts, [plan.threshold], plan.alpha, plan.t).prediction()[0, 0])
    at = int(np.searchsorted(counts.thetas, plan.threshold + 1e-9, side="right")) - 1
    return Judged(JUDGES, int(counts.select_counts[0, at]), int(counts.class_counts[0, target]), answer, evidence.core)
