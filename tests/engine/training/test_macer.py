from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.training.macer import Macer, macer, robustness
from engine.training.objective import noisy_logits
from tests.engine.training.formulas import OBJECTIVES, Y, copies, expected, forward, images, macer_loss, step, tiny


def test_macer_rewards_a_larger_certified_radius():
    h = Macer(1.0, copies=1, beta=1.0)
    z = torch.tensor([[[1.0, 0.0, -1.0]], [[1.5, 0.0, -1.0]]])  # the second has the larger margin
    hinge, in_g = robustness(z, torch.tensor([0, 0]), h)
    assert in_g.all()
    assert hinge[1] < hinge[0]


@pytest.mark.parametrize(
    ("logits", "counted"),
    [([1.0, 0.0, 0.0], True), ([0.0, 1.0, 0.0], False), ([40.0, 0.0, 0.0], False)],
    ids=["right", "wrong", "far beyond gamma"],
)
def test_macers_robust_set_holds_right_answers_within_gamma(logits, counted):
    z = torch.tensor([[logits]], requires_grad=True)
    hinge, in_g = robustness(z, torch.tensor([0]), Macer(1.0, copies=1, beta=1.0))
    assert bool(in_g[0]) is counted
    (slope,) = torch.autograd.grad(hinge.sum(), z)
    assert torch.isfinite(slope).all()  # a probability of exactly 1 in float32 has no inverse normal
    assert bool(slope.any()) is counted


def test_macer_tallies_its_robust_set():
    network, x = tiny(), images()
    outcome = OBJECTIVES["macer"](network, x, Y, step())
    assert int(outcome.tally["robust"]) == macer_loss(forward(network, copies(x, 5)), 2.0, 3.0, 1.5)[1] > 0


def test_macer_defers_its_robustness_term():
    network, x = tiny(), images()
    h = Macer(2.0, copies=5, gamma=3.0, beta=1.5, defer=2)
    before, after = (macer(network, x, Y, step(epoch), h).loss.item() for epoch in (1, 2))
    assert before == pytest.approx(macer(network, x, Y, step(), replace(h, lam=0.0)).loss.item())
    assert after == pytest.approx(expected("macer", network, x))


def test_macers_set_does_not_empty_under_bfloat16():
    z = torch.tensor([[[1.0, 0.6, 0.0]]] * 4, dtype=torch.bfloat16)
    logits = noisy_logits(lambda x: z.flatten(0, 1), torch.zeros(4, 1, 1, 1), torch.zeros(4, 1, 1, 1, 1))
    assert logits.dtype == torch.float32
    assert robustness(logits, torch.zeros(4, dtype=torch.long), Macer(1.0, copies=1))[1].all()
