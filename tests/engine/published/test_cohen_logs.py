from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.published import import_logs
from engine.records.compose import compose
from engine.records.meta import Meta
from engine.records.runs import CoreRun, from_bytes, same, to_bytes
from engine.statistics.aces import certify
from engine.statistics.metrics import Convention, standalone
from tests.engine.published.fabricated import COHEN, SIGMA, N, ambiguous_log, cell, cohen_rows, radius, smoothed, write


def test_a_cohen_log_is_a_smoothed_run_without_selection(tmp_path: Path) -> None:
    path = write(tmp_path / "cifar10/resnet110/noise_0.50/test/sigma_0.25", COHEN, cohen_rows())
    run = smoothed(import_logs(path)[0])
    meta = run.meta
    assert (meta.name, meta.dataset, meta.split, meta.sigma, meta.n) == ("sigma_0.25", "cifar10", "test", 0.25, N)
    assert (meta.network.training, meta.network.sigma_train) == (None, 0.5)
    inferred = {"n": N, "alpha": 0.01, "matched": "400/400"}
    assert meta.extra == {"source": "Cohen log", "inferred": inferred, "most_votes": True}
    assert run.thetas.tolist() == [1.0]
    assert (run.select_counts == N).all()
    assert np.isnan(run.entropy_median).all()
    printed = np.array([float(row[3]) for row in cohen_rows()])
    assert standalone(run, alpha=0.01, convention=Convention.PAPER).radius.tolist() == printed.tolist()
    drawn = [
        0 if row[2] == ABSTAIN else radius(N - (i * i) % (N * 2 // 5), level=0.01) for i, row in enumerate(cohen_rows())
    ]
    exact = standalone(run, alpha=0.01).radius
    assert (exact <= np.array(drawn) + 1e-12).all()
    assert exact == pytest.approx(printed, rel=0.006)
    assert same(from_bytes(to_bytes(run)), run)


@pytest.mark.parametrize("time", ["15.4", "0:00:03.608171", "0:02:29", "1 day, 0:00:01"])
def test_a_cohen_log_may_end_in_tsv_and_time_in_seconds_or_hours(tmp_path: Path, time: str) -> None:
    rows = [(*row[:-1], time) for row in cohen_rows()]
    run = import_logs(write(tmp_path / "cifar10/gaussian/noise_0.25.tsv", COHEN, rows))[0]
    assert (run.meta.name, run.meta.sigma, run.meta.network.training) == ("noise_0.25", 0.25, "gaussian")


def test_four_decimals_are_recognised_and_kept(tmp_path: Path) -> None:
    rows = [
        (*row[:3], f"{0 if row[2] == ABSTAIN else radius(N - 17 * i, SIGMA, N, 0.001):.4f}", *row[4:])
        for i, row in enumerate(cohen_rows())
    ]
    run = smoothed(import_logs(write(tmp_path / "cifar10/noise_0.25/test/sigma_0.25", COHEN, rows))[0])
    assert (run.meta.n, run.meta.extra["inferred"]["alpha"], run.meta.radius_digits) == (N, 0.001, None)
    assert [f"{r:.4f}" for r in standalone(run, alpha=0.001).radius] == [row[3] for row in rows]


def test_an_ambiguous_log_is_read_under_the_largest_alpha_and_says_so(tmp_path: Path) -> None:
    run = smoothed(import_logs(ambiguous_log(tmp_path))[0])
    assert run.meta.extra["inferred"]["alpha"] == 0.01
    (note,) = run.meta.extra["notes"]
    assert note.startswith("ambiguous: its radii fit n = 1")
    for fit in ("n = 100,000 with alpha = 0.01", "n = 100,000 with alpha = 0.001", "n = 100,000 with alpha = 0.0005"):
        assert fit in note
    assert note.endswith("with alpha = 0.01; --alpha-of-log states what it was")
    drawn = [radius(60_000 + 3_000 * i, SIGMA, N, 0.001) for i in range(5)]
    assert (standalone(run, alpha=0.001).radius <= drawn).all()


def test_the_alpha_of_a_log_may_be_stated_and_must_fit(tmp_path: Path) -> None:
    path = ambiguous_log(tmp_path)
    for alpha in (0.001, 0.002):  # also one that is no usual one
        run = smoothed(import_logs(path, alpha=alpha)[0])
        assert (run.meta.extra["inferred"]["alpha"], run.meta.extra["inferred"]["stated"]) == (alpha, ["alpha"])
    sure = write(tmp_path / "cifar10/sigma_0.25", COHEN, cohen_rows())
    assert import_logs(sure, alpha=0.01)[0].meta.extra["inferred"]["matched"] == "400/400"
    with pytest.raises(AcesError, match=r"sigma_0.25: alpha 0.001 does not fit this log: no n of 1,000, .* of its 400"):
        import_logs(sure, alpha=0.001)


def test_an_alpha_of_no_log_is_refused(data: Path) -> None:
    with pytest.raises(AcesError, match="none of these is a Cohen-style log"):
        import_logs(data, alpha=0.001)


@pytest.mark.parametrize("form", ["{:.3}", "{:.4f}"])
def test_a_radius_that_prints_as_one_asked_for_may_fall_short_of_it_in_either_form(tmp_path: Path, form: str) -> None:
    drawn = [radius(k, SIGMA, N, 0.001) for k in range(80_000, N)]
    far, near = (next(r for r in drawn if r > least and f"{r:.4f}".endswith("00")) for least in (0.31, 0.22))
    rows = [(2000 * i, i, i, form.format(r), 1, "1.0") for i, r in enumerate([far, near])]
    run = smoothed(import_logs(write(tmp_path / "cifar10/sigma_0.25", COHEN, rows), alpha=0.001)[0])
    at = [float(f"{far:.2f}"), float(f"{near:.2f}")]
    assert [float(form.format(r)) for r in (far, near)] == at
    assert standalone(run, 0.001, at).certified_accuracy.tolist() == [0.0, 50.0]


def test_the_papers_convention_prints_both_forms_as_they_were_printed(tmp_path: Path) -> None:
    """Equal counts, one rule: what a log showed as 0.25 reaches 0.25 under it, in either form."""
    k = next(k for k in range(80_000, N) if f"{radius(k, SIGMA, N, 0.001):.4f}" == "0.2500")
    shown = []
    for form, folder in (("{:.3}", "digits"), ("{:.4f}", "decimals")):
        radii = [radius(count, SIGMA, N, 0.001) for count in (k, k, *range(N - 200, N + 1))]
        rows = [(20 * i, i % 10, i % 10, form.format(r), 1, "1.0") for i, r in enumerate(radii)]
        path = write(tmp_path / folder / "cifar10/sigma_0.25", COHEN, rows)
        run = smoothed(import_logs(path, alpha=0.001)[0])
        found = [standalone(run, 0.001, [0.25], convention).certified_accuracy[0] for convention in Convention]
        shown.append(dict(zip(Convention, found, strict=True)))
        assert (run.meta.radius_digits, run.meta.radius_decimals) == ((3, None) if folder == "digits" else (None, 4))
        assert same(from_bytes(to_bytes(run)), run)
    assert shown[0] == shown[1]
    assert shown[0][Convention.PAPER] == 100
    assert shown[0][Convention.ALGORITHM] == pytest.approx(100 * 201 / 203)


def test_sigma_and_dataset_may_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "log", COHEN, cohen_rows())
    with pytest.raises(AcesError, match="no folder names the dataset"):
        import_logs(path)
    with pytest.raises(AcesError, match=r"sigma is None; put the log into a folder such as noise_0.25"):
        import_logs(path, dataset="cifar10")
    with pytest.raises(
        AcesError, match=r"log, line 2: radius is '0.978'; n = \d+ draws at sigma 0.12 .* is sigma right"
    ):
        import_logs(path, dataset="cifar10", sigma=0.12)
    assert import_logs(path, dataset="cifar10", sigma=0.25)[0].meta.sigma == 0.25


def test_a_running_count_in_correct_is_recognised_and_any_other_contradiction_refused(tmp_path: Path) -> None:
    rows = cohen_rows()
    running = np.cumsum([row[4] for row in rows])
    path = tmp_path / "cifar10/sigma_0.25"
    write(path, COHEN, [(*row[:4], count, row[5]) for row, count in zip(rows, running, strict=True)])
    assert import_logs(path)[0].meta.extra["notes"] == ["the column 'correct' is a running count"]
    path.write_text(cell(4, 4, "9")(path.read_text()))
    with pytest.raises(AcesError, match=r"sigma_0\.25, line 3: correct is '2'"):
        import_logs(path)


def test_a_cohen_log_that_stops_early_says_so(tmp_path: Path) -> None:
    run = import_logs(write(tmp_path / "cifar10/sigma_0.25", COHEN, cohen_rows(images=427)))[0]
    assert run.meta.extra["notes"] == ["holds 427 of the 500 images 0, 20, ..., 9980: the first missing is 8540"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "a header and no rows"),
        ([(0, 0, ABSTAIN, "0.0", 0, "1.0")], "no row is certified"),
        ([(0, 0, 0, "0.978", 1, "1.0"), (20, 0, 0, "0.977", 1, "1.0")], "line 3: radius is '0.977'"),
    ],
)
def test_cohen_logs_that_tell_nothing_are_refused(tmp_path: Path, rows: list, message: str) -> None:
    with pytest.raises(AcesError, match=message):
        import_logs(write(tmp_path / "cifar10/sigma_0.25", COHEN, rows))


def test_a_log_of_another_form_is_refused_with_its_columns(tmp_path: Path) -> None:
    write(tmp_path / "cifar10/sigma_0.25", "idx|label|predict|radius|correct|sigma|time", [])
    with pytest.raises(AcesError, match=r"the columns are .*'sigma'"):
        import_logs(tmp_path)


def test_equal_stems_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for trained in ("0.25", "0.50"):
        write(tmp_path / f"cifar10/resnet110/noise_{trained}/test/sigma_0.25", COHEN, cohen_rows())
    write(tmp_path / "cifar10/macer/noise_0.25", COHEN, cohen_rows())
    write(tmp_path / "cifar10/macer/noise_0.25.tsv", COHEN, cohen_rows())
    assert {run.meta.name for run in import_logs(tmp_path)} == {
        "noise_0.25", "noise_0.25.tsv", "noise_0.25-test-sigma_0.25", "noise_0.50-test-sigma_0.25",
    }  # fmt: skip


def imagenet_rows(shift: int) -> list:
    rows = cohen_rows(step=100)
    labels = [(row[0] // 50 + shift) % 1000 for row in rows]
    return [(row[0], y, y if row[2] != ABSTAIN else ABSTAIN, row[3], int(row[2] != ABSTAIN), row[5])
            for row, y in zip(rows, labels, strict=True)]  # fmt: skip


def test_imagenet_in_file_order_does_not_compose_with_imagenet_by_class(tmp_path: Path) -> None:
    by_class = smoothed(import_logs(write(tmp_path / "imagenet/a/noise_0.25", COHEN, imagenet_rows(0)))[0])
    by_file = smoothed(import_logs(write(tmp_path / "imagenet/b/noise_0.25", COHEN, imagenet_rows(65)))[0])
    core = import_logs(
        write(
            tmp_path / "imagenet/core/b7_core_prediction",
            "idx|label|predict|correct|time",
            [(i, i // 50, i // 50, 1, "0:00:00.05") for i in range(0, 50_000, 100)],
        )
    )[0]
    assert isinstance(core, CoreRun)
    assert len(compose(by_class, core)) == 500
    assert by_file.meta.extra["notes"] == ["images in the order of ImageNet's files, not by class"]
    with pytest.raises(AcesError, match="only runs of one dataset and split compose"):
        compose(by_file, core)


def test_a_single_wrong_label_of_imagenet_is_not_another_order(tmp_path: Path) -> None:
    path = write(tmp_path / "imagenet/a/noise_0.25", COHEN, imagenet_rows(0))
    path.write_text(cell(6, 1, "9")(path.read_text()))
    with pytest.raises(AcesError, match=r"noise_0.25, line 6: image 400 has label 9; .* it has 8"):
        import_logs(path)


@pytest.mark.parametrize("form", ["{:.3}", "{:.4f}"])
def test_votes_of_a_log_are_none_at_another_share_nor_for_a_margin_whatever_its_digits(
    tmp_path: Path, form: str
) -> None:
    rows = [(2000 * i, i, i, form.format(radius(90_000 + 1_000 * i, SIGMA, N, 0.001)), 1, "1.0") for i in range(5)]
    run = smoothed(import_logs(write(tmp_path / "cifar10/sigma_0.25", COHEN, rows), alpha=0.001)[0])
    assert run.meta.from_log
    core = CoreRun(Meta("core", "core", "cifar10", 10, split="test"), run.index, run.label, run.label)
    c = compose(run, core)
    certify(c, [1.0])
    with pytest.raises(AcesError, match="tells of a majority alone"):
        certify(c, [1.0], t=0.3)
    with pytest.raises(AcesError, match="a margin needs counts"):
        certify(c, [1.0], bound="margin")
    with pytest.raises(AcesError, match="a margin needs counts"):
        standalone(run, bound="margin")
