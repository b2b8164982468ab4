"""Projected gradient ascent within an l2 ball around images (Madry et al. 2018): one loop for training and attacks."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def ascend(x: Tensor, epsilon: float, steps: int, direction: Callable[[Tensor], Tensor]) -> Tensor:
    """From ``x`` [B, C, H, W] in [0, 1]: ``steps`` steps of 2 epsilon / steps (Salman et al. 2019), projected.

    ``direction`` of the images as they are gives unit vectors [B, C, H, W]. No image leaves [0, 1] or its ball.
    """
    x_adv = x
    for _ in range(steps):
        inside = (x_adv + 2 * epsilon / steps * direction(x_adv)).clamp(0, 1)
        x_adv = x + at_most(inside - x, epsilon)  # shrinking towards x leaves neither the box nor the ball
    return x_adv


def at_most(delta: Tensor, radius: float) -> Tensor:
    """Scale the perturbations [B, C, H, W] that are longer than ``radius`` back to it."""
    return delta * pixelwise((radius / norms(delta).clamp(min=1e-12)).clamp(max=1.0))


def norms(x: Tensor) -> Tensor:
    """l2 norms [B] of [B, C, H, W]."""
    return x.flatten(1).norm(dim=1)


def pixelwise(values: Tensor) -> Tensor:
    """[B] -> [B, 1, 1, 1]."""
    return values[:, None, None, None]
