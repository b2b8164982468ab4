"""The losses in numpy, in float64, and gradients by finite differences."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from torch import nn

from engine.training.consistency import Consistency, consistency
from engine.training.gaussian import gaussian
from engine.training.macer import Macer, macer
from engine.training.objective import Step
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


OBJECTIVES = {
    "standard": standard,
    "gaussian": gaussian,
    "consistency": partial(consistency, h=Consistency(4.0, 0.5, copies=3)),
    "macer": partial(macer, h=Macer(2.0, copies=5, gamma=3.0, beta=1.5)),
}
