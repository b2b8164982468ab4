"""Numbers of docs/statistics.md and docs/coverage.md against what computes them, where that takes seconds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import coverage, intervals
from benchmarks.coverage import ALPHA, REPETITIONS
from engine.statistics.bounds import ceiling, z_lower_bound
from engine.statistics.corrections import Correction, levels
from engine.statistics.intervals import NAMES
from engine.statistics.looks import Split, parts, schedule

DOCS = Path(__file__).resolve().parents[1] / "docs"
STATISTICS = (DOCS / "statistics.md").read_text(encoding="utf-8")
COVERAGE = (DOCS / "coverage.md").read_text(encoding="utf-8")
N, LEVEL = 100_000, 0.001


def table_under(text: str, head: str) -> list[list[str]]:
    """The cells of the body of the table whose head begins so."""
    rest = text[text.index(head) :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rest]


def z(share: float, n: int, level: float) -> float:
    return float(z_lower_bound(round(share * n), n, level))


def test_the_radii_of_section_13():
    simultaneous = levels(Correction.SIMULTANEOUS, LEVEL).select_1
    for share, *radii in table_under(STATISTICS, "| k/n | intersection-union"):
        expected = [z(float(share.split()[0]), N, level) for level in (LEVEL, LEVEL / 2, simultaneous)]
        assert radii == [f"{radius:.4f}" for radius in expected]


def test_the_cost_of_looks_in_section_14():
    rows = table_under(STATISTICS, "| share of votes | plain, 10,000")
    assert len(rows) == 3
    for share, *radii in rows:
        at = float(share.split()[0])
        last = [parts(Split.HALF_LAST, len(schedule(n)))[-1] for n in (10_000, N)]
        expected = [
            z(at, n, LEVEL / part) for n, at_last in zip((10_000, N), last, strict=True) for part in (1, at_last)
        ]
        assert radii == [f"{radius:.4f}" for radius in expected]


def test_the_splits_of_alpha_in_section_14():
    looks = schedule(N)
    splits = {
        "none (n fixed)": [1.0] * 8,
        "even": [1 / part for part in parts(Split.EVEN, 8)],
        "1/2 last": [1 / part for part in parts(Split.HALF_LAST, 8)],
        "3/4 last": [1 / 28] * 7 + [3 / 4],
        "9/10 last": [1 / 70] * 7 + [9 / 10],
        "geometric, each look twice the one before": [2**j / 255 for j in range(8)],
    }
    rows = {name: radii for name, *radii in table_under(STATISTICS, "| split of α | first look")}
    assert rows.keys() == splits.keys()
    for name, shares in splits.items():
        assert sum(shares) == pytest.approx(8 if name.startswith("none") else 1)
        expected = [z(1, looks[j], LEVEL * shares[j]) for j in (0, 4, 7)]
        assert rows[name] == [f"{radius:.4f}" for radius in expected]


def falls(share: float, least: float, most: float) -> str:
    return f"{100 * (1 - z(share, N, least) / z(share, N, most)):.1f} %"


def test_what_simultaneous_costs_in_section_7():
    one = levels(Correction.SIMULTANEOUS, LEVEL).select_1
    said = " ".join(STATISTICS.split())
    assert (
        f"At n = 100,000 the ceiling falls by {falls(1, one, LEVEL)} ({falls(1, one, LEVEL / 2)} against Bonferroni), "
        f"the radius of an image of rate 0.95 by {falls(0.95, one, LEVEL)}."
    ) in said


def test_what_intersection_union_gains_in_section_6():
    def gain(share: float) -> str:
        return f"{100 * (z(share, N, LEVEL) / z(share, N, LEVEL / 2) - 1):.1f} %"

    assert f"{gain(1)} at the ceiling, {gain(0.95)} for an image of rate 0.95 (section 13)" in STATISTICS


def test_what_acr_hides_in_section_11():
    said = " ".join(STATISTICS.split())
    tops = [f"{ceiling(1, n, LEVEL):.2f} σ for {shown}" for n, shown in ((10_000, "n = 10,000"), (N, "100,000"))]
    assert ", ".join([*tops, f"{ceiling(1, 10 * N, LEVEL):.2f} σ for 1,000,000"]) in said
    assert f"0.1 · 1.5 · {ceiling(1, N, LEVEL):.3f} = {0.1 * ceiling(1.5, N, LEVEL):.2f}" in said


def test_the_exact_error_of_predict_in_section_8():
    row, n = coverage.predictions(1), coverage.tightest_n(ALPHA / 4)
    assert f"the exact error at α = 5 % and n = {n} is {100 * row.exact:.4f} %" in " ".join(STATISTICS.split())
    assert row.exact <= ALPHA / 2


def test_what_a_consensus_would_cost_a_chain_in_section_19():
    [measured] = re.findall(r"\| chain with a consensus \| alpha each \|  \| ([\d.]+) % \|", COVERAGE)
    assert f"{measured} % are measured at α = 5 %" in " ".join(STATISTICS.split())


# --- coverage.md -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows() -> list[tuple[coverage.Row, float]]:
    """Every row that must hold, with what the document says was measured."""
    found = []
    for row in coverage.sound(20):
        exact = "" if np.isnan(row.exact) else f"{100 * row.exact:.2f} %"
        line = re.search(re.escape(f"| {row.branch} | {row.spent} | {exact} |") + r" ([\d.]+) % \|", COVERAGE)
        assert line, row
        found.append((row, float(line[1]) / 100))
    return found


def test_every_guarantee_stands_in_the_document_and_holds_there(rows):
    fewest = REPETITIONS // 10
    assert len(rows) == COVERAGE.split("## Must exceed")[0].count(" % |\n")
    for row, measured in rows:
        assert measured <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / fewest), row
        if not np.isnan(row.exact):
            assert abs(measured - row.exact) <= 5 * np.sqrt(max(row.exact, 1e-4) / fewest), row


def test_every_interval_stands_in_the_document_and_covers_94_percent_there():
    said = COVERAGE.split("## Intervals over the choice of images")[1]
    covered = [float(cell) for cell in re.findall(r"([\d.]+) \([\d.]+\) ", said)]
    acr = len(intervals.SIZES) * len(intervals.SHARES) * len(intervals.radii(0.5))
    areas = len(intervals.SPLITS) * len(intervals.AREAS) * len(intervals.SCORES)
    assert len(covered) == 2 * 4 + acr + len(intervals.PAIRED) * len(intervals.SIZES) + areas
    assert min(covered) >= 94


def test_the_exact_coverage_of_rates_is_the_documents():
    cells = [cell for n in (20, *intervals.SIZES) for cell in intervals.rates(n)]
    assert intervals.table("images", cells) in COVERAGE


def test_the_page_names_the_intervals_of_the_document():
    assert NAMES.split(" for ")[0] in STATISTICS
    assert "Gaffke's" in STATISTICS
