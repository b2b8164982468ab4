"""What the pages compute from the ACES authors' own logs against the numbers and shapes that the paper prints."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from app import data
from app.settings import Choice, Settings
from engine.figures.views import Axis
from engine.published import import_logs
from engine.published.paper import AcesSeries, aces_series
from engine.records.runs import Run, write_run
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention
from tests import ROOT

AUTHORS = ROOT.parent / "shared" / "published" / "data"
CIFAR10 = AUTHORS / "cifar10" / "consistency" / "noise_0.25"
pytestmark = pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' logs are not beside the checkout")

FIGURES = {  # certification run, core run -> table, training
    ("cifar10_consistency_025_certification", "lanet_core_prediction"): ("8/9", "consistency"),
    ("cifar10_gaussian_025_certification", "lanet_core_prediction"): ("8/9", "gaussian"),
    ("imagenet_consistency_050_certification", "efficientnet-b7_core_prediction"): ("4/5", "consistency"),
}
on_each_setting = pytest.mark.parametrize("names", FIGURES, ids=lambda names: names[0])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Run]]:
    """The logs as run files in a folder, and the runs by name."""
    folder = tmp_path_factory.mktemp("authors")
    found = {run.meta.name: run for run in import_logs(AUTHORS)}
    for name, run in found.items():
        write_run(run, folder / f"{name}.npz")
    return folder, found


@pytest.fixture
def view(catalog, monkeypatch):
    """The view of a certification run with a core run, under the paper's correction and convention."""

    def of(names: tuple[str, str], **changes) -> Settings:
        certify, core = (catalog[1][name].meta for name in names)
        choice = Choice(certify.network.training, f"{certify.noise:g}", certify, core)
        return Settings(choice, correction=Correction.BONFERRONI, convention=Convention.PAPER, **changes)

    monkeypatch.setenv("ACES_DEMO", str(catalog[0]))
    return of


def printed(names: tuple[str, str]) -> AcesSeries:
    (found,) = (s for s in aces_series() if (s.table, s.training) == FIGURES[names] and s.eta is None)
    return found


@on_each_setting
def test_the_front_is_the_papers_figure_1_to_the_printed_digit(view, names):
    series = printed(names)
    (front,), problems = data.fronts(view(names), Axis.ACR)
    at = [front.at(theta) for theta in series.thetas]
    assert problems == {}
    assert [f"{x:.1f}" for x in front.nac[at]] == [f"{x:.1f}" for x in series.nac]
    assert [f"{x:.3f}" for x in front.robustness[at]] == [f"{x:.3f}" for x in series.acr]


@on_each_setting
def test_the_fronts_of_certified_accuracy_are_the_printed_columns(view, names):
    series = printed(names)
    for k, radius in enumerate(series.radii):
        (front,), _ = data.fronts(view(names, radius=float(radius)), Axis.CERTIFIED)
        at = [front.at(theta) for theta in series.thetas]
        assert [f"{x:.1f}" for x in front.robustness[at]] == [f"{x:.1f}" for x in series.certified_accuracy[:, k]]


@on_each_setting
def test_the_front_leads_from_the_core_network_to_the_smoothed_one(view, names):
    (front,), _ = data.fronts(view(names), Axis.ACR)
    assert (front.nac[0], front.robustness[0]) == (front.core[0], 0.0)
    assert front.nac[-1] == pytest.approx(front.alone[0], abs=1.0)
    assert (np.diff(front.robustness) >= -1e-9).all()
    assert front.nac[0] - front.nac[-1] > 10


@on_each_setting
def test_the_selections_radii_have_the_shape_of_figure_6(view, names):
    thetas = tuple(k / 10 for k in range(11))
    radii = data.signed_radii(view(names), thetas)
    as_logged = np.vectorize(lambda radius: float(f"{radius:.3}"))(radii)  # the logs' digits decide what reaches r
    series = printed(names)
    assert (np.diff(radii, axis=1) >= -1e-9).all()  # each line lies above the one of a smaller theta
    assert (radii[:, -1] > 0).all()
    for t, theta in enumerate(thetas):
        at = int(np.abs(series.thetas - theta).argmin())
        for k, radius in enumerate(series.radii[1:], start=1):
            share = 100 * (as_logged[:, t] >= radius).mean()
            assert f"{share:.1f}" == f"{series.certified_selection[at, k]:.1f}"


def test_the_signs_are_the_decisions_of_the_logs_and_abstentions_stand_at_0(view):
    (names, _) = next(iter(FIGURES.items()))
    for theta in (0.1, 0.3, 0.6):
        with (CIFAR10 / f"cifar10_consistency_025_selection_{theta:.2f}").open() as file:
            decided = [int(row["predict"]) for row in csv.DictReader(file, delimiter="\t")]
        signs = np.sign(data.signed_radii(view(names), (theta,))[:, 0])
        assert [{1: 1, 0: -1, -1: 0}[predict] for predict in decided] == signs.tolist()
