"""The logs here are fabricated: radii from chosen counts, by scipy alone. The authors' own are read where present."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, norm

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.published import import_logs, infer_draws
from engine.published.grid import OFF_GRID, RadiusGrid
from engine.published.paper import AcesSeries, aces_series
from engine.published.votes import class_votes
from engine.records.compose import compose
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun, from_bytes, same, to_bytes
from engine.statistics.aces import Outcome, certify, predict_class
from engine.statistics.bounds import round_down, z_lower_bound
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention, evaluate, standalone
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


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the authors publish it: one certification network, one selection network, one core network."""
    root = tmp_path_factory.mktemp("published")
    folder = root / "cifar10" / "consistency" / "noise_0.25"
    write_certification(folder / "cifar10_consistency_025_certification")
    write_scores(folder / "cifar10_consistency_025_entropies")
    write_selections(folder, "cifar10_consistency_025")
    folder = root / "cifar10" / "gaussian" / "noise_0.25_selection_model" / "selection_model_binary_050"
    write_certification(folder / "selection_model_binary_050_certification")
    write_scores(folder / "selection_model_binary_050_outputs")
    write_selections(folder, "selection_model_binary_050")
    core = [(i, y, y if i else 5, int(i > 0), "0:00:00.055197") for i, y in zip(INDEX, LABEL, strict=True)]
    write(root / "cifar10" / "core" / "lanet_core_prediction", "idx|label|predict|correct|time", core)
    return root


@pytest.fixture
def data(published: Path, tmp_path: Path) -> Path:
    """A copy of ``published`` to damage."""
    return Path(shutil.copytree(published, tmp_path / "data"))


def by_name(runs: list[Run]) -> dict[str, Run]:
    return {run.meta.name: run for run in runs}


def smoothed(run: Run) -> SmoothedRun:
    assert isinstance(run, SmoothedRun)
    return run


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


def test_abstentions_abstain_and_recorded_predictions_are_kept(data: Path) -> None:
    runs = by_name(import_logs(data))
    run, core = smoothed(runs["cifar10_consistency_025_certification"]), runs["lanet_core_prediction"]
    assert isinstance(core, CoreRun)
    assert run.predict_class is not None
    assert run.predict_class.tolist() == [3, 1, 8, ABSTAIN, ABSTAIN]
    answer = certify(compose(run, core), [1.0], alpha=0.001, correction=Correction.BONFERRONI)
    assert answer.outcome[:, 0].tolist() == [
        Outcome.CERTIFIED, Outcome.CERTIFIED, Outcome.ABSTAIN, Outcome.CERTIFIED, Outcome.ABSTAIN,
    ]  # fmt: skip
    undecided = [(row, step) for row in range(5) for step in range(101) if selection_row(selected(row, step))[0] == -1]
    assert undecided
    for row, step in undecided:
        assert run.select_counts[row, step] == N // 2
        assert run.select_counts0[row, step] == 50


def test_votes_predict_what_the_log_predicted(data: Path) -> None:
    run = smoothed(by_name(import_logs(data))["cifar10_consistency_025_certification"])
    # The fourth image: certified with n draws, undecided with the 10,000 that the authors' PREDICT took. No table of
    # votes does both, so the recorded decision wins wherever there is one.
    assert predict_class(run.class_counts, LEVEL).tolist() == [3, 1, 8, 0, ABSTAIN]


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


Edit = Callable[[str], str]


def cell(line: int, column: int, value: str) -> Edit:
    """Replace one cell; lines count from 1, the header."""

    def edit(text: str) -> str:
        lines = [row.split("\t") for row in text.splitlines()]
        lines[line - 1][column] = value
        return "".join("\t".join(row) + "\n" for row in lines)

    return edit


@pytest.mark.parametrize(
    ("part", "edit", "message"),
    [
        ("certification", cell(3, 0, "0"), r"line 3: idx is '0'; line 2 has that image already"),
        ("certification", cell(3, 0, "x"), r"line 3: idx is 'x'; expected an integer in 0..9999"),
        ("certification", cell(3, 0, "9" * 30), r"line 3: idx is '9+'; expected an integer in 0..9999"),
        ("certification", cell(4, 1, "10"), r"line 4: label is '10'; expected an integer in 0..9"),
        ("certification", cell(2, 3, "nan"), r"line 2: radius is 'nan'; expected a number"),
        ("certification", cell(2, 3, "0.946"), r"line 2: radius is '0.946'; n = 100000 draws at sigma 0.25 .* no such"),
        ("certification", cell(4, 3, "0.1"), r"line 4: radius is '0.1'; an abstention has 0"),
        ("certification", cell(2, 4, "0"), r"line 2: correct is '0'; .* say 1"),
        ("certification", cell(4, 6, "0"), r"line 4: unperturbed correct is '0'; .* say 1"),
        ("certification", cell(3, 7, "1 h"), r"line 3: time is '1 h'"),
        ("certification", cell(1, 7, "sigma"), r"the columns are .*'sigma'; expected .*'time'"),
        ("certification", lambda text: text.splitlines()[0] + "\n", r"a header and no rows"),
        ("certification", lambda text: "", r"the file is empty"),
        ("certification", lambda text: text[:-9], r"line 6: the file is cut off"),
        ("certification", lambda text: text[:-25] + "\n", r"line 6: \d cells, expected 8"),
        ("certification", lambda text: text.replace("\n", "\n\n", 2), r"line 2: 1 cells, expected 8: ''"),
        ("selection_0.37", cell(5, 0, "6001"), r"line 5: idx is '6001'; \S+_certification has '6000' there"),
        ("selection_0.37", cell(5, 4, "0:02:00"), r"line 5: time is '0:02:00'; \S+_certification has '0:01:13.206684'"),
        ("selection_0.37", cell(5, 1, "2"), r"line 5: predict is '2'; expected an integer in -1..1"),
        ("selection_0.37", lambda text: text[: text.index("6000")], r"holds 3 rows, \S+_certification 5"),
        ("selection_1.00", cell(2, 2, "0.3"), r"line 2: radius is '0.3'; after predict 1 .* is a fall"),
        ("selection_0.30", cell(2, 3, "0"), r"line 2: unperturbed predict is '0'; after predict 1 .* is a fall"),
        ("entropies", cell(3, 5, "1.2"), r"line 3: 50 percentile is '1.2'; expected a number in 0..1"),
        ("entropies", cell(3, 0, "2001"), r"line 3: idx is '2001'; \S+_certification has '2000'"),
    ],
)
def test_bad_evaluations_are_refused_with_file_line_and_value(data: Path, part: str, edit: Edit, message: str) -> None:
    path = data / "cifar10" / "consistency" / "noise_0.25" / f"cifar10_consistency_025_{part}"
    path.write_text(edit(path.read_text()))
    with pytest.raises(AcesError, match=rf"_{part}[:, ].*{message}"):
        import_logs(data)


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


# --- radii and counts --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sigma", "decimals"), [(0.12, None), (0.25, None), (1.0, None), (0.5, 4)])
def test_a_printed_radius_names_the_lowest_of_the_counts_that_print_it(sigma: float, decimals: int | None) -> None:
    grid = RadiusGrid.of(sigma, 10_000, 0.001, decimals)
    z = z_lower_bound(np.arange(10_001), 10_000, 0.001)
    shown = [f"{sigma * x:.3}" if decimals is None else f"{sigma * x:.4f}" for x in z]
    for k in np.flatnonzero(z > 0)[::7]:
        alike = [j for j in range(k - 40, min(k + 41, 10_001)) if z[j] > 0 and shown[j] == shown[k]]
        assert int(grid.counts_of(np.array([float(shown[k])]))[0]) == min(alike)


@pytest.mark.parametrize("decimals", [None, 4])
def test_another_library_may_round_a_radius_the_other_way(decimals: int | None) -> None:
    """A bound that differs by 1e-12 prints the next digit where the radius lies at the edge of two."""
    sigma, k = 0.25, 9_000
    edge = 0.2985 if decimals is None else 0.29855
    sigma = edge / float(z_lower_bound(k, 10_000, 0.001))  # so that k votes lie at the edge, exactly
    shown = [f"{edge + off:.3}" if decimals is None else f"{edge + off:.4f}" for off in (-1e-12, 1e-12)]
    assert shown[0] != shown[1]
    grid = RadiusGrid.of(sigma, 10_000, 0.001, decimals)
    below, above = grid.counts_of(np.array([float(text) for text in shown])).tolist()
    assert below <= k
    assert above == k


def test_radii_that_no_count_gives_are_off_the_grid() -> None:
    grid = RadiusGrid.of(0.25, N, LEVEL)
    assert grid.counts_of(np.array([0.947, 0.946, 0.948, 5.0, 0.0])).tolist() == [N] + 4 * [OFF_GRID]


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("alpha", [0.001, 0.01, 0.0005])
def test_draws_are_inferred_from_radii(n: int, alpha: float) -> None:
    rng = np.random.default_rng(n)
    counts = [k for k in rng.binomial(n, rng.beta(8, 1, 200)) if beta.ppf(alpha, k, n - k + 1) > 0.5]
    radii = np.array([float(f"{radius(k, 0.5, n, alpha):.3}") for k in [*counts, n, n - 1]])
    draws = infer_draws(radii, 0.5)
    assert (draws.n, draws.matched) == (n, len(radii))
    assert (n, alpha) in draws.fits
    assert draws.alpha == max(level for _, level in draws.fits)
    stated = infer_draws(radii, 0.5, alpha=alpha)
    assert (stated.n, stated.alpha, stated.matched) == (n, alpha, len(radii))


def test_few_radii_leave_the_draws_open_and_the_inference_says_so() -> None:
    draws = infer_draws(np.array([0.3]), 0.25)
    assert (draws.n, draws.alpha) == (1_000, 0.01)
    assert {(10_000, 0.001), (100_000, 0.001)} <= set(draws.fits)
    assert draws.ambiguous is not None
    assert "n = 10,000 with alpha = 0.001" in draws.ambiguous
    assert [10_000, 0.001] in draws.to_json()["also"]


@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0005])
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_however_a_log_is_read_no_bound_exceeds_that_of_its_own_votes(n: int, alpha: float, rows: int) -> None:
    """At every level up to the one it is read under, from the counts that were drawn and those reconstructed."""
    rng = np.random.default_rng(rows)
    for sigma in (0.25, 0.5, 1.0):
        drawn = rng.binomial(n, 1 - 0.6 * rng.beta(0.3, 1, (5, rows)))
        for votes in drawn:
            k = votes[z_lower_bound(votes, n, alpha) > 0]
            printed = np.array([float(f"{x:.3}") for x in sigma * z_lower_bound(k, n, alpha)])
            if not len(k):
                continue
            draws = infer_draws(printed, sigma)
            read = draws.grid(sigma).counts_of(printed)
            assert (n, alpha) in draws.fits
            assert draws.alpha >= alpha
            for level in (0.01, 0.005, 0.001, 0.0005, 0.001 / 202, 1e-8):
                if level <= draws.alpha:
                    assert (z_lower_bound(read, draws.n, level) <= z_lower_bound(k, n, level)).all()


@pytest.mark.parametrize("alpha", [0.0, -0.1, 0.6, 1.0, float("nan")])
def test_an_alpha_that_no_log_has_is_refused(alpha: float) -> None:
    with pytest.raises(AcesError, match=r"the alpha of a log is .*; it must lie in \(0, 0.5\]"):
        infer_draws(np.array([0.3]), 0.25, alpha=alpha)


def test_votes_spread_where_the_winner_is_clear_and_gather_where_it_is_not() -> None:
    votes = class_votes(np.array([2, 0]), np.array([6, 5]), 10, 4, clear=np.array([True, False]))
    assert votes.tolist() == [[1, 1, 6, 2], [5, 5, 0, 0]]


# --- logs in the form of Cohen et al. ----------------------------------------------------------------------------

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


def test_a_cohen_log_is_a_smoothed_run_without_selection(tmp_path: Path) -> None:
    path = write(tmp_path / "cifar10/resnet110/noise_0.50/test/sigma_0.25", COHEN, cohen_rows())
    run = smoothed(import_logs(path)[0])
    meta = run.meta
    assert (meta.name, meta.dataset, meta.split, meta.sigma, meta.n) == ("sigma_0.25", "cifar10", "test", 0.25, N)
    assert (meta.network.training, meta.network.sigma_train) == (None, 0.5)
    assert meta.extra == {"source": "Cohen log", "inferred": {"n": N, "alpha": 0.01, "matched": "400/400"}}
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


def ambiguous_log(folder: Path) -> Path:
    """Five images of 100,000 draws at alpha 0.01, none near the largest radius: they fit 0.001 and 0.0005 as well."""
    rows = [(2000 * i, i, i, f"{radius(60_000 + 3_000 * i, SIGMA, N, 0.01):.3}", 1, "0:00:10") for i in range(5)]
    return write(folder / "cifar10/noise_0.25/test/sigma_0.25", COHEN, rows)


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
