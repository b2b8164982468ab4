"""``python -m benchmarks.deployment``: how much the Deploy box's numbers flatter, on the demo, and whether what it
expects of other images comes true, on images that are made up.

``--repeats N``: of the made-up sets (default 200, some minutes a line); 0 leaves them out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from cache.catalog import DEMO, Catalog
from engine.figures.deploy import acr_elsewhere, rate_elsewhere
from engine.records.compose import Composition, compose
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.deployment import SCALE, Measure, Rule, Tally, choose, halvings, optimism, tally
from engine.statistics.intervals import Estimate, mean_interval, rate_interval
from engine.statistics.metrics import composition_ceiling

MEASURE = Measure(DEFAULT_ALPHA, DEFAULT_CORRECTION)
RULES = tuple(Rule(float(floor), surely) for floor in (75, 80, 85, 90) for surely in (False, True))


def demo() -> list[Composition]:
    """The demo's twelve compositions on Fashion-MNIST: four trainings at three noise levels."""
    catalog = Catalog(demo=DEMO)
    core = catalog.load("fashion_mnist-core")
    names = [m.name for m in catalog.metas() if m.kind == "smoothed" and m.dataset == "fashion_mnist"]
    runs = [catalog.load(name) for name in sorted(names) if "@" not in name]
    return [compose(run, core) for run in runs]


@dataclass(frozen=True)
class ChosenPoint:
    """A rule's point among all compositions, with its metrics on the images that it was chosen on."""

    composition: Composition
    theta: float
    position: int
    nac: float
    robustness: float


def pick(compositions: list[Composition], tallies: list[Tally], rule: Rule) -> ChosenPoint | None:
    """The point that the rule chooses on all images, among the thresholds of the tallies."""
    nac, robustness = (np.concatenate([_whole(t, k) for t in tallies]) for k in (0, 1))
    images = np.concatenate([np.full(t.first[0].shape[1], t.images) for t in tallies])
    at = int(choose(nac[None], robustness[None], images, rule)[0])
    if at < 0:
        return None
    start = 0
    for c, t in zip(compositions, tallies, strict=True):
        count = t.first[0].shape[1]
        if at < start + count:
            thetas = c.thetas[:: max(1, len(c.thetas) // 200)]
            return ChosenPoint(c, float(thetas[at - start]), at, float(nac[at]), float(robustness[at]))
        start += count
    raise AssertionError(at)


def _whole(t: Tally, k: int) -> np.ndarray:
    half = t.images // 2
    whole: np.ndarray = (half * t.first[k][0] + (t.images - half) * t.second[k][0]) / t.images
    return whole


def tallies_of(compositions: list[Composition]) -> list[Tally]:
    """Sums over the halves; the compositions share their images."""
    images = np.unique(compositions[0].index)
    first = halvings(images)
    return [tally(c, MEASURE, images, first) for c in compositions]


def demo_lines() -> Iterator[str]:
    """A row for each question: what is shown of the choice, and what is expected of it on other images."""
    compositions = demo()
    tallies = tallies_of(compositions)
    yield "| NAC at least | NAC here | expected | flatters by | ACR here | expected | flatters by |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for rule in RULES:
        found, flattery = pick(compositions, tallies, rule), optimism(tallies, rule)
        if found is None:
            continue
        nac, acr = SCALE * flattery.nac, SCALE * flattery.robustness
        name = f"{rule.floor:g} %{', at 95 % confidence' if rule.surely else ''}"
        yield (
            f"| {name} | {found.nac:.1f} % | {found.nac - nac:.1f} % | {nac:.1f} points | {found.robustness:.3f} "
            f"| {found.robustness - acr:.3f} | {100 * acr / found.robustness:.1f} % |"
        )


# --- images that are made up: what is expected against what is so ---------------------------------------------------


def population(rng: np.random.Generator, images: int, fronts: int) -> list[Composition]:
    """Compositions at several noise levels on the same images, easy ones among them and hard ones; 3 classes."""
    easy, label = rng.beta(2, 1, images), rng.integers(0, 3, images)
    core = np.where(rng.random(images) < 0.9 + 0.09 * easy, label, (label + 1) % 3)
    return [_composition(rng, front, easy, label, core) for front in range(fronts)]


def _composition(
    rng: np.random.Generator, front: int, easy: np.ndarray, label: np.ndarray, core: np.ndarray
) -> Composition:
    images, sigma, thetas = len(label), (0.25, 0.5, 1.0)[front % 3], np.arange(101) / 100
    sure = np.clip(easy + 0.15 * rng.standard_normal(images) - 0.12 * (front % 3), 0.02, 0.995)
    top = np.where(rng.random(images) < 0.5 * (1 - sure), (label + 1) % 3, label)
    p = np.full((images, 3), (1 - sure[:, None]) / 3)
    p[np.arange(images), top] += sure
    centre = np.clip(0.9 * (1 - sure) + 0.05 * rng.standard_normal(images), 0, 1)
    below = norm.cdf((thetas - centre[:, None]) / 0.1)
    below[:, -1] = 1.0
    steps = np.diff(below, prepend=0.0, axis=1).clip(0, 1)
    steps /= steps.sum(1, keepdims=True)
    network = NetworkInfo("made-up", "0" * 64, "gaussian", sigma)
    run = SmoothedRun(
        Meta(
            "smoothed", f"front-{front}", "toy", 3, split="test", sigma=sigma, n0=100, n=1000, seed=0, network=network
        ),
        np.arange(images),
        label,
        rng.multinomial(100, p),
        rng.multinomial(1000, p),
        thetas,
        rng.multinomial(100, steps).cumsum(1),
        rng.multinomial(1000, steps).cumsum(1),
        centre.astype(np.float32),
    )
    return compose(run, CoreRun(Meta("core", "core", "toy", 3, split="test"), np.arange(images), label, core))


@dataclass(frozen=True)
class Trial:
    """One made-up set: here, expected and true, of NAC and of ACR; whether the intervals hold the truth."""

    here: tuple[float, float]
    expected: tuple[Estimate, Estimate]
    true: tuple[float, float]
    naive: tuple[tuple[float, float], tuple[float, float]]


def trials(fronts: int, images: int, rule: Rule, repeats: int, seed: int = 1) -> list[Trial]:
    """Sets of images drawn from one population, the rule's choice on each, and its truth: that of 40,000 images."""
    rng = np.random.default_rng(seed)
    truth = [_truth(c) for c in population(rng, 40_000, fronts)]
    nac, acr = (np.concatenate([t[k] for t in truth]) for k in (0, 1))
    found = []
    for _ in range(repeats):
        compositions = population(rng, images, fronts)
        tallies = tallies_of(compositions)
        chosen = pick(compositions, tallies, rule)
        if chosen is None:
            continue
        flattery = optimism(tallies, rule)
        radii = MEASURE.of(chosen.composition, np.array([chosen.theta]))[1][:, 0]
        wide = rate_interval(chosen.nac, images)
        boot = mean_interval(radii, 0.0, composition_ceiling(chosen.composition, MEASURE.alpha, MEASURE.correction))
        here = Estimate(chosen.robustness, *boot)
        expected = rate_elsewhere(chosen.nac, flattery.nac, images), acr_elsewhere(here, flattery.robustness)
        naive = (float(wide[0]), float(wide[1])), (boot[0], boot[1])
        true = float(nac[chosen.position]), float(acr[chosen.position])
        found.append(Trial((chosen.nac, chosen.robustness), expected, true, naive))
    return found


def _truth(c: Composition) -> tuple[np.ndarray, np.ndarray]:
    sums = [np.zeros(len(c.thetas)), np.zeros(len(c.thetas))]
    for start in range(0, len(c), 5000):
        for total, part in zip(sums, MEASURE.of(c.rows(slice(start, start + 5000)), c.thetas), strict=True):
            total += part.sum(0)
    return sums[0] / len(c), sums[1] / len(c)


def made_up_lines(repeats: int) -> Iterator[str]:
    """A row for each population: bias of what is shown and of what is expected, and coverage of both intervals."""
    heads = (
        *("compositions", "images", "NAC at least", "NAC here", "expected", "true", "holds"),
        *("ACR here", "expected", "true", "holds"),
    )
    yield f"| {' | '.join(heads)} |"
    yield "|---:|---:|---|" + "---:|" * 8
    questions = [
        (1, 500, 90, False),
        (4, 500, 90, False),
        (4, 500, 90, True),
        (12, 500, 90, False),
        (4, 200, 88, False),
    ]
    for fronts, images, floor, surely in questions:
        found = trials(fronts, images, Rule(float(floor), surely), repeats)
        cells = [f"{fronts}", f"{images}", f"{floor} %{', at 95 % confidence' if surely else ''}"]
        for k, form in ((0, ".1f"), (1, ".3f")):
            means = [np.mean([value(t, k) for t in found]) for value in (_here, _expected, _true)]
            cells += [*(format(mean, form) for mean in means), f"{covered(found, k):.1f} %"]
        yield f"| {' | '.join(cells)} |"


def _here(t: Trial, k: int) -> float:
    return t.here[k]


def _expected(t: Trial, k: int) -> float:
    return t.expected[k].value


def _true(t: Trial, k: int) -> float:
    return t.true[k]


def covered(found: list[Trial], k: int) -> float:
    """In how many percent the interval of what is expected holds the truth, of NAC (0) or ACR (1)."""
    return 100 * float(np.mean([t.expected[k].low <= t.true[k] <= t.expected[k].high for t in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    for line in demo_lines():
        print(line)
    for line in made_up_lines(repeats) if repeats else ():
        print(line, flush=True)


if __name__ == "__main__":
    main()
