"""How often the intervals over the choice of images hold the truth: the second half of docs/coverage.md.

Images are drawn from populations whose mean radius, mean difference or area is known. Beside each interval stands the
usual one that it replaces, on the same samples. ``python -m benchmarks.coverage`` prints the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import binom, norm

from engine.arrays import Array
from engine.statistics.intervals import area, area_interval, clopper_pearson, mean_interval, rate_interval, wilson

Limits = tuple[float, float]
Draw = Callable[[np.random.Generator, int], Array]

REPETITIONS = 4_000
RESAMPLES = 1_000
SIZES = (100, 500, 10_000)
SHARES = (0.001, 0.005, 0.01, 0.05, 0.2, 0.9)
CEILING = 1.9057  # of n = 100,000, alpha = 0.001 at sigma 0.5
AREAS = (0.8, 0.95, 0.99, 0.999)
SPLITS = ((250, 250), (50, 450), (450, 50), (10, 490))


@dataclass(frozen=True)
class CoverageCell:
    """The share of samples whose interval holds the truth, of this interval and of the usual one."""

    row: str
    column: str
    covered: float
    usual: float


# --- rates -----------------------------------------------------------------------------------------------------


def rates(images: int) -> Iterator[CoverageCell]:
    """The least coverage over all true rates, exact: between two limits coverage is smooth in the rate."""
    percent = 100 * np.arange(images + 1) / images
    methods = (rate_interval, wilson, clopper_pearson)
    ours, wilsons, exact = (_least_coverage(*method(percent, images), images) for method in methods)
    yield CoverageCell(f"{images:,}", "Wilson, widened", ours, wilsons)
    yield CoverageCell(f"{images:,}", "Clopper-Pearson", exact, wilsons)


def _least_coverage(low: Array, high: Array, images: int) -> float:
    """The hits whose interval holds a rate run from one number to another; tried on both sides of every limit."""
    low, high = low / 100, high / 100
    limits = np.concatenate([low, high])
    near = np.concatenate([limits * (1 - 1e-9), limits * (1 + 1e-9), np.linspace(0, 1, 201)])
    rate = np.unique(near[(near > 1e-9) & (near < 1 - 1e-9)])
    first, last = np.searchsorted(high, rate), np.searchsorted(low, rate, side="right") - 1
    return float((binom.cdf(last, images, rate) - binom.cdf(first - 1, images, rate)).min())


# --- means: ACR, and paired differences ------------------------------------------------------------------------


@dataclass(frozen=True)
class Population:
    """What one image contributes: a draw of many, their mean, and the ends that no value can leave."""

    name: str
    draw: Draw
    mean: float
    low: float
    high: float


def radii(share: float) -> list[Population]:
    """Radii of correct answers, of which ``share`` are certified: all at the ceiling, spread evenly, mostly small."""
    small = 0.05
    kinds: dict[str, tuple[Draw, float]] = {
        "all at the ceiling": (lambda rng, n: np.full(n, CEILING), CEILING),
        "spread evenly": (lambda rng, n: rng.uniform(0, CEILING, n), CEILING / 2),
        "one in ten large": (
            lambda rng, n: np.where(rng.random(n) < 0.1, CEILING, small),
            0.1 * CEILING + 0.9 * small,
        ),
    }
    return [Population(name, _some(share, draw), share * mean, 0.0, CEILING) for name, (draw, mean) in kinds.items()]


def _some(share: float, draw: Draw) -> Draw:
    return lambda rng, n: np.where(rng.random(n) < share, draw(rng, n), 0.0)


def changes(won: float, lost: float) -> Population:
    """Differences of correct answers in percentage points: ``won`` and ``lost`` are shares of the images."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        u = rng.random(n)
        return 100.0 * ((u < won).astype(float) - (u > 1 - lost))

    return Population(f"{won:.1%} won, {lost:.1%} lost", draw, 100 * (won - lost), -100.0, 100.0)


def shifts(won: float, lost: float, spread: float) -> Population:
    """Differences of radii: small ones that spread normally, and images whose whole certificate is won or lost."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        u = rng.random(n)
        small = np.clip(rng.normal(0, spread, n), -CEILING, CEILING)
        return np.where(u < won, CEILING, np.where(u > 1 - lost, -CEILING, small))

    name = f"radii: {won:.1%} won, {lost:.1%} lost, others ± {spread}"
    return Population(name, draw, CEILING * (won - lost), -CEILING, CEILING)


PAIRED = (
    changes(0.005, 0.0),
    changes(0.005, 0.005),
    changes(0.02, 0.005),
    changes(0.1, 0.08),
    shifts(0.0, 0.0, 0.05),
    shifts(0.005, 0.0, 0.02),
    shifts(0.02, 0.01, 0.1),
)


def means(population: Population, images: int, repetitions: int, seed: int = 0) -> tuple[float, float]:
    """The shares of samples in which the interval, and in which the percentile bootstrap, holds the mean."""
    rng = np.random.default_rng(seed)
    samples = [population.draw(rng, images) for _ in range(repetitions)]
    ours = [mean_interval(x, population.low, population.high) for x in samples]
    few = np.array(samples[: repetitions // 4], dtype=np.float32)
    return _share(ours, population.mean), _share(list(zip(*bootstrap(few), strict=True)), population.mean)


def bootstrap(samples: Array, seed: int = 0) -> tuple[Array, Array]:
    """Percentile bootstrap intervals of the means of ``samples`` [K, N], all from the same draws of images."""
    rng = np.random.default_rng(seed)
    size = samples.shape[1]
    times = np.stack([np.bincount(rng.integers(size, size=size), minlength=size) for _ in range(RESAMPLES)])
    drawn = samples @ (times.T / size).astype(samples.dtype)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    return low, high


def acr(images: int, share: float, repetitions: int) -> Iterator[CoverageCell]:
    """ACR of ``images`` images of which ``share`` are certified."""
    for population in radii(share):
        yield CoverageCell(f"{images:,}, {share:.1%}", population.name, *means(population, images, repetitions))


def paired(population: Population, repetitions: int) -> Iterator[CoverageCell]:
    """A difference between two compositions on the same images."""
    for images in SIZES:
        yield CoverageCell(population.name, f"{images:,} images", *means(population, images, repetitions))


# --- areas -----------------------------------------------------------------------------------------------------


Scores = Callable[[np.random.Generator, int, int, float], tuple[Array, Array]]


def _normals(wide_early: float, wide_late: float) -> Scores:
    def draw(rng: np.random.Generator, early: int, late: int, true: float) -> tuple[Array, Array]:
        apart = np.hypot(wide_early, wide_late) * ndtri(true)
        return wide_early * rng.normal(size=early), apart + wide_late * rng.normal(size=late)

    return draw


def _reversed(rng: np.random.Generator, early: int, late: int, true: float) -> tuple[Array, Array]:
    """Two kinds wholly apart, but for a share 1 - ``true`` of the early ones that come after all others."""
    return np.where(rng.random(early) < 1 - true, 2.0, 0.0), np.ones(late)


SCORES: dict[str, Scores] = {
    "equal normals": _normals(1, 1),
    "early ones 4 x as wide": _normals(4, 1),
    "late ones 4 x as wide": _normals(1, 4),
    "a few in reverse": _reversed,
}


def areas(early: int, late: int, true: float, repetitions: int, seed: int = 0) -> Iterator[CoverageCell]:
    """The area under a receiver operating curve whose true value is ``true``."""
    for name, draw in SCORES.items():
        rng = np.random.default_rng(seed)
        samples = [draw(rng, early, late, true) for _ in range(repetitions)]
        ours, usual = ([method(*s) for s in samples] for method in (area_interval, delong))
        yield CoverageCell(f"{early} and {late}, {true}", name, _share(ours, true), _share(usual, true))


def delong(early: Array, late: Array) -> Limits:
    """The usual interval of an area (DeLong et al. 1988): the estimate and 1.96 standard errors on either side."""
    ranked = (early[:, None] < late) + (early[:, None] == late) / 2
    error = np.sqrt(sum(x.var(ddof=1) / len(x) for x in (ranked.mean(1), ranked.mean(0))))
    value, z = area(early, late), float(norm.ppf(0.975))
    return value - z * error, value + z * error


def _share(intervals: list[Limits], truth: float) -> float:
    low, high = np.array(intervals).T
    return float(np.mean((low <= truth) & (truth <= high)))


# --- report ----------------------------------------------------------------------------------------------------


def table(corner: str, cells: list[CoverageCell]) -> str:
    """Rows by columns in Markdown, each cell "this interval (the usual one)" in percent."""
    rows, columns = (list(dict.fromkeys(getattr(c, name) for c in cells)) for name in ("row", "column"))
    found = {(c.row, c.column): f"{100 * c.covered:.1f} ({100 * c.usual:.1f})" for c in cells}
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(found[row, column] for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def report(repetitions: int = REPETITIONS) -> Iterator[tuple[str, str, list[CoverageCell]]]:
    """Title, corner and cells of each table."""
    yield "Rates: the least over all true rates, exact", "images", [c for n in (20, *SIZES) for c in rates(n)]
    cells = [c for n in SIZES for share in SHARES for c in acr(n, share, repetitions)]
    yield "ACR", "images, certified", cells
    yield "Paired differences", "B less A", [c for population in PAIRED for c in paired(population, repetitions)]
    cells = [c for split in SPLITS for true in AREAS for c in areas(*split, true, repetitions)]
    yield "Areas under receiver operating curves", "images of either kind, true area", cells
