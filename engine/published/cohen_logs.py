"""Logs in the form of Cohen et al. 2019 (also Salman et al., Consistency, acr-weakness) -> smoothed runs.

They hold no selection, no PREDICT and no word about n and alpha: the run certifies at theta = 1 alone, PREDICT is
computed from the reconstructed votes, and n and alpha are inferred from the radii.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from engine import __version__
from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.published.grid import SIGNIFICANT_DIGITS, LogDraws, infer_draws
from engine.published.places import FILE_ORDER, Place, absent, place_of, split_of
from engine.published.tsv import Log, read_log
from engine.published.votes import N0, answering_class, class_votes, most_votes_behind, unanimous, votes_behind
from engine.records.meta import COHEN_LOG, MOST_VOTES, Meta, NetworkInfo
from engine.records.runs import SmoothedRun

COLUMNS = ("idx", "label", "predict", "radius", "correct", "time")
DECIMALS = 4
FIXED = re.compile(rf"\d+\.\d{{{DECIMALS}}}")  # Salman's habit: f"{radius:.4f}"


def read_cohen_log(
    path: Path,
    name: str,
    dataset: str | None = None,
    sigma: float | None = None,
    alpha: float | None = None,
    data: bytes | None = None,
) -> SmoothedRun:
    """One log as a record called ``name``; ``dataset`` and ``sigma`` fill in what the path does not say.

    ``data`` is its content, where that is at hand. ``alpha`` is what the log was certified at, where somebody knows it.
    ``meta.extra`` tells what was ``inferred`` (n,
    alpha, and how many radii lie on their grid) and, in ``notes``, what is odd: radii that fit several n and alpha, a
    log that stops early, a running count in the column ``correct``, ImageNet in the order of its files.
    Raises ``AcesError`` that names file, line and value for logs that are damaged, contradict themselves or do not fit
    ``alpha``.
    """
    log = read_log(path, COLUMNS, data)
    log.check_times()
    place = place_of(path, dataset, sigma)
    m = place.card.num_classes
    index, label = log.index(place.last_index), log.integers("label", 0, m - 1)
    predicted = log.integers("predict", ABSTAIN, m - 1)
    split = split_of(place, path, index, label)
    decimals = DECIMALS if all(FIXED.fullmatch(cell) for cell in log.cells["radius"]) else None
    draws = _draws(log, predicted, place.noise(path), decimals, alpha)
    grid = draws.grid(place.noise(path), decimals)
    k = votes_behind(log, predicted, grid)
    c_hat = answering_class(predicted, None, label, m)
    notes = {
        draws.ambiguous or "": draws.ambiguous is not None,
        f"holds {absent(place, index)}": absent(place, index) is not None,
        "the column 'correct' is a running count": _running_count(log, predicted == label),
        f"images in the order of {place.card.title}'s files, not by class": split == FILE_ORDER,
    }
    return SmoothedRun(
        meta=_meta(log, place, name, split, draws, decimals, [note for note, holds in notes.items() if holds]),
        index=index,
        label=label,
        class_counts0=unanimous(c_hat, m),
        class_counts=class_votes(c_hat, k, draws.n, m, clear=predicted != ABSTAIN),
        class_count_high=most_votes_behind(log, predicted, grid),
        thetas=np.ones(1),
        select_counts0=np.full((len(log), 1), N0),
        select_counts=np.full((len(log), 1), draws.n),
        entropy_median=np.full(len(log), np.nan),
    )


def _meta(
    log: Log, place: Place, name: str, split: str, draws: LogDraws, decimals: int | None, notes: list[str]
) -> Meta:
    told: dict[str, Any] = {"source": COHEN_LOG, "inferred": draws.to_json(), MOST_VOTES: True}
    return Meta(
        kind="smoothed",
        name=name,
        dataset=place.dataset,
        num_classes=place.card.num_classes,
        split=split,
        created=log.at,
        engine_version=__version__,
        sigma=place.noise(log.path),
        n0=N0,
        n=draws.n,
        network=NetworkInfo(training=place.training, sigma_train=place.sigma_train),
        radius_digits=SIGNIFICANT_DIGITS if decimals is None else None,
        radius_decimals=decimals,
        extra={**told, "notes": notes} if notes else told,
    )


def _running_count(log: Log, correct: Array) -> bool:
    """Whether ``correct`` counts the correct answers so far (diffusion-denoised smoothing) instead of telling each's.

    Raises ``AcesError`` if it does neither.
    """
    column = log.integers("correct", 0)
    wrong = column != correct
    running = bool(wrong.any()) and np.array_equal(column, np.cumsum(correct))
    if wrong.any() and not running:
        row = int(wrong.argmax())
        log.fail(row, "correct", f"predict and label of that line say {int(correct[row])}")
    return running


def _draws(log: Log, predicted: Array, sigma: float, decimals: int | None, alpha: float | None) -> LogDraws:
    try:
        return infer_draws(log.numbers("radius")[predicted != ABSTAIN], sigma, decimals, alpha)
    except AcesError as error:
        raise AcesError(f"{log.path}: {error}") from error
