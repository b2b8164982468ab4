"""ACR gained by intersection-union over bonferroni on the authors' logs: a table of docs/statistics.md.

``python -m benchmarks.gains LOGS`` prints it for the folder of logs that eth-sri/ACES publishes as ``data/``;
``--into docs/statistics.md`` puts it in place of the table that is there. A test holds the document to it where the
logs are at hand.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.datasets import DATASETS
from engine.published import import_logs
from engine.records.compose import compose
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun
from engine.statistics.corrections import Correction
from engine.statistics.metrics import evaluate

ALPHA = 0.001
THETAS = np.arange(101) / 100
HEAD = "| certification network | selection | least | median | most (at θ) |\n|---|---|---:|---:|---:|\n"


@dataclass(frozen=True, eq=False)
class Gain:
    """ACR under intersection-union over that under bonferroni, less 1, in percent [T], where anything is certified."""

    setting: str
    selection: str
    thetas: Array
    percent: Array

    @property
    def row(self) -> str:
        most = int(self.percent.argmax())
        figures = f"{self.percent.min():.2f} % | {np.median(self.percent):.2f} % | {self.percent[most]:.2f} %"
        return f"| {self.setting} | {self.selection} | {figures} ({self.thetas[most]:.2f}) |"


def gains(folder: Path) -> Iterator[Gain]:
    """One for every certification network and selection of the logs; a core network has no part in the ACR."""
    runs = [unrounded(run) for run in import_logs(folder)]
    cores = {run.meta.dataset: run for run in runs if isinstance(run, CoreRun)}
    for certify in runs:
        if isinstance(certify, SmoothedRun):
            networks = [run for run in runs if isinstance(run, SelectionRun) and _of_one_training(run, certify)]
            for select in (None, *networks):
                yield _gain(certify, cores[certify.meta.dataset], select)


def unrounded(run: Run) -> Run:
    """The run with radii as its counts give them: three printed digits hide or double what is to be seen."""
    return replace(run, meta=replace(run.meta, radius_digits=None))


def _of_one_training(a: Run, b: Run) -> bool:
    return (a.meta.dataset, a.meta.network.training) == (b.meta.dataset, b.meta.network.training)


def _gain(certify: SmoothedRun, core: CoreRun, select: SelectionRun | None) -> Gain:
    c = compose(certify, core, select)
    ours, paper = (
        evaluate(c, THETAS, alpha=ALPHA, correction=correction, radii=()).acr
        for correction in (Correction.INTERSECTION_UNION, Correction.BONFERRONI)
    )
    some = paper > 0
    training = (certify.meta.network.training or "unknown training").title()
    card = DATASETS.get(certify.meta.dataset)
    title = f"{card.title if card else certify.meta.dataset}, {training}, σ {certify.meta.noise:g}"
    return Gain(title, "entropy" if select is None else "network", THETAS[some], 100 * (ours[some] / paper[some] - 1))


def markdown(found: Iterator[Gain]) -> str:
    """The table."""
    return HEAD + "".join(f"{one.row}\n" for one in found)


def written(document: str) -> str:
    """The table that the document holds. Raises ``ValueError`` where there is none."""
    start = document.index(HEAD)
    end = document.find("\n\n", start)
    return document[start : end + 1] if end >= 0 else document[start:]


def main() -> None:
    """Print the table, or put it into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gains", description=__doc__)
    parser.add_argument("logs", type=Path, help="the folder data/ of github.com/eth-sri/ACES")
    parser.add_argument("--into", type=Path, help="a Markdown file that holds the table, such as docs/statistics.md")
    arguments = parser.parse_args()
    table = markdown(gains(arguments.logs))
    if arguments.into is None:
        print(table, end="")
    else:
        text = arguments.into.read_text(encoding="utf-8")
        arguments.into.write_text(text.replace(written(text), table), encoding="utf-8")


if __name__ == "__main__":
    main()
