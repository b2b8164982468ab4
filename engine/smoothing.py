"""Smoothing: the noise that draws are taken under, and the radius that a lower bound buys under it, in which norm.

``SMOOTHINGS`` is the registry, and an entry is all that another kind of noise needs: configs and commands accept it by
name, draws are taken under it and kept apart, runs, plans and certificates name it, and texts take its words. torch is
imported when noise is drawn, so that what only computes radii does without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from engine.arrays import Floats
from engine.errors import AcesError

if TYPE_CHECKING:
    import torch

Link = Callable[[Floats], Floats]

WIDTH = math.sqrt(3)  # half the width of the uniform distribution whose standard deviation is 1


@dataclass(frozen=True)
class Smoothing:
    """Noise x + sigma e, and its certificate. ``sigma`` is the standard deviation of a pixel value's noise.

    ``noise``: (shape, generator, device) -> e, float32; ``shown``: the same distribution, for pictures of it. ``link``:
    probabilities -> values, rising, 0 at 1/2, such that x -> link(P(F(x + sigma e) = c)) is (1/sigma)-Lipschitz in the
    l_p norm, p = ``order``, for every F and c. All that is claimed of a radius rests on that property, whose proof
    belongs to docs/statistics.md, section 16. ``label`` names the noise in a text, ``source`` whose guarantee it is,
    ``tex`` its link of ``{p}`` in a formula, ``text`` the same without LaTeX.
    """

    name: str
    order: int
    noise: Callable[[tuple[int, ...], torch.Generator, torch.device], torch.Tensor]
    shown: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    link: Link
    label: str
    source: str
    tex: str
    text: str

    def __post_init__(self) -> None:
        assert self.order >= 1, f"there is no l{self.order} norm"

    @property
    def norm(self) -> str:
        """The norm of its radii, as texts write it."""
        return f"ℓ{self.order}"

    def implied(self, radius: float, values: int) -> float:
        """The l_inf radius that a radius implies for images of so many ``values``: C * H * W.

        A change of every value by less than t has l_p norm below t * values^(1/p), and that is all that is known.
        """
        return radius / self.spread(values)

    def spread(self, values: int) -> float:
        """values^(1/p): the l_p norm of a change of every value by 1."""
        return float(values ** (1 / self.order))


def smoothing(name: str) -> Smoothing:
    """The smoothing of this name. Raises ``AcesError`` that lists the known ones."""
    if name not in SMOOTHINGS:
        raise AcesError(f"unknown smoothing {name!r}; known: {', '.join(SMOOTHINGS)}")
    return SMOOTHINGS[name]


def _gaussian(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    import torch

    return torch.randn(shape, generator=generator, device=device)


def _gaussian_shown(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.normal(size=shape)


def _probit(p: Floats) -> Floats:
    """Phi^-1 (Cohen et al. 2019; Lipschitz by Salman et al. 2019, lemma 2)."""
    value: Floats = ndtri(p)
    return value


def _uniform(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> torch.Tensor:
    import torch

    return torch.rand(shape, generator=generator, device=device).mul_(2).sub_(1).mul_(WIDTH)


def _uniform_shown(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.uniform(-WIDTH, WIDTH, shape)


def _linear(p: Floats) -> Floats:
    """2 lambda (p - 1/2) at lambda = sqrt(3), which is sigma = 1 (Yang et al. 2020)."""
    return 2 * WIDTH * (p - 0.5)


GAUSSIAN = Smoothing(
    "gaussian",
    2,
    _gaussian,
    _gaussian_shown,
    _probit,
    "Gaussian noise",
    "Cohen, Rosenfeld, Kolter 2019",
    r"\Phi^{{-1}}({p})",
    "Φ⁻¹({p})",
)
UNIFORM = Smoothing(
    "uniform",
    1,
    _uniform,
    _uniform_shown,
    _linear,
    "uniform noise",
    "Yang, Duan, Hu, Salman, Razenshteyn, Li 2020",
    r"2\sqrt 3\,({p} - \tfrac12)",
    "2√3 ({p} − ½)",
)
SMOOTHINGS = {card.name: card for card in (GAUSSIAN, UNIFORM)}
