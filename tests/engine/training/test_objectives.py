"""The losses against independent numpy computations, their gradients against finite differences, in float64."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from torch import nn

from engine.errors import AcesError
from engine.training.consistency import Consistency, consistency, disagreement
from engine.training.gaussian import gaussian
from engine.training.macer import Macer, macer, robustness
from engine.training.objective import Step, noise, noisy_logits
from engine.training.smoothadv import (
    ATTACKS,
    SmoothAdv,
    SmoothAdvConsistency,
    smoothadv,
    smoothadv_consistency,
    smoothed_loss,
)
from engine.training.standard import standard

B, SIGMA = 6, 0.5
Y = torch.tensor([0, 1, 2, 0, 1, 2])


def tiny() -> nn.Module:
    """2x2 images, three classes, float64: small enough for finite differences in every weight."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(2)  # answers that differ from image to image
    return network


def images() -> torch.Tensor:
    return torch.rand(B, 1, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def step(epoch: int = 0) -> Step:
    return Step(SIGMA, torch.Generator().manual_seed(7), epoch)


def forward(network: nn.Module, x: np.ndarray) -> np.ndarray:
    """The tiny network in numpy: [..., 1, 2, 2] -> [..., 3]."""
    w1, b1, w2, b2 = (p.detach().numpy() for p in network.parameters())
    return np.tanh(x.reshape(*x.shape[:-3], 4) @ w1.T + b1) @ w2.T + b2


def copies(x: torch.Tensor, k: int) -> np.ndarray:
    """The noisy copies that a method sees: [B, k, 1, 2, 2]."""
    eps = torch.randn(B, k, 1, 2, 2, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return (x[:, None] + SIGMA * eps).numpy()


def mean_cross_entropy(z: np.ndarray) -> float:
    log_p = log_softmax(z, axis=-1)
    return float(np.mean([-log_p[j, :, y].mean() for j, y in enumerate(Y.tolist())]))


def consistency_term(z: np.ndarray, lam: float, eta: float) -> float:
    p = softmax(z, axis=-1)
    total = 0.0
    for image in p:
        mean = image.mean(0)
        kl = np.mean([np.sum(mean * np.log(mean / one)) for one in image])
        total += lam * kl - eta * np.sum(mean * np.log(mean))
    return total / len(p)


def macer_loss(z: np.ndarray, lam: float, gamma: float, beta: float) -> tuple[float, int]:
    total, in_g = 0.0, 0
    for image, y in zip(z, Y.tolist(), strict=True):
        total -= np.log(softmax(image, axis=-1).mean(0)[y])
        tempered = softmax(beta * image, axis=-1).mean(0)
        second, first = np.sort(tempered)[-2:]
        margin = norm.ppf(first) - norm.ppf(second)
        if tempered.argmax() == y and margin <= gamma:
            in_g += 1
            total += lam * SIGMA / 2 * (gamma - margin)
    return total / len(z), in_g


def expected(name: str, network: nn.Module, x: torch.Tensor) -> float:
    match name:
        case "standard":
            return mean_cross_entropy(forward(network, x[:, None].numpy()))
        case "gaussian":
            return mean_cross_entropy(forward(network, copies(x, 1)))
        case "consistency":
            z = forward(network, copies(x, 3))
            return mean_cross_entropy(z) + consistency_term(z, 4.0, 0.5)
        case _:
            return macer_loss(forward(network, copies(x, 5)), 2.0, 3.0, 1.5)[0]


OBJECTIVES = {
    "standard": standard,
    "gaussian": gaussian,
    "consistency": partial(consistency, h=Consistency(4.0, 0.5, copies=3)),
    "macer": partial(macer, h=Macer(2.0, copies=5, gamma=3.0, beta=1.5)),
}


def gradient(network: nn.Module, loss: torch.Tensor) -> np.ndarray:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(network.parameters()))]).numpy()


def finite_differences(network: nn.Module, value: partial, h: float = 1e-6) -> np.ndarray:
    weights = nn.utils.parameters_to_vector(network.parameters()).detach()
    slopes = []
    for i in range(len(weights)):
        sides = []
        for sign in (1, -1):
            moved = weights.clone()
            moved[i] += sign * h
            nn.utils.vector_to_parameters(moved, network.parameters())
            sides.append(value())
        slopes.append((sides[0] - sides[1]) / (2 * h))
    nn.utils.vector_to_parameters(weights, network.parameters())
    return np.array(slopes)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_is_its_formula(name):
    network, x = tiny(), images()
    outcome = OBJECTIVES[name](network, x, Y, step())
    assert outcome.loss.item() == pytest.approx(expected(name, network, x), rel=1e-9)
    assert outcome.answer.shape == (B, 3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_is_that_of_the_formula(name):
    network, x = tiny(), images()
    analytic = gradient(network, OBJECTIVES[name](network, x, Y, step()).loss)
    numeric = finite_differences(network, partial(expected, name, network, x))
    assert np.abs(numeric).max() > 0.01
    assert analytic == pytest.approx(numeric, abs=1e-6)


def test_consistency_costs_nothing_beyond_entropy_where_all_copies_agree():
    z = torch.tensor([[[2.0, 1.0, 0.0]] * 4])
    p = softmax([2.0, 1.0, 0.0])
    assert disagreement(z, 100.0, 0.5).item() == pytest.approx(-0.5 * np.sum(p * np.log(p)), rel=1e-5)


def test_consistency_survives_a_probability_of_zero():
    z = torch.tensor([[[300.0, 0.0, 0.0], [300.0, 0.0, 0.0]]], requires_grad=True)
    term = disagreement(z, 10.0, 0.5)
    (slope,) = torch.autograd.grad(term, z)
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(slope).all()


# MACER


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


# SmoothAdv

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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Consistency(10, copies=1), "at least 2 copies"),
        (lambda: Consistency(-1), "not negative"),
        (lambda: Macer(1.0, gamma=0), "gamma and beta are positive"),
        (lambda: SmoothAdv(0.5, 2, attack="fgsm"), "unknown attack 'fgsm'; known: pgd, ddn"),
        (lambda: SmoothAdv(0.0, 2), "epsilon is positive"),
    ],
)
def test_hyper_parameters_that_make_no_sense_are_refused(make, message):
    with pytest.raises(AcesError, match=message):
        make()
