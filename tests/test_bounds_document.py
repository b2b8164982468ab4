"""docs/bounds.md has a row for every run of the demo, and some of its rows are what is measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import bounds
from engine.statistics.steps import STEPS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "bounds.md").read_text(encoding="utf-8")


ACR, RATES = 1, 3  # the place of a floor's tables among its parts


def written(below: int, table: int = ACR) -> list[list[str]]:
    rest = TEXT[TEXT.index(f"### {below} points below") :].split("\n\n", 4)[table].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rest]


@pytest.mark.parametrize("table", [ACR, RATES])
@pytest.mark.parametrize("below", bounds.BELOW)
def test_every_run_of_the_demo_has_its_row(below, table):
    expected = [(bounds.named(m), f"{m.noise:g}") for m in bounds.runs()]
    assert [(row[1], row[2]) for row in written(below, table)] == expected


@pytest.mark.parametrize("position", [0, -1])
def test_rows_are_what_is_measured(position):
    found = bounds.rows(bounds.runs()[position])
    for below, row in found.items():
        assert written(below)[position] == row.acr
        assert written(below, RATES)[position] == row.rates


def test_every_step_is_explained():
    for step in STEPS.values():
        assert f"| {step.name} | {step.sentence} |" in TEXT


def rate(cell: str, place: int) -> float:
    return math.nan if cell == bounds.NONE else float(cell.split(" / ")[place])


def test_the_best_chain_beats_the_best_single_run_in_as_many_pairs_as_the_text_says():
    gains = []
    for below in bounds.BELOW:
        best: dict[tuple[str, str], list[float]] = {}
        for row in written(below):
            if row[8] == bounds.NONE:  # the only noise level of its training
                continue
            acr = [float(cell.split(":")[0]) for cell in row[7:9]]
            training = row[0], row[1].partition(" (")[0]
            best[training] = [max(pair) for pair in zip(best.get(training, [0.0, 0.0]), acr, strict=True)]
        gains += [chain - share for share, chain in best.values()]
    won = [gain for gain in gains if gain > 0]
    assert f"in {len(won)} of the {len(gains)}\n" in TEXT
    assert round(max(won), 2) == 0.03


def test_the_rates_compare_as_the_text_says():
    rows = [row[3:] for below in bounds.BELOW for row in written(below, RATES)]
    certified, abstained = ([[rate(cell, k) for cell in row] for row in rows] for k in (0, 1))
    margin, share, chain = (list(STEPS).index(key) for key in ("margin", "share", "chain"))
    more = [row[share] - row[margin] for row in abstained]
    text = " ".join(TEXT.split())
    assert f"Of the {len(rows)} pairs of run and floor" in text
    assert f"than *+ margin* in {sum(row[share] > row[margin] for row in certified)}, and" in text
    assert f"abstains more often in {sum(gap > 0 for gap in more)}, by {max(more):.1f} points at most" in text
    assert f"than *+ vote share* in {sum(row[chain] < row[share] for row in certified)}, also" in text
    gaps = [row[chain] - row[share] for row in abstained if not math.isnan(row[chain])]
    assert len(rows) - len(gaps) == len(bounds.BELOW)  # one run is the only one of its training
    assert f"in {sum(gap > 0 for gap in gaps)} of the {len(gaps)}, by up to {max(gaps):.1f} points" in text
