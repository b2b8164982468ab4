"""What each step from the paper's certificate brings on the demo's runs, at equal held-out NAC: docs/bounds.md.

``python -m benchmarks.bounds --into docs/bounds.md`` writes the document's tables (minutes); without it they are
printed. A test holds the document to what some of its rows are recomputed to.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cache.catalog import DEMO, Catalog
from engine.datasets import DATASETS
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.steps import STEPS, Measured, Ways, measure, ways

BELOW = (3, 6, 10)  # points of NAC below the core network's accuracy
RADIUS = 0.5  # of the certified accuracy, whatever the row's noise: so that rows compare
NONE = "–"
START, END = "<!-- measured -->", "<!-- end -->"


@cache
def _catalog() -> Catalog:
    return Catalog(demo=DEMO)


def runs() -> list[Meta]:
    """The demo's certification runs at the noise that their networks were trained for."""
    found = [m for m in _catalog().metas() if m.kind == "smoothed" and m.sigma == m.network.sigma_train]
    return sorted(found, key=lambda m: (m.dataset, m.network.training or "", m.noise, m.name))


def named(meta: Meta) -> str:
    """The training of a run, with the run's name where the same training has another network for its noise."""
    alike = [m for m in _same_training(meta) if m.noise == meta.noise]
    return str(meta.network.training) + (f" ({meta.name})" if len(alike) > 1 else "")


def _same_training(meta: Meta) -> list[Meta]:
    return [m for m in runs() if (m.dataset, m.network.training) == (meta.dataset, meta.network.training)]


def ways_of(meta: Meta) -> Ways:
    """The run with its dataset's core network, and chains with its training's next smaller and next larger noise."""
    same = _same_training(meta)
    smaller = max((m.noise for m in same if m.noise < meta.noise), default=None)
    larger = min((m.noise for m in same if m.noise > meta.noise), default=None)
    beside = [m for m in same if m.noise in (smaller, larger)]
    run, core = _catalog().load(meta.name), _catalog().load(f"{meta.dataset}-core")
    assert isinstance(run, SmoothedRun)
    assert isinstance(core, CoreRun)
    others = [other for other in (_catalog().load(m.name) for m in beside) if isinstance(other, SmoothedRun)]
    return ways(run, core, None, others)


@dataclass(frozen=True)
class RunRows:
    """One run in the two tables of a floor: ACR by step, and certified accuracy with abstentions."""

    acr: list[str]
    rates: list[str]


def rows(meta: Meta, keys: tuple[str, ...] = tuple(STEPS)) -> dict[int, RunRows]:
    """By points below the core network's accuracy: the cells of the run's rows."""
    what = ways_of(meta)
    c = what.composition
    core = float(100 * (c.core == c.label).mean())
    floors = {b: core - b for b in BELOW}
    found: dict[str, dict[float, Measured]] = {key: {} for key in keys}
    for key in keys:
        if not what.missing(STEPS[key]):
            found[key] = {m.floor: m for m in measure(what, STEPS[key], [*floors.values()], RADIUS)}
    card = DATASETS.get(meta.dataset)
    head = [card.title if card else meta.dataset, named(meta), f"{meta.noise:g}"]
    return {
        b: RunRows(
            [*head, f"{floor:.1f}", *(_cell(found, key, floor) for key in keys)],
            [*head, *(_rates(found[key].get(floor)) for key in keys)],
        )
        for b, floor in floors.items()
    }


def _rates(m: Measured | None) -> str:
    return NONE if m is None else f"{m.accuracy.value:.1f} / {m.abstentions.value:.1f}"


def _cell(found: dict[str, dict[float, Measured]], key: str, floor: float) -> str:
    m = found[key].get(floor)
    if m is None:
        return NONE
    before = found.get(STEPS[key].before or "", {}).get(floor)
    nac = "" if m.nac.value >= floor - 0.05 else f" (NAC {m.nac.value:.1f})"
    if before is None:
        return f"{m.acr.value:.4f}{nac}"
    gain = m.over(before)
    return f"{m.acr.value:.4f}: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]{nac}"


RUN, NAMES = ["dataset", "training", "σ"], [step.name for step in STEPS.values()]


def tables() -> Iterator[str]:
    """Two tables for every floor."""
    measured = []
    for meta in runs():
        measured.append(rows(meta))
        print(meta.name, measured[-1], flush=True)
    for b in BELOW:
        yield (
            f"### {b} points below the core network's accuracy\n\n"
            + _table([*RUN, "NAC", *NAMES], [found[b].acr for found in measured])
            + f"\nCertified accuracy at r = {RADIUS:g} / abstained, in percent of the held-out images:\n\n"
            + _table([*RUN, *NAMES], [found[b].rates for found in measured])
        )


def _table(head: list[str], body: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body))


def main() -> None:
    """Print the tables, or put them into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description=__doc__)
    parser.add_argument("--into", type=Path, help="a Markdown file that holds the tables, such as docs/bounds.md")
    into = parser.parse_args().into
    made = "\n".join(tables())
    if into is None:
        print(made, end="")
        return
    text = into.read_text(encoding="utf-8")
    between = re.compile(f"{re.escape(START)}.*{re.escape(END)}", re.DOTALL)
    into.write_text(between.sub(lambda _: f"{START}\n\n{made}\n{END}", text), encoding="utf-8")


if __name__ == "__main__":
    main()
