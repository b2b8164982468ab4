"""The logs here are fabricated: radii from chosen counts, by scipy alone. The authors' own are read where present."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from engine.errors import AcesError
from engine.published import import_logs
from engine.published.paper import AcesSeries, aces_series
from engine.records.compose import compose
from engine.records.runs import CoreRun, Run, SelectionRun, same, to_bytes
from engine.statistics.aces import certify
from engine.statistics.bounds import round_down
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention, evaluate, standalone
from tests.engine.published.fabricated import (
    AUTHORS,
    LABEL,
    N,
    by_name,
    cell,
    needs_authors,
    radius,
    selection_row,
    smoothed,
)

# --- what eth-sri/ACES publishes ---------------------------------------------------------------------------------


def test_a_folder_of_the_authors_gives_one_record_for_each_component(data: Path) -> None:
    (data / "README").write_text("idx of nothing")
    runs = by_name(import_logs(data))
    certification = smoothed(runs.pop("cifar10_consistency_025_certification"))
    selection, core = runs.pop("selection_model_binary_050_outputs"), runs.pop("lanet_core_prediction")
    assert not runs
    assert isinstance(selection, SelectionRun)
    assert isinstance(core, CoreRun)
    meta = certification.meta
    assert (meta.dataset, meta.split, meta.num_classes, meta.sigma, meta.n0, meta.n) == (
        "cifar10", "test", 10, 0.25, 100, N,
    )  # fmt: skip
    assert (meta.network.training, meta.network.sigma_train, meta.radius_digits) == ("consistency", 0.25, 3)
    assert (selection.meta.sigma, selection.meta.network.training) == (0.25, "gaussian")
    assert core.prediction.tolist() == [5, *LABEL[1:]]
    assert core.meta.network.name == "lanet"


def test_every_radius_of_a_log_prints_again_from_its_count(data: Path) -> None:
    run = smoothed(by_name(import_logs(data))["cifar10_consistency_025_certification"])
    folder = data / "cifar10" / "consistency" / "noise_0.25"
    for column, theta in enumerate(run.thetas):
        lines = (folder / f"cifar10_consistency_025_selection_{theta:.2f}").read_text().splitlines()[1:]
        for row, line in enumerate(lines):
            _, decision, printed, _, _ = line.split("\t")
            votes = int(run.select_counts[row, column])
            assert selection_row(votes) == (int(decision), printed)
            assert run.predict_select is not None
            assert run.predict_select[row, column] == int(decision)
    c_hat = run.class_counts0.argmax(1)
    assert c_hat.tolist() == [3, 1, 8, 0, 7]
    assert run.class_counts[[0, 1], [3, 1]].tolist() == [100_000, pytest.approx(70_000, abs=60)]
    assert f"{radius(int(run.class_counts[3, 0])):.3}" == f"{radius(50_700):.3}"


def test_scores_become_median_and_quantiles(data: Path) -> None:
    runs = by_name(import_logs(data))
    run, selection = smoothed(runs["cifar10_consistency_025_certification"]), runs["selection_model_binary_050_outputs"]
    assert isinstance(selection, SelectionRun)
    assert run.entropy_quantiles is not None
    assert run.entropy_quantiles[1].tolist() == np.float32([0.03, 0.08, 0.13, 0.15, 0.33]).tolist()
    assert np.array_equal(run.entropy_median, run.entropy_quantiles[:, 2])
    assert np.array_equal(selection.score_median, run.entropy_median)


def test_one_file_stands_for_its_evaluation_and_none_is_read_twice(data: Path) -> None:
    folder = data / "cifar10" / "consistency" / "noise_0.25"
    one = import_logs(folder / "cifar10_consistency_025_selection_0.10")
    assert [run.meta.name for run in one] == ["cifar10_consistency_025_certification"]
    assert len(import_logs(data, folder, folder / "cifar10_consistency_025_certification")) == 3


def test_imported_runs_survive_their_run_file(data: Path, tmp_path: Path) -> None:
    for run in import_logs(data):
        (tmp_path / "data" / f"{run.meta.name}.npz").write_bytes(to_bytes(run))
    logs = by_name(import_logs(data / "cifar10"))
    for path in data.glob("*.npz"):
        assert same(import_logs(path)[0], logs[path.stem])


def test_the_last_threshold_must_select_everything(data: Path) -> None:
    folder = data / "cifar10" / "consistency" / "noise_0.25"
    shutil.copy(folder / "cifar10_consistency_025_selection_0.98", folder / "cifar10_consistency_025_selection_1.00")
    shutil.copy(folder / "cifar10_consistency_025_selection_0.98", folder / "cifar10_consistency_025_selection_0.99")
    with pytest.raises(AcesError, match=r"selection_1.00, line 5: radius .* at theta 1 every draw is selected"):
        import_logs(folder)


@pytest.mark.parametrize("part", ["selection_0.29", "entropies", "certification"])
def test_a_missing_log_is_named(data: Path, part: str) -> None:
    (data / "cifar10" / "consistency" / "noise_0.25" / f"cifar10_consistency_025_{part}").unlink()
    with pytest.raises(AcesError, match=rf"noise_0.25 lacks cifar10_consistency_025_{part};"):
        import_logs(data)


def test_a_core_log_that_ends_early_is_refused(data: Path) -> None:
    path = data / "cifar10" / "core" / "lanet_core_prediction"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:4]))
    with pytest.raises(
        AcesError, match=r"lanet_core_prediction: cut off; it holds 3 of the 5 images .* missing is 6000"
    ):
        import_logs(data)


def test_logs_that_disagree_on_a_label_are_refused(data: Path) -> None:
    path = data / "cifar10" / "core" / "lanet_core_prediction"
    path.write_text(cell(3, 3, "0")(cell(3, 1, "7")(path.read_text())))
    with pytest.raises(AcesError, match=r"lanet_core_prediction: image 2000 has label 7, and 8 in \S+_certification"):
        import_logs(data)


def test_folders_without_logs_and_missing_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "README").write_text("nothing")
    with pytest.raises(AcesError, match="no logs in this folder"):
        import_logs(tmp_path)
    with pytest.raises(AcesError, match="no such file or folder"):
        import_logs(tmp_path / "absent")


# --- the authors' logs -------------------------------------------------------------------------------------------

SETTINGS = {  # certification run, selection run, core run -> table, training, eta
    ("cifar10_consistency_025_certification", None, "lanet_core_prediction"): ("8/9", "consistency", None),
    ("cifar10_gaussian_025_certification", None, "lanet_core_prediction"): ("8/9", "gaussian", None),
    ("imagenet_consistency_050_certification", None, "efficientnet-b7_core_prediction"): ("4/5", "consistency", None),
    (
        "cifar10_gaussian_025_certification",
        "selection_model_gaussian_025_binary_050_outputs",
        "lanet_core_prediction",
    ): ("14", "gaussian", 0.5),
}


@pytest.fixture(scope="module")
def authors() -> dict[str, Run]:
    return by_name(import_logs(AUTHORS))


def printed_series(table: str, training: str, eta: float | None) -> AcesSeries:
    (found,) = (s for s in aces_series() if (s.table, s.training, s.eta) == (table, training, eta))
    return found


def differing(setting: tuple, authors: dict[str, Run], convention: Convention) -> tuple[list[tuple], int]:
    """Cells of a setting's table that do not come out to the printed digit, as (metric, theta, radius); its size."""
    certification, selection, core = (authors[name] if name else None for name in setting)
    series = printed_series(*SETTINGS[setting])
    metrics = evaluate(
        compose(certification, core, selection),
        series.thetas,
        alpha=0.001,
        correction=Correction.BONFERRONI,
        radii=series.radii,
        convention=convention,
    )
    cells, wrong = 0, []
    for name, digits in (("nac", 1), ("acr", 3), ("certified_accuracy", 1), ("certified_selection", 1)):
        ours, theirs = getattr(metrics, name), getattr(series, name)
        assert ours.shape == theirs.shape
        for at in np.ndindex(theirs.shape):
            cells += 1
            if f"{ours[at]:.{digits}f}" != f"{theirs[at]:.{digits}f}":
                wrong.append((name, float(series.thetas[at[0]]), float(series.radii[at[1]]) if len(at) == 2 else None))
    return wrong, cells


@needs_authors
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[1] or setting[0])
def test_the_printed_tables_come_out_to_the_last_digit(setting: tuple, authors: dict[str, Run]) -> None:
    wrong, cells = differing(setting, authors, Convention.PAPER)
    assert not wrong
    assert cells == 11 + 11 + 99 + 99


@needs_authors
def test_algorithm_1_differs_from_the_printed_tables_at_radius_0_and_in_the_rounding_of_radii(
    authors: dict[str, Run],
) -> None:
    accuracy = set()
    for setting in SETTINGS:
        wrong, _ = differing(setting, authors, Convention.ALGORITHM)
        assert {name for name, _, _ in wrong} <= {"acr", "certified_accuracy", "certified_selection"}
        accuracy |= {(setting[0], theta) for name, theta, r in wrong if name == "certified_accuracy" and r == 0}
    # Two of the four cells in tables 2 to 13 where an abstaining selection was counted as right.
    assert accuracy == {("cifar10_gaussian_025_certification", 0.2), ("cifar10_gaussian_025_certification", 0.3)}


@needs_authors
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[1] or setting[0])
def test_no_metric_of_the_authors_logs_exceeds_what_they_print(setting: tuple, authors: dict[str, Run]) -> None:
    certification, selection, core = (authors[name] if name else None for name in setting)
    c, thetas, radii = compose(certification, core, selection), np.arange(101) / 100, [0.25, 0.5, 1.0, 1.5]
    exact, printed = (
        evaluate(c, thetas, correction=Correction.BONFERRONI, radii=radii, convention=convention)
        for convention in Convention
    )
    assert (exact.certified_accuracy <= printed.certified_accuracy).all()
    assert (exact.certified_selection <= printed.certified_selection).all()
    assert (exact.acr <= 1.005 * printed.acr).all()
    assert (exact.nac == printed.nac).all()


CEILINGS = {  # sigma * Phi^-1(0.001^(1 / 100,000)), rounded down to 9 digits as every radius that is shown
    "cifar10_gaussian_025_certification": Decimal("0.952864140"),
    "cifar10_consistency_025_certification": Decimal("0.952864140"),
    "imagenet_consistency_050_certification": Decimal("1.90572828"),
}


def largest(radii: np.ndarray) -> Decimal:
    return round_down(radii.max())


@needs_authors
@pytest.mark.parametrize("name", CEILINGS)
def test_no_radius_of_the_authors_logs_exceeds_what_100_000_draws_can_certify(
    name: str, authors: dict[str, Run]
) -> None:
    run = smoothed(authors[name])
    core = next(r for r in authors.values() if isinstance(r, CoreRun) and r.meta.dataset == run.meta.dataset)
    answer = certify(compose(run, core), [1.0], alpha=0.001, correction=Correction.INTERSECTION_UNION)
    assert largest(answer.radius_certify) == largest(standalone(run, 0.001).radius) == CEILINGS[name]
    assert largest(answer.radius) <= CEILINGS[name]


@needs_authors
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[1] or setting[0])
def test_intersection_union_certifies_more_at_every_threshold(setting: tuple, authors: dict[str, Run]) -> None:
    certification, selection, core = (authors[name] if name else None for name in setting)
    c = compose(certification, core, selection)
    thetas = np.arange(101) / 100
    paper, ours = (evaluate(c, thetas, correction=which).acr for which in (Correction.BONFERRONI, "intersection-union"))
    gain = 100 * (ours[paper > 0] / paper[paper > 0] - 1)
    assert gain.min() > 0.08
    assert 0.3 < gain.max() < 0.75
