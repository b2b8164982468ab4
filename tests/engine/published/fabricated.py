"""Logs that are fabricated: radii from chosen counts, by scipy alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, norm

from engine.arrays import ABSTAIN
from engine.records.runs import Run, SmoothedRun
from tests import ROOT

N, LEVEL = 100_000, 0.0005
SIGMA = 0.25
INDEX = [0, 2000, 4000, 6000, 8000]  # all of CIFAR-10's test split at step 2000
LABEL = [3, 8, 8, 0, 6]
# (certified class, votes for it, PREDICT's class): sure, wrong, abstaining, barely certified, abstaining throughout
CLASSES = [(3, 100_000, 3), (1, 70_000, 1), (ABSTAIN, 0, 8), (0, 50_700, ABSTAIN), (ABSTAIN, 0, ABSTAIN)]
TIMES = [f"0:01:1{row}.206684" for row in range(5)]
AUTHORS = ROOT.parent / "shared" / "published" / "data"
needs_authors = pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' logs are not beside the checkout")


def radius(k: int, sigma: float = SIGMA, n: int = N, level: float = LEVEL) -> float:
    return float(sigma * norm.ppf(beta.ppf(level, k, n - k + 1)))


def write(path: Path, header: str, rows: list[tuple[object, ...]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header, *("\t".join(map(str, row)) for row in rows)]
    path.write_text("".join(line.replace("|", "\t") + "\n" for line in lines))
    return path


def selected(row: int, step: int) -> int:
    """Draws with entropy <= step / 100: they rise at another place for each image, and end at n."""
    return N if step == 100 else round(N / (1 + np.exp(-(step - 20 * row - 5) / 3)))


def selection_row(votes: int) -> tuple[int, str]:
    """What CERTIFY of the selection prints for so many votes of n: decision and radius."""
    decision, k = (1, votes) if votes > N / 2 else (0, N - votes)
    certain = beta.ppf(LEVEL, k, N - k + 1) > 0.5
    return (decision, f"{radius(k):.3}") if certain else (ABSTAIN, "0.0")


def write_selections(folder: Path, stem: str) -> None:
    for step in range(101):
        decided = [selection_row(selected(row, step)) for row in range(5)]
        rows = [(i, d, r, d, t) for i, (d, r), t in zip(INDEX, decided, TIMES, strict=True)]
        write(folder / f"{stem}_selection_{step / 100:.2f}", "idx|predict|radius|unperturbed predict|time", rows)


def write_scores(path: Path) -> None:
    rows = [(i, 0.1231, 0.04876, 0.03, 0.08, 0.12 + 0.01 * row, 0.15, 0.33) for row, i in enumerate(INDEX)]
    write(path, "idx|mean|std|min|25 percentile|50 percentile|75 percentile|max", rows)


def write_certification(path: Path) -> None:
    rows = []
    for i, label, (c, k, p), time in zip(INDEX, LABEL, CLASSES, TIMES, strict=True):
        printed = "0.0" if c == ABSTAIN else f"{radius(k):.3}"
        rows.append((i, label, c, printed, int(c == label), p, int(p == label), time))
    write(path, "idx|label|predict|radius|correct|unperturbed predict|unperturbed correct|time", rows)


def by_name(runs: list[Run]) -> dict[str, Run]:
    return {run.meta.name: run for run in runs}


def smoothed(run: Run) -> SmoothedRun:
    assert isinstance(run, SmoothedRun)
    return run


Edit = Callable[[str], str]


def cell(line: int, column: int, value: str) -> Edit:
    """Replace one cell; lines count from 1, the header."""

    def edit(text: str) -> str:
        lines = [row.split("\t") for row in text.splitlines()]
        lines[line - 1][column] = value
        return "".join("\t".join(row) + "\n" for row in lines)

    return edit


COHEN = "idx|label|predict|radius|correct|time"


def cohen_rows(step: int = 20, images: int = 500, alpha: float = 0.01, n: int = N, sigma: float = SIGMA) -> list:
    """Rows of a log with known votes: predictions right except every seventh, abstaining every fifth."""
    rows = []
    for row in range(images):
        k, label = n - (row * row) % (n * 2 // 5), row % 10
        predicted = ABSTAIN if row % 5 == 4 else (label + (row % 7 == 6)) % 10
        printed = "0.0" if predicted == ABSTAIN else f"{radius(k, sigma, n, alpha):.3}"
        rows.append((step * row, label, predicted, printed, int(predicted == label), "0:02:29.653637"))
    return rows


def log_of_counts(
    path: Path, counts0: np.ndarray, counts: np.ndarray, label: np.ndarray, sigma: float, alpha: float, form: str
) -> Path:
    """What Cohen et al.'s certify.py writes of the guess draws and the others [N, m]; of 500 images the first N."""
    rows = []
    for row, (votes0, votes, y) in enumerate(zip(counts0, counts, label, strict=True)):
        c, n = int(votes0.argmax()), int(votes.sum())
        k = int(votes[c])
        certain = bool(k) and beta.ppf(alpha, k, n - k + 1) >= 0.5
        shown = form.format(radius(k, sigma, n, alpha)) if certain else form.format(0.0)
        rows.append((20 * row, int(y), c if certain else ABSTAIN, shown, int(certain and c == y), "0:00:10"))
    return write(path, COHEN, rows)


def ambiguous_log(folder: Path) -> Path:
    """Five images of 100,000 draws at alpha 0.01, none near the largest radius: they fit 0.001 and 0.0005 as well."""
    rows = [(2000 * i, i, i, f"{radius(60_000 + 3_000 * i, SIGMA, N, 0.01):.3}", 1, "0:00:10") for i in range(5)]
    return write(folder / "cifar10/noise_0.25/test/sigma_0.25", COHEN, rows)
