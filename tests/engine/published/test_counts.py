"""Class counts as Jia et al. publish them, fabricated: multinomial draws of known shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, binom, norm

from engine.errors import AcesError
from engine.published import import_logs
from engine.published.counts import SOURCE
from engine.records.runs import from_bytes, same, to_bytes
from engine.statistics.metrics import standalone
from tests.engine.published.fabricated import smoothed

N, ROWS = 10_000, 500


def votes(rows: int = ROWS, n: int = N) -> np.ndarray:
    """Counts [rows, 10]: the class row % 10 has a share between 0.3 and 1."""
    rng = np.random.default_rng(5)
    shares = np.full((rows, 10), 0.0)
    top = np.linspace(0.3, 1, rows)
    shares += ((1 - top) / 9)[:, None]
    shares[np.arange(rows), np.arange(rows) % 10] = top
    return rng.multinomial(n, shares)


def write(path: Path, counts: np.ndarray, separator: str = " ") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [separator.join(map(str, [*row, k % 10])) + "\n" for k, row in enumerate(counts.tolist())]
    path.write_text("".join(rows))
    return path


@pytest.mark.parametrize("separator", [" ", "\t"])
def test_counts_are_a_run_whose_guess_draws_are_none_of_those_that_estimate(tmp_path, separator):
    counts = votes()
    run = smoothed(import_logs(write(tmp_path / "cifar10/noise_0.25/counts.txt", counts, separator))[0])
    assert (run.meta.name, run.meta.sigma, run.meta.n0, run.meta.n) == ("counts", 0.25, 100, N - 100)
    assert (run.class_counts0 + run.class_counts == counts).all()
    assert (run.class_counts0.sum(1) == 100).all()
    assert run.index.tolist() == list(range(0, 10_000, 20))  # as many as the paper's subset
    assert run.label.tolist() == [k % 10 for k in range(ROWS)]
    assert not run.meta.from_log  # its votes were counted: margins and shares of them may be asked for
    assert run.meta.extra["source"] == SOURCE
    assert same(from_bytes(to_bytes(run)), run)
    assert same(import_logs(tmp_path / "cifar10/noise_0.25/counts.txt")[0], run)


def test_the_radii_are_those_of_the_draws_that_estimate(tmp_path):
    run = smoothed(import_logs(write(tmp_path / "cifar10/noise_0.25/counts.txt", votes()))[0])
    found = standalone(run, alpha=0.001)
    row = ROWS - 3
    k = int(run.class_counts[row, row % 10])
    assert found.radius[row] == pytest.approx(0.25 * norm.ppf(beta.ppf(0.001, k, N - 100 - k + 1)), rel=1e-9)
    assert standalone(run, alpha=0.001, bound="margin").radius[row] > 0


def test_the_guess_draws_are_a_sample_of_all(tmp_path):
    counts = np.tile([6_000, 4_000, *[0] * 8], (ROWS, 1))
    run = smoothed(import_logs(write(tmp_path / "cifar10/noise_0.25/counts.txt", counts))[0])
    drawn = run.class_counts0[:, 0].sum()
    assert binom.cdf(drawn, ROWS * 100, 0.6) == pytest.approx(0.5, abs=0.49)
    assert run.class_counts0[:, 0].std() == pytest.approx(np.sqrt(100 * 0.6 * 0.4), rel=0.15)


def test_rows_of_another_number_are_counted_from_0(tmp_path):
    run = import_logs(write(tmp_path / "cifar10/noise_0.25/few.txt", votes(rows=30)))[0]
    assert run.index.tolist() == list(range(30))
    assert run.meta.extra["notes"][1] == "its rows are taken to be the images 0, 1, 2, ..."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5 95 0 0 0 0 0 0 0 0 1\n", "line 1: 100 draws; expected 200"),
        (f"{10**8} 1 0 0 0 0 0 0 0 0 1\n", "line 1: 100,000,001 draws"),
        ("500 500 0 0 0 0 0 0 0 0 1\n400 500 0 0 0 0 0 0 0 0 1\n", "line 2: 900 draws, and 1,000 on line 1"),
        ("500 500 0 0 0 0 0 0 0 0 10\n", "line 1: the label is 10; expected 0..9"),
        ("500 500 0\n", "line 1: 3 numbers; expected the counts of 10 classes and a label"),
        ("500 500 0 0 0 0 0 0 0 0 1\n500 500 0 0 0 0 -1 1 0 0 1\n", "line 2: .* are not counts"),
        ("500 500 0 0 0 0 0 0 0 0 1\n500 500 0 0 0 0 0 0 0 0 1", "line 2: the file is cut off"),
        (f"500 500 0 0 0 0 0 0 0 0 1\n{'9' * 5000} 1 0 0 0 0 0 0 0 0 1\n", "line 2: '9{60}' are not counts"),
    ],
)
def test_what_cannot_be_counts_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "cifar10/noise_0.25/counts.txt"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(AcesError, match=rf"counts\.txt, {message}"):
        import_logs(path)


def test_dataset_and_sigma_must_be_told(tmp_path):
    path = write(tmp_path / "counts.txt", votes())
    with pytest.raises(AcesError, match="no folder names the dataset"):
        import_logs(path)
    with pytest.raises(AcesError, match="sigma is None"):
        import_logs(path, dataset="cifar10")
    assert import_logs(path, dataset="cifar10", sigma=0.25)[0].meta.sigma == 0.25
