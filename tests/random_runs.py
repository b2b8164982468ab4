"""Small random runs whose counts lie around every decision that CERTIFY and PREDICT take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.records.compose import Composition, compose
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from tests.oracle import Row

GRID = np.arange(11) / 10


def meta(kind: str, m: int, **changes) -> Meta:
    sampled = {} if kind == "core" else {"sigma": 0.5, "n0": 11, "n": 200}
    return Meta(**{"kind": kind, "name": f"a {kind} run", "dataset": "toy", "num_classes": m, **sampled, **changes})


def class_votes(rng: np.random.Generator, images: int, m: int, n0: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """[N, m] twice: some images unanimous, most near the decision at one half."""
    top = rng.choice([0.4, 0.5, 0.6, 0.7, 0.95, 1.0], images)
    p = rng.dirichlet(np.ones(m - 1), images) * (1 - top)[:, None]
    p = rng.permuted(np.concatenate([top[:, None], p], 1), axis=1)
    return np.stack([rng.multinomial(n0, q) for q in p]), np.stack([rng.multinomial(n, q) for q in p])


def select_votes(
    rng: np.random.Generator, images: int, thetas: np.ndarray, n0: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """[N, T] twice: how many of the draws' scores lie at or below each threshold."""
    a, b = rng.uniform(0.5, 40, (2, images))
    centres = np.stack([rng.beta(x, y, n0 + n) for x, y in zip(a, b, strict=True)])
    counts = [(centres[:, part, None] <= thetas).sum(1) for part in (slice(n0), slice(n0, None))]
    return counts[0], counts[1]


def smoothed(
    seed: int = 0,
    images: int = 40,
    m: int = 3,
    thetas: np.ndarray = GRID,
    n0: int = 11,
    n: int = 200,
    sigma: float = 0.5,
) -> SmoothedRun:
    rng = np.random.default_rng(seed)
    classes0, classes = class_votes(rng, images, m, n0, n)
    select0, select = select_votes(rng, images, thetas, n0, n)
    label = np.where(rng.random(images) < 0.7, classes.argmax(1), rng.integers(0, m, images))
    return SmoothedRun(
        meta("smoothed", m, sigma=sigma, n0=n0, n=n),
        np.arange(images) * 7,
        label,
        classes0,
        classes,
        thetas,
        select0,
        select,
        np.full(images, np.nan),
    )


def selection(
    seed: int = 1,
    images: int = 40,
    m: int = 2,
    thetas: np.ndarray = GRID,
    n0: int = 7,
    n: int = 300,
    sigma: float = 0.25,
) -> SelectionRun:
    rng = np.random.default_rng(seed)
    select0, select = select_votes(rng, images, thetas, n0, n)
    return SelectionRun(
        meta("selection", m, sigma=sigma, n0=n0, n=n),
        np.arange(images) * 7,
        thetas,
        select0,
        select,
        np.full(images, np.nan),
    )


def uneven(run, ns: tuple[int, ...] = (30, 77, 200), parts: tuple[int, ...] | None = None, seed: int = 9):
    """``run`` with other numbers of draws by image, thinned from its own; with ``parts`` as if they ended at looks."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, len(ns), len(run.index))
    which[: len(ns)] = np.arange(len(ns))
    draws = np.array(ns)[which]
    changes = {"select_counts": _thinned(rng, np.diff(run.select_counts, axis=1, prepend=0), draws).cumsum(1)}
    if isinstance(run, SmoothedRun):
        changes["class_counts"] = _thinned(rng, run.class_counts, draws)
    told = run.meta if parts is None else replace(run.meta, decided={"r": [0.25]})
    divided = {} if parts is None else {"alpha_parts": np.array(parts)[which]}
    return replace(run, meta=replace(told, n=max(ns)), draws=draws, **divided, **changes)


def _thinned(rng: np.random.Generator, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """So many of the votes of each row."""
    rest = counts.sum(1)
    assert (rest >= draws).all()
    return np.stack([rng.multivariate_hypergeometric(row, n) for row, n in zip(counts, draws, strict=True)])


def core_of(run: SmoothedRun, seed: int = 2) -> CoreRun:
    """A core network: often of the certification network's mind, often right, sometimes neither."""
    rng = np.random.default_rng(seed)
    images, m = run.class_counts.shape
    answers = np.stack([run.class_counts.argmax(1), run.label, rng.integers(0, m, images)])
    prediction = answers[rng.choice(3, images, p=[0.4, 0.4, 0.2]), np.arange(images)]
    return CoreRun(meta("core", run.meta.num_classes), run.index, run.label, prediction)


def rows_of(c: Composition) -> list[Row]:
    """The composition as the oracle reads it."""
    return [
        Row(
            c.thetas.tolist(), c.select_counts0[i].tolist(), c.select_counts[i].tolist(),
            c.n0_select, c.n_select, c.sigma_select,
            c.class_counts0[i].tolist(), c.class_counts[i].tolist(), c.sigma, int(c.core[i]),
        )
        for i in range(len(c))
    ]  # fmt: skip


def composed(seed: int = 0, separate: bool = False, **shape) -> Composition:
    """A certification run and its core; with ``separate``, a selection run of another sigma, n0 and n."""
    run = smoothed(seed, **shape)
    select = selection(seed + 1, **shape) if separate else None
    return compose(run, core_of(run, seed + 2), select)
