"""The logs that others published -> records, so that every control works on them.

``take`` goes through files and whole trees and keeps what gives a run; ``import_logs`` wants all of it; ``take_bytes``
takes one file's content. They read what
eth-sri/ACES publishes (``aces_logs``), logs in the form of Cohen et al. (``cohen_logs``) and class counts (``counts``);
``tree`` says what is what.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.published.aces_logs import FILE, Evaluation, evaluations, read_evaluation
from engine.published.cohen_logs import read_cohen_log
from engine.published.counts import read_counts
from engine.published.grid import LogDraws, infer_draws
from engine.published.places import distinct_names, place_of, stem
from engine.published.tree import LOOKED_AT, PassedOver, Sources, kind_of, sort_out
from engine.records.runs import CoreRun, Run, SmoothedRun, from_bytes, read_run
from engine.statistics.metrics import standalone
from engine.units import ANSWER, check_radii, check_sigma

MOST_UNPACKED = 500_000_000  # bytes of an uploaded run's arrays: some 100 times those of 500 images of ImageNet

__all__ = ["LogDraws", "PassedOver", "Taken", "import_logs", "infer_draws", "take", "take_bytes"]


@dataclass(frozen=True, eq=False)
class Taken:
    """What paths gave: ``runs`` by path, what was ``passed`` over and why, and ``notes`` about all of it."""

    runs: tuple[Run, ...]
    passed: tuple[PassedOver, ...]
    notes: tuple[str, ...]

    @property
    def wrong(self) -> tuple[PassedOver, ...]:
        """Logs that ought to have given a run."""
        return tuple(one for one in self.passed if one.wrong)


@dataclass(frozen=True)
class Told:
    """What is said of logs that their folders and their rows do not say."""

    dataset: str | None = None
    sigma: float | None = None
    alpha: float | None = None
    units_are_right: bool = False


def import_logs(
    *paths: Path,
    dataset: str | None = None,
    sigma: float | None = None,
    alpha: float | None = None,
    units_are_right: bool = False,
) -> list[Run]:
    """As ``take``, but raises ``AcesError`` about the first log, or file that is nearly one, that gives no run."""
    taken = take(*paths, dataset=dataset, sigma=sigma, alpha=alpha, units_are_right=units_are_right)
    if taken.passed:
        raise AcesError((*taken.wrong, *taken.passed)[0].reason)
    if not taken.runs:
        raise AcesError(
            f"{paths[0]}: no logs in this folder; expected X_certification and the like, or logs that begin 'idx'"
        )
    return list(taken.runs)


def take(
    *paths: Path,
    dataset: str | None = None,
    sigma: float | None = None,
    alpha: float | None = None,
    units_are_right: bool = False,
) -> Taken:
    """The runs in log files, run files (``.npz``) and folders of them, to any depth, by path. Nothing is written.

    What gives no run is passed over and named, and never keeps another one from being taken. One file of an ACES
    evaluation stands for the whole of it. Names are the files' stems, preceded by folders where stems coincide;
    dataset, training and sigma come from the folders, and where these say nothing from ``dataset`` and ``sigma``.
    ``alpha`` is what Cohen-style logs were certified at, which otherwise is inferred. Noise that can hardly be meant of
    pixels from 0 to 1 is passed over unless ``units_are_right``. Raises ``AcesError`` for a path that is not there, a
    dataset that is not known, and an ``alpha`` of no log.
    """
    if dataset is not None and dataset not in DATASETS:
        raise AcesError(f"unknown dataset {dataset!r}; known: {', '.join(sorted(DATASETS))}")
    found = sort_out(paths)
    told = Told(dataset, sigma, alpha, units_are_right)
    readers = _readers(found, told)
    runs: dict[Path, Run] = {}
    passed = list(found.passed)
    for path, reader in sorted(readers.items()):
        try:
            run = reader()
            _check_labels(path, run, runs)
            runs[path] = run
        except AcesError as error:
            passed.append(PassedOver(path, str(error), wrong=True))
    notes = [found.note, _not_overridden(told, runs)]
    return Taken(tuple(runs.values()), tuple(passed), tuple(note for note in notes if note))


def take_bytes(
    name: str,
    data: bytes,
    *,
    dataset: str | None = None,
    sigma: float | None = None,
    alpha: float | None = None,
    units_are_right: bool = False,
) -> Run:
    """The run in the content of one file, called ``name``: a run file, a Cohen-style log or class counts.

    Nothing is read from the disk. Raises ``AcesError`` for everything else, and as ``take`` names it.
    """
    if name.endswith(".npz"):
        return from_bytes(data, name, most=MOST_UNPACKED)
    path, told = Path(name), Told(dataset, sigma, alpha, units_are_right)
    kind = kind_of(name, data[:LOOKED_AT])
    if kind == "log" and FILE.fullmatch(name):
        raise AcesError(f"{name}: one of the files of an evaluation: `python -m engine import` takes its folder")
    if kind == "log":
        _check_place(path, told)
        return _checked(path, read_cohen_log(path, stem(path), dataset, sigma, alpha, data), told)
    if kind in ("counts", "numbers"):
        _check_place(path, told)
        return _checked(path, read_counts(path, stem(path), dataset, sigma, data), told)
    raise AcesError(f"{name}: {kind or 'no run file, no log that begins with idx, and no class counts'}")


def _readers(found: Sources, told: Told) -> dict[Path, Callable[[], Run]]:
    """What reads each source: run files, ACES evaluations by their main file, Cohen-style logs, counts."""
    of_aces = {e.main: e for e in evaluations(found.logs)}
    others = [path for path in found.logs if not FILE.fullmatch(path.name)]
    sources = [*of_aces, *others, *found.counts]
    names = distinct_names([path for path in sources if path.suffix != ".npz"])
    cohen = [path for path in others if path.suffix != ".npz"]
    if told.alpha is not None and not cohen and sources:
        raise AcesError("an alpha was stated and none of these is a Cohen-style log, which is what it would be of")
    readers: dict[Path, Callable[[], Run]] = {}
    for path in sources:
        if path.suffix == ".npz":
            readers[path] = partial(read_run, path)
        elif path in found.counts:
            readers[path] = partial(_counts, path, names[path], told)
        else:
            readers[path] = partial(_log, path, names[path], told, of_aces.get(path))
    return readers


def _log(path: Path, name: str, told: Told, evaluation: Evaluation | None) -> Run:
    _check_place(path, told)
    if evaluation is not None:
        return _checked(path, read_evaluation(evaluation, name, told.dataset, told.sigma), told)
    return _checked(path, read_cohen_log(path, name, told.dataset, told.sigma, told.alpha), told)


def _counts(path: Path, name: str, told: Told) -> Run:
    _check_place(path, told)
    return _checked(path, read_counts(path, name, told.dataset, told.sigma), told)


def _check_place(path: Path, told: Told) -> None:
    """Raise ``AcesError`` where the path tells of noise that is not of pixels in [0, 1], unless it is meant."""
    if told.units_are_right:
        return
    place = place_of(path, told.dataset, told.sigma)
    if place.transformation is not None:
        raise AcesError(
            f"{path}: the folder '{place.transformation}' tells of noise on a transformation, whose radii are no ℓ2 "
            f"distances of pixels: {ANSWER}"
        )
    if place.sigma is not None:
        check_sigma(place.sigma, str(path))


def _checked(path: Path, run: Run, told: Told) -> Run:
    """The run, if its mean radius is one. Raises ``AcesError`` otherwise, unless it is meant."""
    if isinstance(run, SmoothedRun) and not told.units_are_right:
        mean = float(standalone(run).radius.mean())
        check_radii(mean, math.prod(DATASETS[run.meta.dataset].shape), str(path))
    return run


def _not_overridden(told: Told, runs: Mapping[Path, Run]) -> str | None:
    """What was said and is of no use, as the folders say otherwise."""
    logs = [run.meta for path, run in runs.items() if path.suffix != ".npz"]
    other = {
        "--dataset": sum(meta.dataset != told.dataset for meta in logs) if told.dataset is not None else 0,
        "--sigma": sum(meta.sigma not in (None, told.sigma) for meta in logs) if told.sigma is not None else 0,
    }
    said = [f"{option} ({count} of {len(logs)})" for option, count in other.items() if count]
    return f"folders say otherwise than {' and '.join(said)}, which fills in where they say nothing" if said else None


def _check_labels(path: Path, run: Run, before: Mapping[Path, Run]) -> None:
    """Logs of one split must agree on what an image shows. Raises ``AcesError`` that names both files."""
    if not isinstance(run, SmoothedRun | CoreRun):
        return
    mine = dict(zip(run.index.tolist(), run.label.tolist(), strict=True))
    for other, known in before.items():
        alike = (known.meta.dataset, known.meta.split) == (run.meta.dataset, run.meta.split)
        if not alike or not isinstance(known, SmoothedRun | CoreRun):
            continue
        for index, label in zip(known.index.tolist(), known.label.tolist(), strict=True):
            if mine.get(index, label) != label:
                raise AcesError(f"{path}: image {index} has label {mine[index]}, and {label} in {other}")
