"""What each larger certificate brings on the demo's runs, at equal held-out natural accuracy: docs/bounds.md.

``python -m benchmarks.bounds > docs/bounds.md`` writes the page; a test holds it to some of its rows. The steps, and
how they are measured, are ``engine/statistics/steps.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cache.catalog import Catalog
from engine import datasets
from engine.records.compose import Composition, StageRuns, Then, compose, compose_chain
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA
from engine.statistics.intervals import Estimate
from engine.statistics.steps import HALVES, LATER_SHARES, STEPS, HeldOut, gain, steps

CORES = {"cifar10": "cifar10-core", "fashion_mnist": "fashion_mnist-core"}
BELOW = (3.0, 6.0, 10.0)  # points of NAC below the core network's accuracy
THETA = 0.3  # of a second stage; its grid replaces it


@dataclass(frozen=True, eq=False)
class Measured:
    """One run at one NAC: its steps, those of one network and, beside them, with a second one behind."""

    dataset: str
    title: str
    nac: float
    steps: tuple[HeldOut, ...]


def demo() -> tuple[dict[str, SmoothedRun], dict[str, CoreRun]]:
    """The demo's certification runs under the noise that their networks were trained with, and its core runs."""
    catalog = Catalog()
    smoothed, core = {}, {}
    for meta in catalog.listing().metas:
        if meta.kind == "smoothed" and meta.network.sigma_train == meta.sigma:
            run = catalog.load(meta.name)
            assert isinstance(run, SmoothedRun)
            smoothed[meta.name] = run
    for dataset, name in CORES.items():
        found = catalog.load(name)
        assert isinstance(found, CoreRun)
        core[dataset] = found
    return smoothed, core


def measured(run: SmoothedRun, others: Sequence[SmoothedRun], core: CoreRun) -> Iterator[Measured]:
    """One run at every NAC; ``others`` of the same training may be its second stage."""
    c = compose(run, core)
    chains = [(_chain(run, other, core, t), f"σ {other.meta.noise:g}") for other in others for t in LATER_SHARES]
    accuracy = float(100 * np.mean(c.core == c.label))
    card = datasets.card(run.meta.dataset)
    title = f"{run.meta.network.training}, σ {run.meta.noise:g}"
    for below in BELOW:
        nac = accuracy - below
        yield Measured(card.title, title, nac, tuple(steps(c, DEFAULT_ALPHA, nac, run.meta.noise, chains)))


def _chain(run: SmoothedRun, other: SmoothedRun, core: CoreRun, t: float) -> Composition:
    return compose_chain(StageRuns(run), core, [Then(StageRuns(other), THETA, t)])


def report() -> Iterator[Measured]:
    """Every run of the demo, in the order of its catalog."""
    smoothed, cores = demo()
    for name, run in smoothed.items():
        others = [
            other
            for key, other in smoothed.items()
            if key != name and (other.meta.dataset, other.meta.network.training) == _group(run)
        ]
        yield from measured(run, others, cores[run.meta.dataset])


def _group(run: SmoothedRun) -> tuple[str, str | None]:
    return run.meta.dataset, run.meta.network.training


def row(m: Measured) -> str:
    """ACR at each step; what a step adds to the one before stands in brackets, bold where its interval excludes 0."""
    first = f"{m.steps[0].acr.value:.3f}"
    cells = [_cell(step, before) for before, step in zip(m.steps, m.steps[1:], strict=False)]
    cells += [""] * (len(STEPS) - 1 - len(cells))
    total = gain(m.steps[-1], m.steps[0])
    share = f"{100 * total.value / m.steps[0].acr.value:+.0f} %" if m.steps[0].acr.value else ""
    return f"| {m.title} | {m.nac:.1f} | {first} | {' | '.join(cells)} | {_signed(total)} | {share} |"


def _cell(step: HeldOut, before: HeldOut) -> str:
    added = gain(step, before)
    text = f"{step.acr.value:.3f} ({added.value:+.3f})"
    return f"**{text}**" if _is_clear(added) else text


def _is_clear(e: Estimate) -> bool:
    return e.low > 0 or e.high < 0


def _signed(e: Estimate) -> str:
    return f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"


def abstentions(m: Measured) -> str:
    """Percent of the images that CERTIFY abstains on, and certified accuracy at σ, step by step."""
    cells = [f"{step.abstained:.1f} / {step.certified:.1f}" for step in m.steps]
    return f"| {m.title} | {m.nac:.1f} | {' | '.join(cells)} | {m.steps[-1].point} |"


def losses(found: Sequence[Measured]) -> list[str]:
    """For each step, at how many of the NACs it gains, and where it loses most."""
    lines = []
    for at, step in enumerate(STEPS[1:], 1):
        gains = [(gain(m.steps[at], m.steps[at - 1]), m) for m in found if len(m.steps) > at]
        better = sum(e.value > 0 for e, _ in gains)
        clear = sum(e.low > 0 for e, _ in gains)
        worst, where = min(gains, key=lambda pair: pair[0].value)
        lost = "It loses nowhere." if worst.value >= 0 else (
            f"It loses at most {-worst.value:.3f} ({where.dataset}, {where.title}, NAC {where.nac:.1f} %)."
        )  # fmt: skip
        median = np.median([e.value for e, _ in gains])
        lines.append(
            f"- *{step.name}*: more at {better} of {len(gains)} (clearly, with an interval above 0, at {clear}); "
            f"median {median:+.3f}. {lost}"
        )
    return lines


def introduction() -> str:
    """What the page is, and what each step does."""
    said = "\n".join(
        f"- **{step.name}.** {step.sentence} [Proof](statistics.md), section {step.section}." for step in STEPS
    )
    return f"""\
# What larger certificates bring

`python -m benchmarks.bounds > docs/bounds.md` writes this page from the demo's stored counts: no new draw, the same α =
{DEFAULT_ALPHA:g}. Each step holds what came before it:

{said}

**How it is measured.** {HALVES} times the images are halved at random; each half chooses the most robust setting whose
NAC reaches a floor, and the other half, which had no say, measures. The floor is moved until the NAC *measured* is the
one in the table, so that a step with more settings to choose from is not compared at a lower accuracy. Intervals are at
95 %, paired image by image (the mean of each image's held-out radii), as if the settings were fixed: they do not know
that other halves would choose otherwise. A step that offers more and finds nothing on 250 images loses by what it chose
in vain. The second network of a chain is one of the same training at another σ, chosen as well.
"""


def page(found: Sequence[Measured]) -> str:
    """The whole page."""
    parts = [introduction(), "## In short\n", "\n".join(losses(found))]
    head = "| run | NAC | " + " | ".join(step.name for step in STEPS) + " | all steps | |\n"
    for dataset in dict.fromkeys(m.dataset for m in found):
        of_it = [m for m in found if m.dataset == dataset]
        parts += [
            f"\n## {dataset}: ACR at equal NAC\n",
            "In brackets what the step adds to the one before; bold where the interval of that excludes 0.\n",
            head + "|---|---:" + "|---:" * (len(STEPS) + 2) + "|\n" + "\n".join(map(row, of_it)),
            f"\n### {dataset}: abstentions, and certified at r = σ\n",
            "Percent each, at the same settings; then what all images together would choose at the last step.\n",
            "| run | NAC | " + " | ".join(step.name for step in STEPS) + " | chosen |\n" + "|---|---:"
            + "|---:" * len(STEPS) + "|---|\n" + "\n".join(map(abstentions, of_it)),
        ]  # fmt: skip
    return "\n".join(parts)


def main() -> None:
    """Print the page."""
    print(page(list(report())))


if __name__ == "__main__":
    main()
