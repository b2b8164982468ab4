"""The tables of the ACES paper (Horvath et al. 2022, tables 2 to 17), for overlays beside one's own runs.

Figures as printed: rates in percent with one decimal, ACR with three.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.datasets import DATASETS

HERE = Path(__file__).parent
JOINT_TABLE = "17"  # where training and evaluation noise vary together
TRAININGS = {
    "gaussian": "Gaussian",
    "smoothadv": "SmoothAdv",
    "macer": "MACER",
    "consistency": "Consistency",
    "standard": "standard training",
}

Row = dict[str, str]


@dataclass(frozen=True, eq=False)
class AcesSeries:
    """One ACES model over T thresholds and R radii (tables 2 to 14).

    ``nac`` percent [T], ``acr`` [T]; ``certified_accuracy``, ``certified_selection`` percent [T, R]. ``selection`` is
    ``entropy`` or ``network``, the latter trained with certifiability threshold ``eta``.
    """

    table: str
    dataset: str
    training: str
    selection: str
    eta: float | None
    sigma_train: float
    sigma: float
    core: str
    thetas: Array
    radii: Array
    nac: Array
    acr: Array
    certified_accuracy: Array
    certified_selection: Array

    @property
    def label(self) -> str:
        network = f", selection network η {self.eta:g}" if self.eta is not None else ""
        return f"paper: {DATASETS[self.dataset].title}, {TRAININGS[self.training]}, σ {self.sigma:g}{network}"


@dataclass(frozen=True, eq=False)
class SmoothedSeries:
    """Smoothed networks without ACES over S noise levels and R radii (tables 15 to 17).

    ``sigma_train``, ``sigma``, ``nac`` (percent), ``acr`` [S]; ``certified_accuracy`` percent [S, R]. Either one
    network is evaluated at several ``sigma``, or each at the ``sigma`` it was trained with.
    """

    table: str
    dataset: str
    training: str
    sigma_train: Array
    sigma: Array
    radii: Array
    nac: Array
    acr: Array
    certified_accuracy: Array

    @property
    def label(self) -> str:
        one_network = self.sigma_train[0] > 0 and not np.array_equal(self.sigma_train, self.sigma)
        trained = f" trained at σ {self.sigma_train[0]:g}" if one_network else ""
        return f"paper: {DATASETS[self.dataset].title}, {TRAININGS[self.training]}{trained}, without ACES"


@cache
def aces_series() -> tuple[AcesSeries, ...]:
    """Tables 2 to 14, one series for each setting, in the paper's order."""
    setting = ("table", "dataset", "training", "selection", "eta", "sigma_train", "sigma_eval", "core")
    rows = _read("aces_tables.csv")
    return tuple(_aces(group) for group in _groups(rows, lambda row: tuple(row[name] for name in setting)))


@cache
def smoothed_series() -> tuple[SmoothedSeries, ...]:
    """Tables 15 to 17, one series for each network evaluated at several noise levels, or family of networks."""

    def setting(row: Row) -> Hashable:
        return row["dataset"], row["training"], None if row["table"] == JOINT_TABLE else row["sigma_train"]

    return tuple(_smoothed(group) for group in _groups(_read("smoothed_model_tables.csv"), setting))


def _aces(rows: list[Row]) -> AcesSeries:
    first = rows[0]
    thetas, radii = _distinct(rows, "theta"), _distinct(rows, "radius")
    shape = (len(thetas), len(radii))
    return AcesSeries(
        table=first["table"],
        dataset=first["dataset"],
        training=first["training"],
        selection=first["selection"],
        eta=float(first["eta"]) if first["eta"] else None,
        sigma_train=float(first["sigma_train"]),
        sigma=float(first["sigma_eval"]),
        core=first["core"],
        thetas=thetas,
        radii=radii,
        nac=_column(rows, "nac", shape)[:, 0],
        acr=_column(rows, "acr", shape)[:, 0],
        certified_accuracy=_column(rows, "certified_accuracy", shape),
        certified_selection=_column(rows, "certified_selection_rate", shape),
    )


def _smoothed(rows: list[Row]) -> SmoothedSeries:
    first = rows[0]
    radii = _distinct(rows, "radius")
    shape = (len(rows) // len(radii), len(radii))
    return SmoothedSeries(
        table=first["table"],
        dataset=first["dataset"],
        training=first["training"],
        sigma_train=_column(rows, "sigma_train", shape)[:, 0],
        sigma=_column(rows, "sigma_eval", shape)[:, 0],
        radii=radii,
        nac=_column(rows, "nac", shape)[:, 0],
        acr=_column(rows, "acr", shape)[:, 0],
        certified_accuracy=_column(rows, "certified_accuracy", shape),
    )


def _read(name: str) -> list[Row]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _groups(rows: Iterable[Row], setting: Callable[[Row], Hashable]) -> list[list[Row]]:
    groups: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        groups[setting(row)].append(row)
    return list(groups.values())


def _distinct(rows: list[Row], name: str) -> Array:
    return _frozen(np.unique([float(row[name]) for row in rows]))


def _column(rows: list[Row], name: str, shape: tuple[int, int]) -> Array:
    """A column as [T or S, R]: the files list the radii of one theta or sigma after another, rising."""
    return _frozen(np.array([float(row[name]) for row in rows]).reshape(shape))


def _frozen(values: Array) -> Array:
    values.flags.writeable = False
    return values
