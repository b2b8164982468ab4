"""What eth-sri/ACES publishes under ``data/`` -> records.

One evaluation is one folder: ``X_certification`` and ``X_entropies`` beside 101 files ``X_selection_T``, T = 0.00,
0.01, ..., 1.00. A selection network's has ``X_outputs`` for ``X_entropies``; its ``X_certification`` is a copy of the
certification network's log and is left to that one's folder. Core networks have ``X_core_prediction`` alone.
Horvath et al. drew n0 = 100 and n = 100,000 and bounded each probability at alpha / 2 = 0.0005.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from engine import __version__
from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.published.grid import SIGNIFICANT_DIGITS, RadiusGrid
from engine.published.places import Place, absent, place_of, split_of
from engine.published.tsv import Log, read_log
from engine.published.votes import N0, answering_class, class_votes, most_votes_behind, unanimous, votes_behind
from engine.records.meta import ACES_LOG, MOST_VOTES, Meta, NetworkInfo
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics.corrections import CERTIFY, CORE

N, BOUND_ALPHA = 100_000, 0.0005
THETAS = np.arange(101) / 100

CERTIFICATION_COLUMNS = (
    "idx",
    "label",
    "predict",
    "radius",
    "correct",
    "unperturbed predict",
    "unperturbed correct",
    "time",
)
SELECTION_COLUMNS = ("idx", "predict", "radius", "unperturbed predict", "time")
SCORE_COLUMNS = ("idx", "mean", "std", "min", "25 percentile", "50 percentile", "75 percentile", "max")
CORE_COLUMNS = ("idx", "label", "predict", "correct", "time")

FILE = re.compile(r"(?P<stem>.+)_(?P<part>certification|entropies|outputs|core_prediction|selection_\d\.\d\d)")
SELECTIONS = tuple(f"selection_{theta:.2f}" for theta in THETAS)
CORE_PARTS = ("core_prediction",)
PARTS = ("certification", "entropies", "outputs", *SELECTIONS)


@dataclass(frozen=True)
class Evaluation:
    """The files of one evaluation by part: ``certification``, ``entropies``, ``selection_0.00``, ..."""

    folder: Path
    stem: str
    files: dict[str, Path]

    @property
    def main(self) -> Path:
        """The file that gives the run its name."""
        for part in ("core_prediction", "outputs", "certification"):
            if part in self.files:
                return self.files[part]
        return self.folder / f"{self.stem}_certification"

    def check_complete(self) -> None:
        """Raise ``AcesError`` that names the files an evaluation lacks."""
        first = ("outputs",) if "outputs" in self.files else ("certification", "entropies")
        lacking = [f"{self.stem}_{part}" for part in (*first, *SELECTIONS) if part not in self.files]
        if lacking:
            more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
            raise AcesError(
                f"{self.folder} lacks {', '.join(lacking[:3])}{more}; an evaluation is a certification log, its "
                f"entropies and the selections for theta 0.00, 0.01, ..., 1.00"
            )


def evaluations(paths: Iterable[Path]) -> list[Evaluation]:
    """The evaluations that files are part of, with their other files, each once; files of other names are left out."""
    found: dict[tuple[Path, str, tuple[str, ...]], None] = {}
    for path in paths:
        if match := FILE.fullmatch(path.name):
            found[path.parent, match["stem"], CORE_PARTS if match["part"] in CORE_PARTS else PARTS] = None
    return [_gather(*key) for key in found]


def _gather(folder: Path, stem: str, parts: tuple[str, ...]) -> Evaluation:
    beside = {part: folder / f"{stem}_{part}" for part in parts}
    return Evaluation(folder, stem, {part: path for part, path in beside.items() if path.is_file()})


def read_evaluation(
    e: Evaluation, name: str, dataset: str | None = None, sigma: float | None = None
) -> SmoothedRun | SelectionRun | CoreRun:
    """One evaluation as a record called ``name``; ``dataset`` and ``sigma`` fill in what folders do not say.

    Raises ``AcesError`` that names file, line and value for logs that are missing, cut off, damaged, contradict
    themselves, or are not all of one run.
    """
    place = place_of(e.main, dataset, sigma)
    if "core_prediction" in e.files:
        return _core(e, place, name)
    e.check_complete()
    return _selection_network(e, place, name) if "outputs" in e.files else _smoothed(e, place, name)


def _smoothed(e: Evaluation, place: Place, name: str) -> SmoothedRun:
    log = _read(e.files["certification"], CERTIFICATION_COLUMNS)
    index, label, split = _images(log, place)
    m = place.card.num_classes
    certified = log.integers("predict", ABSTAIN, m - 1)
    predicted = log.integers("unperturbed predict", ABSTAIN, m - 1)
    _check_correct(log, "correct", certified == label)
    _check_correct(log, "unperturbed correct", predicted == label)
    grid = RadiusGrid.of(place.noise(log.path), N, BOUND_ALPHA)
    k = votes_behind(log, certified, grid)
    c_hat = answering_class(certified, predicted, label, m)
    quantiles = _quantiles(e.files["entropies"], log)
    return SmoothedRun(
        meta=_meta("smoothed", name, place, log, {MOST_VOTES: True}, split=split, **_sampled(place, grid, e.stem)),
        index=index,
        label=label,
        class_counts0=unanimous(c_hat, m),
        class_counts=class_votes(c_hat, k, N, m, clear=predicted != ABSTAIN),
        class_count_high=most_votes_behind(log, certified, grid),
        **_selections(e, log, grid),
        entropy_median=quantiles[:, 2],
        entropy_quantiles=quantiles,
        predict_class=predicted,
    )


def _selection_network(e: Evaluation, place: Place, name: str) -> SelectionRun:
    first = _read(e.files[SELECTIONS[0]], SELECTION_COLUMNS)
    grid = RadiusGrid.of(place.noise(first.path), N, BOUND_ALPHA)
    index = first.index(place.last_index)
    _check_subset(first, place, index)
    return SelectionRun(
        meta=_meta("selection", name, place, first, split=place.split, **_sampled(place, grid, e.stem)),
        index=index,
        **_selections(e, first, grid),
        score_median=_quantiles(e.files["outputs"], first)[:, 2],
    )


def _core(e: Evaluation, place: Place, name: str) -> CoreRun:
    log = _read(e.main, CORE_COLUMNS)
    index, label, split = _images(log, place)
    prediction = log.integers("predict", 0, place.card.num_classes - 1)
    _check_correct(log, "correct", prediction == label)
    return CoreRun(
        meta=_meta("core", name, place, log, split=split, network=NetworkInfo(name=e.stem)),
        index=index,
        label=label,
        prediction=prediction,
    )


def _read(path: Path, columns: tuple[str, ...]) -> Log:
    log = read_log(path, columns)
    log.check_times()
    return log


def _images(log: Log, place: Place) -> tuple[Array, Array, str]:
    index, label = log.index(place.last_index), log.integers("label", 0, place.card.num_classes - 1)
    _check_subset(log, place, index)
    return index, label, split_of(place, log.path, index, label)


def _check_subset(log: Log, place: Place, index: Array) -> None:
    lacking = absent(place, index)
    if lacking is not None:
        raise AcesError(f"{log.path}: cut off; it holds {lacking}")


def _check_correct(log: Log, column: str, correct: Array) -> None:
    wrong = log.integers(column, 0, 1) != correct
    if wrong.any():
        row = int(wrong.argmax())
        log.fail(row, column, f"predicted class and label of that line say {int(correct[row])}")


def _selections(e: Evaluation, reference: Log, grid: RadiusGrid) -> dict[str, Array]:
    """``thetas``, ``select_counts0``, ``select_counts`` and ``predict_select`` from the 101 selection logs."""
    logs = [_read(e.files[part], SELECTION_COLUMNS) for part in SELECTIONS]
    decided, counts = [], []
    for log in logs:
        log.check_same(reference, "idx")
        log.check_same(reference, "time")
        decided.append(log.integers("predict", ABSTAIN, 1))
        votes = votes_behind(log, decided[-1], grid)
        counts.append(np.where(decided[-1] == CORE, grid.n - votes, votes))
    recorded = [log.integers("unperturbed predict", ABSTAIN, 1) for log in logs]
    _check_rising(logs, "radius", counts)
    _check_rising(logs, "unperturbed predict", [_votes0(answer) for answer in recorded])
    _check_all_selected(logs[-1], counts[-1], grid.n)
    return {
        "thetas": THETAS,
        "select_counts0": np.stack([_votes0(guess) for guess in decided], 1),
        "select_counts": np.stack(counts, 1),
        "predict_select": np.stack(recorded, 1).astype(np.int8),
    }


def _votes0(decisions: Array) -> Array:
    """Guess draws for the certification network: all for 1, none for 0, half where the guess was not recorded."""
    return np.where(decisions == ABSTAIN, N0 // 2, np.where(decisions == CERTIFY, N0, 0))


def _check_rising(logs: list[Log], column: str, counts: list[Array]) -> None:
    """All thresholds share their draws, so votes for the certification network cannot fall along theta.

    Rounding cannot make them fall either: equal radii name equal counts. A fall means logs of different runs.
    """
    for before, log, low, high in zip(logs, logs[1:], counts, counts[1:], strict=False):
        falls = high < low
        if falls.any():
            row = int(falls.argmax())
            was, now = (f"predict {x.cells['predict'][row]} and {column} {x.cells[column][row]}" for x in (before, log))
            log.fail(row, column, f"after {was} in {before.path.name}, {now} is a fall: the logs are not of one run")


def _check_all_selected(log: Log, counts: Array, n: int) -> None:
    short = counts != n
    if short.any():
        log.fail(int(short.argmax()), "radius", "at theta 1 every draw is selected, which gives the largest radius")


def _quantiles(path: Path, reference: Log) -> Array:
    """Minimum, quartiles and maximum of the scores, float64 [N, 5]; the authors took them over the last batch alone."""
    log = read_log(path, SCORE_COLUMNS)
    log.check_same(reference, "idx")
    return np.stack([log.numbers(column, high=1) for column in SCORE_COLUMNS[1:]], 1)[:, 2:]


def _sampled(place: Place, grid: RadiusGrid, network: str) -> dict[str, Any]:
    return {
        "sigma": grid.sigma,
        "n0": N0,
        "n": grid.n,
        "radius_digits": SIGNIFICANT_DIGITS,
        "network": NetworkInfo(name=network, training=place.training, sigma_train=place.sigma_train),
    }


def _meta(
    kind: str, name: str, place: Place, log: Log, extra: Mapping[str, Any] = MappingProxyType({}), **more: Any
) -> Meta:
    return Meta(
        kind=kind,
        name=name,
        dataset=place.dataset,
        num_classes=place.card.num_classes,
        created=log.at,
        engine_version=__version__,
        extra={"source": ACES_LOG, **extra},
        **more,
    )
