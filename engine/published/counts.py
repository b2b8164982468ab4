"""Files of class counts, as Jia et al. 2020 publish them (Certify_Topk) -> smoothed runs.

A row an image: how many of n draws each class got, and last the label; no header. That is all that a certificate rests
on, but for the guess: a class chosen by the draws that then bound it would be chosen after looking. The draws of an
image are independent: any 100 of them, chosen without looking at their classes, guess for the others (docs/formats.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np

from engine import __version__
from engine.arrays import Array
from engine.errors import AcesError
from engine.published.places import Place, place_of, split_of
from engine.published.tsv import read_lines, written
from engine.published.votes import N0
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import SmoothedRun

SOURCE = "class counts"
MOST_DRAWS = 100_000_000
LEAST_DRAWS = 2 * N0


def read_counts(
    path: Path, name: str, dataset: str | None = None, sigma: float | None = None, data: bytes | None = None
) -> SmoothedRun:
    """A file of counts as a record called ``name``; ``dataset`` and ``sigma`` fill in what its path does not say.

    ``data`` is its content, where that is at hand.
    ``meta.extra`` notes which draws guess, and which images the rows are taken for.
    Raises ``AcesError`` that names file, line and value of what cannot be counts of ``dataset``'s classes.
    """
    place = place_of(path, dataset, sigma)
    votes, label = _table(path, read_lines(path, data), place.card.num_classes)
    n = int(votes[0].sum())
    index, order = _index(place, len(votes))
    guesses = _drawn(votes)
    notes = [f"{N0} of {n:,} draws of each image, chosen without looking, guess its class; the others estimate", order]
    return SmoothedRun(
        meta=Meta(
            kind="smoothed",
            name=name,
            dataset=place.dataset,
            num_classes=place.card.num_classes,
            split=split_of(place, path, index, label),
            created=written(path) if data is None else None,
            engine_version=__version__,
            sigma=place.noise(path),
            n0=N0,
            n=n - N0,
            network=NetworkInfo(training=place.training, sigma_train=place.sigma_train),
            extra={"source": SOURCE, "notes": notes},
        ),
        index=index,
        label=label,
        class_counts0=guesses.astype(np.int32),
        class_counts=(votes - guesses).astype(np.int32),
        thetas=np.ones(1),
        select_counts0=np.full((len(votes), 1), N0),
        select_counts=np.full((len(votes), 1), n - N0),
        entropy_median=np.full(len(votes), np.nan),
    )


def _table(path: Path, lines: list[str], m: int) -> tuple[Array, Array]:
    """Votes int64 [N, m], rows with one sum, and labels int64 [N]."""
    rows = []
    for line, text in enumerate(lines, start=1):
        cells = text.split()
        if len(cells) != m + 1:
            _fail(path, line, f"{len(cells)} numbers; expected the counts of {m} classes and a label")
        if not all(cell.isdecimal() and len(cell) <= len(str(MOST_DRAWS)) for cell in cells):
            _fail(path, line, f"{text[:60]!r} are not counts")
        rows.append([int(cell) for cell in cells])
    table = np.array(rows, np.int64)
    votes, label = table[:, :-1], table[:, -1]
    sums = votes.sum(1)
    if (sums != sums[0]).any():
        line = int((sums != sums[0]).argmax()) + 1
        _fail(path, line, f"{sums[line - 1]:,} draws, and {sums[0]:,} on line 1: one number of draws is expected")
    if not LEAST_DRAWS <= sums[0] <= MOST_DRAWS:
        _fail(path, 1, f"{sums[0]:,} draws; expected {LEAST_DRAWS:,} to {MOST_DRAWS:,}")
    if (label >= m).any():
        line = int((label >= m).argmax()) + 1
        _fail(path, line, f"the label is {label[line - 1]}; expected 0..{m - 1}")
    return votes, label


def _fail(path: Path, line: int, why: str) -> NoReturn:
    raise AcesError(f"{path}, line {line}: {why}")


def _index(place: Place, rows: int) -> tuple[Array, str]:
    """The images of the rows, which a file of counts does not name, and what was taken for granted of them."""
    images = place.card.images if place.split == "test" else None
    step = place.card.every
    if images is not None and rows == -(-images // step) and step > 1:
        return np.arange(rows) * step, f"its rows are taken to be the images 0, {step}, {2 * step}, ..."
    return np.arange(rows), "its rows are taken to be the images 0, 1, 2, ..."


def _drawn(votes: Array) -> Array:
    """The classes of ``N0`` draws out of each row's, int64 [N, m]: the same at every import, by nobody's choice."""
    rng = np.random.default_rng(0)
    drawn: Array = np.stack([rng.multivariate_hypergeometric(row, N0, method="marginals") for row in votes])
    return drawn
