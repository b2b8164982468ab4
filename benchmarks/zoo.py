"""The zoo's networks side by side, from the runs in ``cache/demo``: ``python -m benchmarks.zoo`` prints the tables of
docs/zoo.md. Everything at alpha = 0.001, Algorithm 1's convention and the intersection-union correction.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from cache.catalog import DEMO, Catalog
from engine import datasets
from engine.arrays import Array
from engine.models import build
from engine.output import write_file
from engine.published.paper import AcesSeries, aces_series
from engine.records.compose import Composition, compose
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA, certify, predict
from engine.statistics.bounds import ceiling
from engine.statistics.intervals import mean_interval
from engine.statistics.metrics import evaluate, standalone
from engine.statistics.separation import separation
from engine.training.presets import preset
from engine.weights import DENOISED_SUFFIX

RADII = (0.25, 0.5, 1.0)
FLOORS = (60, 70, 80, 85, 90)  # natural accuracies, in percent, at which fronts are compared
METHODS = ("gaussian", "smoothadv", "macer", "consistency")
STEP = 0.1  # of the natural accuracies over which a front is averaged
RESAMPLES = 500
NONE = "–"
PAPERS, PAPERS_DRAWS, PAPERS_TRAIN_IMAGES = "resnet110", 100 + 100_000, 50_000  # on CIFAR-10 (App. C)
TERA = 1e12


@dataclass(frozen=True)
class Zoo:
    """The runs of one dataset: smoothed ones by noise and method, and those of the core networks.

    ``cards``: what is known of the networks' training, by their sha256.
    """

    dataset: str
    smoothed: tuple[SmoothedRun, ...]
    selections: tuple[SelectionRun, ...]
    cores: tuple[CoreRun, ...]
    cards: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def core(self) -> CoreRun:
        """The most accurate core network."""
        return max(self.cores, key=lambda core: np.mean(core.prediction == core.label))

    @property
    def at_training_noise(self) -> list[SmoothedRun]:
        return [run for run in self.smoothed if run.meta.sigma == run.meta.network.sigma_train]

    @property
    def alike(self) -> bool:
        """Whether no noise and method has two networks: then tables need not say which."""
        kinds = [(run.meta.noise, run.meta.network.training) for run in self.at_training_noise]
        return len(set(kinds)) == len(kinds)

    def architecture(self, run: SmoothedRun) -> str:
        """Of the network of a run, as its card says; its name where there is no card."""
        card = self.cards.get(run.meta.network.sha256 or "", {})
        return card.get("architecture") or run.meta.network.name or run.meta.name

    def named(self, run: SmoothedRun) -> list[str]:
        """The cells that say which network a row is about."""
        return [_method(run), *([] if self.alike else [self.architecture(run)])]


def zoos(folder: Path = DEMO) -> list[Zoo]:
    """The datasets of the demo that have a core network, by name."""
    catalog = Catalog(Path("nowhere"), folder)
    runs = [catalog.load(meta.name) for meta in sorted(catalog.metas(), key=lambda meta: meta.dataset)]
    cards = {card["sha256"]: card for card in _cards(folder)}
    return [
        Zoo(
            dataset,
            tuple(by_noise_and_method(run for run in of if isinstance(run, SmoothedRun))),
            tuple(run for run in of if isinstance(run, SelectionRun)),
            tuple(run for run in of if isinstance(run, CoreRun)),
            cards,
        )
        for dataset, of in ((name, list(group)) for name, group in groupby(runs, lambda run: run.meta.dataset))
    ]


def _cards(folder: Path) -> list[dict[str, Any]]:
    """The networks' cards, by name; a file that names a denoiser and a classifier is none."""
    found = [path for path in folder.glob("*.json") if not path.name.endswith(DENOISED_SUFFIX)]
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(found, key=lambda path: path.stem)]


def by_noise_and_method(runs: Iterable[SmoothedRun]) -> list[SmoothedRun]:
    """Methods in the order of METHODS, others last; networks of the same noise and method by name."""

    def rank(run: SmoothedRun) -> tuple[float, float, int, str]:
        method = _method(run)
        place = METHODS.index(method) if method in METHODS else len(METHODS)
        return run.meta.network.sigma_train or 0.0, run.meta.noise, place, run.meta.name

    return sorted(runs, key=rank)


def _method(run: SmoothedRun) -> str:
    return run.meta.network.training or ""


def network_rows(folder: Path) -> Iterator[list[str]]:
    """What the cards say: how the pictures of a copy were encoded, accuracies in percent on the whole test split."""
    yield ["network", "copy", "architecture", "parameters", "clean", "under its noise", "seconds of training"]
    for card in _cards(folder):
        noisy = card["test_accuracy_under_noise"]
        yield [
            f"`{card['name']}`",
            card.get("train_encoding") or "original",
            card["architecture"],
            f"{card['parameters']:,}",
            f"{card['test_accuracy']:.2f}",
            NONE if noisy is None else f"{noisy:.2f}",
            f"{card['training_seconds']:,}",
        ]


def alone_rows(zoo: Zoo) -> Iterator[list[str]]:
    """Each network alone, at its training noise, its ACR against the first Gaussian network's on the same images."""
    yield [
        "σ",
        *_which(zoo),
        "NAC",
        "ACR [95 %]",
        "ACR − Gaussian's [95 %, paired]",
        *(f"certified at {r:g}" for r in RADII),
    ]
    for sigma, group in groupby(zoo.at_training_noise, lambda run: run.meta.noise):
        runs = list(group)
        first = next((run for run in runs if _method(run) == "gaussian"), None)
        for run in runs:
            one = standalone(run, radii=RADII)
            low, high = mean_interval(one.radius * one.correct, 0.0, _most(run))
            yield [
                f"{sigma:g}", *zoo.named(run), f"{one.nac:.1f}", f"{one.acr:.3f} [{low:.3f}, {high:.3f}]",
                NONE if first is None or run is first else _difference(run, first),
                *(f"{accuracy:.1f}" for accuracy in one.certified_accuracy),
            ]  # fmt: skip


def _which(zoo: Zoo) -> list[str]:
    """The heads of ``Zoo.named``."""
    return ["method", *([] if zoo.alike else ["network"])]


def _most(run: SmoothedRun) -> float:
    """The largest radius that the draws of a run allow."""
    return ceiling(run.meta.noise, run.meta.draws, DEFAULT_ALPHA)


def _difference(run: SmoothedRun, other: SmoothedRun) -> str:
    difference = _counted(run) - _counted(other)
    low, high = mean_interval(difference, -_most(other), _most(run))
    return f"{difference.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def _counted(run: SmoothedRun) -> Array:
    """The certified radius of each image, 0 where the answer is wrong [N]."""
    one = standalone(run)
    return one.radius * one.correct


def paper_rows(zoo: Zoo) -> Iterator[list[str]]:
    """Every network of the paper alone, and under it those that ship; nothing for data that the paper does not use.

    Costs are those of forward passes; training adds backward ones, about twice as dear again, to each.
    """
    of = [series for series in aces_series() if series.dataset == zoo.dataset and series.selection == "entropy"]
    if not of:
        return
    yield [
        "σ", "method", "network", "NAC", "ACR", *(f"certified at {r:g}" for r in RADII), "parameters",
        "training, 10¹² multiplications", "training, seconds", "sampling, 10¹² multiplications",
    ]  # fmt: skip
    ours: dict[tuple[str, float], list[SmoothedRun]] = {}
    for run in zoo.at_training_noise:
        ours.setdefault((_method(run), run.meta.noise), []).append(run)
    for series in sorted(of, key=lambda series: (series.sigma, METHODS.index(series.training))):
        named = [f"{series.sigma:g}", series.training]
        theirs = _papers(series)
        yield [*named, f"paper's {PAPERS}", *theirs]
        for run in (found := ours.get((series.training, series.sigma), [])):
            yield [*named, f"our {zoo.architecture(run)}", *_ours(run, zoo.cards)]
        if not found:
            yield [*named, "ours", *([NONE] * len(theirs))]


def _papers(series: AcesSeries) -> list[str]:
    """The printed values at theta = 1, where the certification network answers alone, and what its recipe costs."""
    certified = dict(zip(series.radii.tolist(), series.certified_accuracy[-1], strict=True))
    recipe, hyper = preset("paper", series.training, series.dataset, series.sigma_train)
    parameters, macs = _size(PAPERS, series.dataset)
    data = datasets.card(series.dataset)
    assert data.images is not None
    assert series.thetas[-1] == 1
    return [
        f"{series.nac[-1]:.1f}",
        f"{series.acr[-1]:.3f}",
        *(f"{certified[r]:.1f}" if r in certified else NONE for r in RADII),
        f"{parameters:,}",
        _tera(passes(PAPERS_TRAIN_IMAGES, recipe.epochs, vars(hyper) if hyper else {}) * macs),
        NONE,
        _tera(data.images // data.every * PAPERS_DRAWS * macs),
    ]


def _ours(run: SmoothedRun, cards: Mapping[str, dict[str, Any]]) -> list[str]:
    one, card = standalone(run, radii=RADII), cards[run.meta.network.sha256]
    parameters, macs = _size(card["architecture"], run.meta.dataset)
    trainings = list(_trainings(card, cards))
    return [
        f"{one.nac:.1f}",
        f"{one.acr:.3f}",
        *(f"{accuracy:.1f}" for accuracy in one.certified_accuracy),
        f"{parameters:,}",
        _tera(sum(passes(c["train_images"], c["recipe"]["epochs"], c["hyper"] or {}) for c in trainings) * macs),
        f"{sum(c['training_seconds'] for c in trainings):,}",
        _tera(len(run.label) * (run.meta.n0 + run.meta.n) * macs),
    ]


def _trainings(card: dict[str, Any], cards: Mapping[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The cards of a network and of those that its weights started from: what it cost is what all of them did."""
    yield card
    initial = card.get("initial")
    if initial is not None:
        yield from _trainings(cards[initial["sha256"]], cards)


def passes(images: int, epochs: int, hyper: Mapping[str, Any]) -> int:
    """Forward passes of a training: every noise vector of an image is one, and each step of an attack on it another."""
    return images * epochs * int(hyper.get("copies", 1)) * (1 + int(hyper.get("steps", 0)))


@cache
def _size(architecture: str, dataset: str) -> tuple[int, int]:
    """Parameters, and multiply-accumulates an image."""
    with torch.device("meta"):  # shapes only
        network = build(architecture, dataset).eval()
        with FlopCounterMode(display=False) as counter:
            network.body(torch.empty(1, *datasets.card(dataset).shape))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def _tera(multiplications: int) -> str:
    tera = multiplications / TERA
    return f"{tera:,.0f}" if tera >= 100 else f"{tera:.1f}"


def front_rows(zoo: Zoo) -> Iterator[list[str]]:
    """ACES with the entropy mechanism: the largest ACR on each front at a natural accuracy of at least the floors."""
    several = len(zoo.cores) > 1
    yield ["σ", *_which(zoo), *(["core"] if several else []), "ACR at θ = 1", *(f"NAC ≥ {floor} %" for floor in FLOORS)]
    for run, core in product(zoo.at_training_noise, zoo.cores):
        metrics = evaluate(compose(run, core), run.thetas)
        heights = [metrics.acr[-1], *height(metrics.nac, metrics.acr, FLOORS)]
        yield [
            f"{run.meta.noise:g}",
            *zoo.named(run),
            *([f"`{core.meta.name}`"] if several else []),
            *map(_acr, heights),
        ]


def height(nac: Array, acr: Array, floors: Iterable[float]) -> Array:
    """The largest ``acr`` [T] among points whose ``nac`` [T] is at least each floor; NaN where there is none."""
    nac, acr = np.asarray(nac), np.asarray(acr)
    order = np.argsort(nac)
    best = np.append(np.maximum.accumulate(acr[order][::-1])[::-1], np.nan)
    reached: Array = best[np.searchsorted(nac[order], np.asarray(list(floors)) - 1e-9)]
    return reached


def _acr(value: float) -> str:
    return NONE if np.isnan(value) else f"{value:.3f}"


def noise_rows(zoo: Zoo) -> Iterator[list[str]]:
    """One network alone under noise that it was not trained for."""
    names = {run.meta.network.sha256 for run in zoo.smoothed if run.meta.sigma != run.meta.network.sigma_train}
    swept = [run for run in zoo.smoothed if run.meta.network.sha256 in names]
    if not swept:
        return
    yield ["σ", "trained at", "NAC", "ACR", *(f"certified at {r:g}" for r in RADII)]
    for run in sorted(swept, key=lambda run: run.meta.noise):
        one = standalone(run, radii=RADII)
        trained = f"{run.meta.network.sigma_train:g}"
        certified = (f"{accuracy:.1f}" for accuracy in one.certified_accuracy)
        yield [f"{run.meta.noise:g}", trained, f"{one.nac:.1f}", f"{one.acr:.3f}", *certified]


def selection_rows(zoo: Zoo) -> Iterator[list[str]]:
    """One composition per selection mechanism: how well it separates, and the height of its front."""
    if not zoo.selections:
        return
    yield [
        "selected by", "area under ROC [95 %]", *(f"NAC ≥ {floor} %" for floor in FLOORS),
        "mean ACR over the front", "entropy's mean − this [95 %, paired]",
    ]  # fmt: skip
    run = next(run for run in zoo.at_training_noise if run.meta.sigma == zoo.selections[0].meta.sigma)
    entropy = compose(run, zoo.core)
    alone = standalone(run)
    for select in (None, *zoo.selections):
        c = entropy if select is None else compose(run, zoo.core, select)
        split = separation(c, alone.correct & (alone.radius > 0))
        metrics = evaluate(c, c.thetas)
        yield [
            "entropy" if select is None else select.meta.name.removeprefix(f"{run.meta.name}-"),
            f"{split.area:.3f} [{split.low:.3f}, {split.high:.3f}]",
            *map(_acr, height(metrics.nac, metrics.acr, FLOORS)),
            f"{mean_height(metrics.nac, metrics.acr, _range(zoo, run)):.4f}",
            NONE if select is None else _fronts_apart(entropy, c, _range(zoo, run)),
        ]


def _range(zoo: Zoo, run: SmoothedRun) -> tuple[float, float]:
    """The natural accuracies between those of the two networks alone, in percent."""
    core = compose(run, zoo.core)
    return standalone(run).nac, float(100 * np.mean(core.core == core.label))


def mean_height(nac: Array, acr: Array, between: tuple[float, float]) -> float:
    """The mean of ``height`` over the natural accuracies ``between``; where none is reached, 0."""
    return float(np.nan_to_num(height(nac, acr, np.arange(*between, STEP))).mean())


def _fronts_apart(a: Composition, b: Composition, between: tuple[float, float], seed: int = 0) -> str:
    """How much higher the front of ``a`` lies on average, with a percentile bootstrap over the images of both."""
    pairs = [_by_image(a), _by_image(b)]

    def difference(images: Array) -> float:
        one, other = (
            mean_height(100 * correct[images].mean(0), radius[images].mean(0), between) for correct, radius in pairs
        )
        return one - other

    rng = np.random.default_rng(seed)
    resampled = [difference(rng.integers(len(a), size=len(a))) for _ in range(RESAMPLES)]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return f"{difference(np.arange(len(a))):+.4f} [{low:+.4f}, {high:+.4f}]"


def _by_image(c: Composition) -> tuple[Array, Array]:
    """Correct answers bool [N, T] and certified radii of correct answers [N, T]."""
    answer = certify(c, c.thetas)
    counted = np.where((answer.c_hat == answer.label)[:, None], answer.radius, 0.0)
    return predict(c, c.thetas).prediction() == c.label[:, None], counted


TABLES = {
    "Networks alone": alone_rows,
    "The paper's networks and ours": paper_rows,
    "ACES with the entropy mechanism: ACR on the front": front_rows,
    "One network under other noise": noise_rows,
    "Entropy against selection networks": selection_rows,
}


def report(folder: Path = DEMO) -> Iterator[tuple[str, str]]:
    """Title and Markdown of each table that the cards and runs in ``folder`` fill."""
    networks = list(network_rows(folder))
    if len(networks) > 1:
        yield "The networks", markdown(networks)
    for zoo in zoos(folder):
        for title, rows in TABLES.items():
            table = list(rows(zoo))
            if table:
                yield f"{title}: {zoo.dataset}", markdown(table)


def markdown(rows: Sequence[Sequence[Any]]) -> str:
    """A table whose first row is its head and whose numbers stand to the right."""
    head, *body = rows
    right = [all(not row[k] or row[k][0] in "0123456789+-−–" for row in body) for k in range(len(head))]
    rule = "|" + "|".join("---:" if r else "---" for r in right) + "|"
    lines = ["| " + " | ".join(row) + " |" for row in (head, *body)]
    return "\n".join([lines[0], rule, *lines[1:]])


def write_into(document: Path, tables: Iterable[tuple[str, str]]) -> None:
    """Put each table under its heading in a Markdown file, in place of the one that is there; new ones at the end."""
    text = document.read_text()
    for title, table in tables:
        heading = f"### {title}\n\n"
        before, found, rest = text.partition(heading)
        after = re.sub(r"\A(\|.*\n)+", "", rest) if found else ""
        text = f"{before if found else before.rstrip() + 2 * chr(10)}{heading}{table}\n{after}"
    write_file(document, text.encode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, help="a Markdown file whose tables are to be these, such as docs/zoo.md")
    into = parser.parse_args().into
    if into is not None:
        write_into(into, report())
    else:
        for title, table in report():
            print(f"### {title}\n\n{table}\n")
