"""docs/bounds.md has a row for every run of the demo, and some of its rows are what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bounds
from engine.statistics.steps import STEPS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "bounds.md").read_text(encoding="utf-8")


def written(below: int) -> list[list[str]]:
    rest = TEXT[TEXT.index(f"### {below} points below") :].split("\n\n", 2)[1].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rest]


@pytest.mark.parametrize("below", bounds.BELOW)
def test_every_run_of_the_demo_has_its_row(below):
    expected = [(str(m.network.training), f"{m.noise:g}") for m in bounds.runs()]
    assert [(row[1], row[2]) for row in written(below)] == expected


@pytest.mark.parametrize("position", [0, -1])
def test_rows_are_what_is_measured(position):
    found = bounds.rows(bounds.runs()[position])
    for below, row in found.items():
        assert written(below)[position] == row


def test_every_step_is_explained():
    for step in STEPS.values():
        assert f"| {step.name} | {step.sentence} |" in TEXT


def test_the_best_chain_beats_the_best_single_run_in_as_many_pairs_as_the_text_says():
    gains = []
    for below in bounds.BELOW:
        best: dict[tuple[str, str], list[float]] = {}
        for row in written(below):
            acr = [float(cell.split(":")[0]) for cell in row[7:9]]
            before = best.get((row[0], row[1]), [0.0, 0.0])
            best[row[0], row[1]] = [max(pair) for pair in zip(before, acr, strict=True)]
        gains += [chain - share for share, chain in best.values()]
    won = [gain for gain in gains if gain > 0]
    assert f"in {len(won)} of the {len(gains)}\n" in TEXT
    assert round(max(won), 2) == 0.02
