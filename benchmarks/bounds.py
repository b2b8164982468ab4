"""What each step from the paper's certificate brings on the demo's runs, at equal held-out NAC: docs/bounds.md.

``python -m benchmarks.bounds --into docs/bounds.md`` writes the document's tables (minutes); without it they are
printed. A test holds the document to what some of its rows are recomputed to.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from cache.catalog import DEMO, Catalog
from engine.datasets import DATASETS
from engine.records.runs import CoreRun, Meta, SmoothedRun
from engine.statistics.steps import STEPS, Measured, Ways, measure, ways

BELOW = (3, 6, 10)  # points of NAC below the core network's accuracy
NONE = "–"
START, END = "<!-- measured -->", "<!-- end -->"


@cache
def _catalog() -> Catalog:
    return Catalog(demo=DEMO)


def runs() -> list[Meta]:
    """The demo's certification runs at the noise that their networks were trained for."""
    found = [m for m in _catalog().metas() if m.kind == "smoothed" and m.sigma == m.network.sigma_train]
    return sorted(found, key=lambda m: (m.dataset, m.network.training or "", m.noise))


def ways_of(meta: Meta) -> Ways:
    """The run with its dataset's core network, and chains with its training's next smaller and next larger noise."""
    same = [m for m in runs() if (m.dataset, m.network.training) == (meta.dataset, meta.network.training)]
    at = same.index(meta)
    beside = [same[k] for k in (at - 1, at + 1) if 0 <= k < len(same)]
    run, core = _catalog().load(meta.name), _catalog().load(f"{meta.dataset}-core")
    assert isinstance(run, SmoothedRun)
    assert isinstance(core, CoreRun)
    others = [other for other in (_catalog().load(m.name) for m in beside) if isinstance(other, SmoothedRun)]
    return ways(run, core, None, others)


def rows(meta: Meta, keys: tuple[str, ...] = tuple(STEPS)) -> dict[int, list[str]]:
    """By points below the core network's accuracy: the cells of the run's row."""
    what = ways_of(meta)
    c = what.composition
    core = float(100 * (c.core == c.label).mean())
    found = {key: {m.floor: m for m in measure(what, STEPS[key], [core - b for b in BELOW], 0.25)} for key in keys}
    card = DATASETS.get(meta.dataset)
    head = [card.title if card else meta.dataset, str(meta.network.training), f"{meta.noise:g}"]
    return {b: [*head, f"{core - b:.1f}", *(_cell(found, key, core - b) for key in keys)] for b in BELOW}


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


def head() -> list[str]:
    """The names of the columns."""
    return ["dataset", "training", "σ", "NAC", *(step.name for step in STEPS.values())]


def tables() -> Iterator[str]:
    """A table for every floor."""
    measured = []
    for meta in runs():
        measured.append(rows(meta))
        print(meta.name, measured[-1], flush=True)
    for b in BELOW:
        yield f"### {b} points below the core network's accuracy\n\n" + "".join(
            f"| {' | '.join(row)} |\n" for row in (head(), ["---"] * len(head()), *(found[b] for found in measured))
        )


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
