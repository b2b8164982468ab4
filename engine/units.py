"""Noise and radii are in units where a pixel runs from 0 to 1: what can hardly be meant so must be meant expressly."""

from __future__ import annotations

import math

from engine.errors import AcesError

SIGMAS = (1e-6, 1e6)  # beyond which float32 knows no noise, or no picture, whatever the units
LARGEST_SIGMA = 2.0  # drowns every picture; the field goes to 1, of 0 to 255 it would be 0.008
ANSWER = "if they are right, say --units-are-right (in a config `units_are_right: true`)"


def is_sigma(value: object) -> bool:
    """Whether a value of a file can be a standard deviation of noise at all, in whatever units.

    >>> is_sigma(0.25), is_sigma(1e-320), is_sigma(1e308), is_sigma(True), is_sigma("0.25")
    (True, False, False, False, False)
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and SIGMAS[0] <= value <= SIGMAS[1]


def check_sigma(sigma: float, where: str) -> None:
    """Raise ``AcesError`` for noise that can hardly be meant of pixels in [0, 1]; ``where`` names what says it."""
    if 0 < sigma < SIGMAS[0] or sigma > SIGMAS[1]:
        raise AcesError(f"{where}: sigma {sigma:g} is no noise: it lies between {SIGMAS[0]:g} and {SIGMAS[1]:g}")
    if sigma > LARGEST_SIGMA:
        raise AcesError(
            f"{where}: sigma {sigma:g} is more than {LARGEST_SIGMA:g}, where pixels run from 0 to 1 "
            f"({sigma:g} of 255 would be {sigma / 255:.3g}): are these the units? {ANSWER}"
        )


def check_radii(radii: float, pixels: int, where: str) -> None:
    """Raise ``AcesError`` for radii, or their mean, above what lies between the farthest images of so many ``pixels``.

    Two images in [0, 1]^d are at most √d apart.

    >>> check_radii(55.0, 3 * 32 * 32, "a log")
    """
    if radii > math.sqrt(pixels):
        raise AcesError(
            f"{where}: a radius of {radii:.3g} is more than {math.sqrt(pixels):.3g}, the distance of the farthest "
            f"images of {pixels:,} pixels from 0 to 1: are these the units? {ANSWER}"
        )
