"""The table of what intersection-union gains: held to the authors' logs, and to a case worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import gains
from engine.records.runs import to_bytes
from engine.statistics.bounds import ceiling
from tests import ROOT, random_runs

DOCUMENT = ROOT / "docs" / "statistics.md"
AUTHORS = ROOT.parent / "shared" / "published" / "data"


@pytest.mark.skipif(not AUTHORS.is_dir(), reason="the authors' logs are not beside the checkout")
def test_the_document_holds_the_gains_of_the_authors_logs():
    assert gains.written(DOCUMENT.read_text(encoding="utf-8")) == gains.markdown(gains.gains(AUTHORS))


@pytest.fixture
def runs():
    """Every image unanimous and right, sampled as the run says, with the two digits of a log."""
    run = random_runs.smoothed(3)
    n = run.meta.draws
    certain = np.eye(run.meta.num_classes, dtype=run.class_counts.dtype)[run.label] * n
    selected = np.full_like(run.select_counts, n)
    run = replace(
        run,
        meta=replace(run.meta, radius_digits=2),
        class_counts0=certain // n * run.meta.draws0,
        class_counts=certain,
        select_counts0=np.full_like(run.select_counts0, run.meta.draws0),
        select_counts=selected,
        thetas=np.arange(run.select_counts.shape[1]) / (run.select_counts.shape[1] - 1),
    )
    return run, random_runs.core_of(run)


def test_unanimous_images_gain_what_the_ceiling_does(tmp_path, runs):
    for run in runs:
        (tmp_path / f"{run.meta.kind}.npz").write_bytes(to_bytes(run))
    (found,) = gains.gains(tmp_path)
    n = runs[0].meta.draws
    expected = 100 * (ceiling(1, n, 0.001) / ceiling(1, n, 0.0005) - 1)
    assert found.percent == pytest.approx(np.full(101, expected))
    assert found.selection == "entropy"


def test_the_table_is_found_in_a_document_and_replaced(tmp_path, runs, monkeypatch):
    for run in runs:
        (tmp_path / f"{run.meta.kind}.npz").write_bytes(to_bytes(run))
    document = tmp_path / "page.md"
    document.write_text(f"before\n\n{gains.HEAD}| old | | | | |\n\nafter\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["gains", str(tmp_path), "--into", str(document)])
    gains.main()
    assert document.read_text(encoding="utf-8") == f"before\n\n{gains.markdown(gains.gains(tmp_path))}\nafter\n"
    with pytest.raises(ValueError, match="not found"):
        gains.written("no table here")
