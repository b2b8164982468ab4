from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from engine.training.objective import noise, noisy_logits
from engine.training.smoothadv import (
    ATTACKS,
    SmoothAdv,
    SmoothAdvConsistency,
    smoothadv,
    smoothadv_consistency,
    smoothed_loss,
)
from tests.engine.training.formulas import (
    B,
    Y,
    consistency_term,
    finite_differences,
    forward,
    gradient,
    images,
    mean_cross_entropy,
    step,
    tiny,
)

ADV = SmoothAdv(epsilon=0.3, steps=4, copies=3)


def attacked(network: nn.Module, x: torch.Tensor, h: SmoothAdv, epoch: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    s = step(epoch)
    eps = noise(x, h.copies, s)
    return ATTACKS[h.attack](network, x, Y, eps, h.epsilon_at(epoch), h.steps, s.generator), eps


@pytest.mark.parametrize("attack", ["pgd", "ddn"])
def test_the_attack_raises_the_smoothed_loss_and_stays_in_its_ball(attack):
    network, x, h = tiny(), images(), replace(ADV, attack=attack, steps=10)
    x_adv, eps = attacked(network, x, h)
    before, after = (smoothed_loss(noisy_logits(network, z, eps), Y).detach() for z in (x, x_adv))
    moved = (x_adv - x).flatten(1).norm(dim=1)
    assert after.sum() > before.sum() + 0.03
    assert (after >= before - 1e-9).all()
    assert moved.max() > 0.02
    assert (moved <= h.epsilon + 1e-9).all()
    assert x_adv.min() >= 0
    assert x_adv.max() <= 1


def test_pgd_fills_its_ball_where_the_box_allows():
    x_adv, _ = attacked(tiny(), torch.full((B, 1, 2, 2), 0.5, dtype=torch.float64), ADV)
    assert (x_adv - 0.5).flatten(1).norm(dim=1).numpy() == pytest.approx(ADV.epsilon)


def test_ddn_looks_for_the_smallest_change_and_leaves_alone_what_it_cannot_fool():
    network, x = tiny(), images()
    x_adv, eps = attacked(network, x, replace(ADV, attack="ddn", steps=20, epsilon=5.0))
    moved = (x_adv - x).flatten(1).norm(dim=1) > 0
    mode = noisy_logits(network, x_adv, eps).argmax(-1).mode(1).values
    assert (mode != Y)[moved].all()
    assert (noisy_logits(network, x, eps).argmax(-1).mode(1).values == Y)[moved].all()


@pytest.mark.parametrize("attack", ["pgd", "ddn"])
def test_smoothadv_updates_on_the_attacked_images_under_the_attacks_own_noise(attack):
    network, x, h = tiny(), images(), replace(ADV, attack=attack)
    x_adv, eps = attacked(network, x, h)
    seen = (x_adv[:, None] + eps).detach().numpy()
    outcome = smoothadv(network, x, Y, step(), h)
    assert outcome.loss.item() == pytest.approx(mean_cross_entropy(forward(network, seen)), rel=1e-9)
    numeric = finite_differences(network, lambda: mean_cross_entropy(forward(network, seen)))
    assert gradient(network, outcome.loss) == pytest.approx(numeric, abs=1e-6)


def test_consistency_on_smoothadv_adds_the_term_at_the_attacked_images():
    network, x, h = tiny(), images(), SmoothAdvConsistency(0.3, 4, copies=3, lam=4.0, eta=0.5)
    x_adv, eps = attacked(network, x, h)
    z = forward(network, (x_adv[:, None] + eps).detach().numpy())
    loss = smoothadv_consistency(network, x, Y, step(), h).loss.item()
    assert loss == pytest.approx(mean_cross_entropy(z) + consistency_term(z, 4.0, 0.5), rel=1e-9)


def test_the_smoothed_loss_is_that_of_the_mean_probability():
    z = np.random.default_rng(0).normal(size=(B, 4, 3))
    p_y = softmax(z, axis=-1).mean(1)[np.arange(B), Y.numpy()]
    assert smoothed_loss(torch.from_numpy(z), Y).numpy() == pytest.approx(-np.log(p_y))


def test_the_attack_leaves_batch_statistics_weights_and_mode_as_they_were():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3)).train()
    x, modes = torch.rand(B, 1, 8, 8), []
    network.register_forward_hook(lambda m, *_: modes.append((m.training, m[0].weight.requires_grad)))
    smoothadv(network, x, Y, step(), SmoothAdv(0.3, 3)).loss.backward()
    assert modes == [(False, False)] * 3 + [(True, True)]
    assert network.training
    assert int(network[1].num_batches_tracked) == 1  # the update alone
    assert network[0].weight.grad is not None


def test_the_ball_grows_to_its_size_over_the_warm_up():
    h = SmoothAdv(1.0, 2, warm_up=4)
    assert [h.epsilon_at(epoch) for epoch in (0, 1, 3, 9)] == [0.25, 0.5, 1.0, 1.0]
