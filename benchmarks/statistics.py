"""Time and memory of the metrics after a change of alpha, t or bound, of the envelope over 21 shares of votes, and of
a chain's grid: ``python -m benchmarks.statistics``.

What a slider costs: 1001 thresholds, every metric, with an alpha that has not been looked at before (so that no
count-to-radius table is at hand) and with one that has.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engine.records.compose import Composition, LaterStage
from engine.statistics import bounds
from engine.statistics.chain_grid import chain_grid
from engine.statistics.envelope import envelope
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate

THETAS = np.arange(1001) / 1000
CLASSES = 10
TARGETS = {500: 50.0, 10_000: 500.0}  # milliseconds
SIZES = [(images, n) for images in TARGETS for n in (10_000, 100_000)]


@dataclass(frozen=True)
class TimingRow:
    """Milliseconds with a new alpha and with a known one; megabytes allocated at the peak, beyond the counts."""

    images: int
    n: int
    cold: float
    warm: float
    megabytes: float


def composition(images: int, n: int, n0: int = 100, seed: int = 0) -> Composition:
    """Counts as a good network gives them: most images certain, some in doubt, every threshold used."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(CLASSES, 0.08), images)
    # P(score <= theta) of a logistic score: its centre differs by image, its width is that of noisy entropies.
    centre = rng.beta(1, 3, (images, 1))
    select = 1 / (1 + np.exp(-(THETAS - centre) / 0.05))
    select[:, -1] = 1.0
    counts0, counts = (np.maximum.accumulate(rng.binomial(k, select), axis=1).astype(np.int32) for k in (n0, n))
    label = p.argmax(1)
    return Composition(
        index=np.arange(images), label=label, core=np.where(rng.random(images) < 0.95, label, 0),
        sigma=0.5, n0=n0, n=n,
        class_counts0=rng.multinomial(n0, p).astype(np.int32), class_counts=rng.multinomial(n, p).astype(np.int32),
        sigma_select=0.5, n0_select=n0, n_select=n, thetas=THETAS, select_counts0=counts0, select_counts=counts,
        score_median=centre[:, 0].astype(np.float32),
    )  # fmt: skip


def milliseconds(
    work: Callable[[], object], repetitions: int = 7, before: Callable[[], object] = lambda: None
) -> float:
    """The fastest of some repetitions, as whatever else runs can only add; ``before`` each is not counted."""
    times = []
    for _ in range(repetitions):
        before()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


def forget() -> None:
    """Drop the tables, as a new alpha finds them."""
    bounds.z_table.cache_clear()
    bounds.lower_bounds.cache_clear()
    bounds.critical_count.cache_clear()


def peak_megabytes(work: Callable[[], object]) -> float:
    """Memory allocated at the peak of ``work``, beyond what was held before."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def measure(images: int, n: int) -> TimingRow:
    """One row of the report."""
    c = composition(images, n)

    def work() -> object:
        return evaluate(c, THETAS, alpha=0.001)

    cold = milliseconds(work, before=forget)
    warm = milliseconds(work)
    forget()
    return TimingRow(images, n, cold, warm, peak_megabytes(work))


def report_changes(n: int = 100_000) -> None:
    """What a change of alpha, t or bound costs, what the envelope does, and how it grows with the images."""
    few, many = composition(500, n), composition(10_000, n)
    changes: dict[str, Callable[[], object]] = {
        "alpha": lambda: evaluate(few, THETAS, alpha=0.001),
        "t": lambda: evaluate(few, THETAS, t=0.3),
        "bound": lambda: evaluate(few, THETAS, bound=Bound.MARGIN),
        "envelope": lambda: envelope(few),
        "envelope, margin": lambda: envelope(few, bound=Bound.MARGIN),
        "envelope, certified accuracy at r = 0": lambda: envelope(few, radius=0.0),
    }
    print("\n| 500 images, n = 100,000 | no tables | tables known | memory |\n|---|---|---|---|")
    for name, work in changes.items():
        cold, warm = milliseconds(work, before=forget), milliseconds(work)
        print(f"| {name} | {cold:.0f} ms | {warm:.0f} ms | {peak_megabytes(work):.0f} MB |")
    once, grown = milliseconds(lambda: envelope(few), 3), milliseconds(lambda: envelope(many), 3)
    memory = peak_megabytes(lambda: envelope(many))
    print(f"\nenvelope of 10,000 images: {grown / once:.1f} times that of 500, {memory:.0f} MB")


def main() -> None:
    """Print the tables as markdown."""
    print("| images | n | new alpha | known alpha | memory | target |\n|---|---|---|---|---|---|")
    for images, n in SIZES:
        row = measure(images, n)
        print(
            f"| {images:,} | {n:,} | {row.cold:.0f} ms | {row.warm:.0f} ms | {row.megabytes:.0f} MB "
            f"| {TARGETS[images]:.0f} ms, 500 MB |"
        )
    report_changes()
    c = composition(500, 10_000)
    chain, grid = replace(c, then=(LaterStage(c, 0.5),)), np.arange(101) / 100
    print(f"\nchain, 101 x 101 thresholds, 500 images: {milliseconds(lambda: chain_grid(chain, grid, grid)):.0f} ms")


if __name__ == "__main__":
    main()
