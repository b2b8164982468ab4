"""What a page is about: the cached experiments to choose from, and the values a reader turns. No Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal
from itertools import product
from math import ceil
from operator import itemgetter

from engine.figures.settings import (
    BY_VOTES,
    COLOURS,
    DEFAULT_BOUND,
    DEFAULT_P0,
    DEFAULT_RADIUS,
    DEFAULT_THETA,
    LARGEST_Z,
    NO_MARGIN,
    OF_COLLECTION,
    OWN_SELECTION,
    SEPARATOR,
    Choice,
    Mechanism,
    Pin,
    Settings,
    Terms,
    alpha_text,
    bound_for,
    is_threshold,
    labels,
    later_label,
    later_of,
    later_text,
    mismatched,
    noise_label,
    symbol_of,
)
from engine.records.meta import Meta
from engine.smoothing import GAUSSIAN

__all__ = [
    "ALPHAS",
    "BY_VOTES",
    "COLOURS",
    "DEFAULT_BOUND",
    "DEFAULT_P0",
    "DEFAULT_RADIUS",
    "DEFAULT_THETA",
    "LARGEST_Z",
    "MAX_FRONTS",
    "NO_MARGIN",
    "OF_COLLECTION",
    "OWN_SELECTION",
    "PIN_SEPARATOR",
    "RADIUS_STEP",
    "SEPARATOR",
    "Choice",
    "Experiment",
    "Mechanism",
    "Pin",
    "Settings",
    "Terms",
    "alpha_text",
    "bound_for",
    "combinations",
    "cores",
    "experiments",
    "is_threshold",
    "labels",
    "later_label",
    "later_of",
    "later_text",
    "mismatched",
    "noise_label",
    "pin_text",
    "pinned",
    "selections",
    "spread",
    "studies",
    "symbol_of",
]

RADIUS_STEP = 0.01
ALPHAS = (*(float(f"{digit}e-{power}") for power in range(5, 1, -1) for digit in (1, 2, 5)), 0.1)
MAX_FRONTS = 24  # drawn at once: ten colours with six dashes stay apart, more lines would not
PIN_SEPARATOR = "~"


@dataclass(frozen=True)
class Experiment:
    """The certification runs of one dataset and training, by rising sigma."""

    dataset: str
    training: str
    runs: tuple[Meta, ...]

    @property
    def labels(self) -> dict[str, Meta]:
        """Runs as sliders and marks name them: by sigma, with smoothing, training noise or name where needed."""
        short = [noise_label(run) for run in self.runs]
        return {
            text if short.count(text) == 1 else f"{text} ({run.name})": run
            for text, run in zip(short, self.runs, strict=True)
        }

    @property
    def first(self) -> str:
        """The label to open on: of the smallest sigma that a network was trained for, if there is one.

        Of several such networks the one that was sampled last: who samples a second one wants to see it.
        """
        matched = [(label, run) for label, run in self.labels.items() if not mismatched(run)]
        if not matched:
            return next(iter(self.labels))
        least = matched[0][1]
        alike = [(run.created or "", label) for label, run in matched if _noise_of(run) == _noise_of(least)]
        return max(alike, key=itemgetter(0))[1]

    @property
    def largest_radius(self) -> float:
        """An end for radius axes and sliders that no alpha moves."""
        return float(ceil(LARGEST_Z * max(run.noise for run in self.runs)))


def combinations(
    wanted: Sequence[Experiment],
    cores: Sequence[Meta],
    selections: Sequence[Mechanism],
    noise: float | None,
    norm: str | None = None,
    collection: str = "",
) -> tuple[Choice, ...]:
    """Every composition of these components, of one evaluation noise and one norm if given, in an order that no choice
    moves.

    A selection run joins the certification runs that were sampled under its own noise.
    """
    return tuple(
        Choice.of(experiment.training, label, run, core, select, collection)
        for experiment in wanted
        for label, run in experiment.labels.items()
        if (noise is None or run.noise == noise) and (norm is None or run.smoothing_card.norm == norm)
        for core, select in product(cores, selections)
        if _joins(select, run)
    )


def _joins(select: Mechanism, run: Meta) -> bool:
    if isinstance(select, str):
        return run.selects_by_votes
    return select is None or (select.noise, select.smoothing) == (run.noise, run.smoothing)


def experiments(metas: Iterable[Meta], pictured: Collection[str] = ()) -> list[Experiment]:
    """Group the smoothed runs by dataset and training, each by rising sigma: what there is most of comes first.

    What counts is for how many noise levels a training has networks: neither runs under other noise than their
    network's nor a second network for the same noise add to it. To its dataset a training adds those beyond its first,
    as sigma can be moved to them. Of two datasets with as many, one that is ``pictured``, whose images can be shown,
    goes before one that is not.
    """
    smoothed = [meta for meta in metas if meta.kind == "smoothed"]
    groups: dict[tuple[str, str], list[Meta]] = {}
    for meta in smoothed:
        groups.setdefault((meta.dataset, meta.network.training or "unknown"), []).append(meta)
    levels = {group: len({run.noise for run in runs if not mismatched(run)}) for group, runs in groups.items()}
    of_dataset: Counter[str] = Counter()
    for (dataset, _), count in levels.items():
        of_dataset[dataset] += max(count - 1, 0)

    def rank(group: tuple[str, str]) -> tuple[int, bool, str, int, str]:
        dataset, training = group
        return -of_dataset[dataset], dataset not in pictured, dataset, -levels[group], training

    return [
        Experiment(dataset, training, tuple(sorted(groups[dataset, training], key=_by_noise)))
        for dataset, training in sorted(groups, key=rank)
    ]


def _by_noise(run: Meta) -> tuple[bool, str, float, str]:
    """Gaussian noise first: the slider opens there."""
    return *_noise_of(run), run.name


def _noise_of(run: Meta) -> tuple[bool, str, float]:
    return run.smoothing != GAUSSIAN.name, run.smoothing or "", run.noise


def cores(metas: Sequence[Meta], dataset: str) -> dict[str, Meta]:
    """The core runs of a dataset by name."""
    return {meta.name: meta for meta in metas if meta.kind == "core" and meta.dataset == dataset}


def selections(metas: Sequence[Meta], dataset: str) -> dict[str, Meta | None]:
    """The selection mechanisms of a dataset by name: the entropy of the certification network first."""
    runs = {meta.name: meta for meta in metas if meta.kind == "selection" and meta.dataset == dataset}
    return {OWN_SELECTION: None, **runs}


def pinned(text: str, choices: Sequence[Choice], later: Mapping[str, Meta] | None = None) -> Pin | None:
    """Read ``pin_text`` back; ``later``: the runs of second stages by name.

    None if it names no composition of ``choices`` or no threshold.
    """
    *address, theta = text.split(PIN_SEPARATOR)
    then = later_of(address[4], later or {}) if len(address) == 5 else None
    if then is not None:
        address = address[:4]
    found = [choice for choice in choices if list(choice.address) == address] or _renamed(address, choices)
    try:
        at = float(theta)
    except ValueError:
        return None
    if not found or not is_threshold(at, found[0].by_votes):
        return None
    return Pin(found[0] if then is None else replace(found[0], then=then), at)


def _renamed(address: Sequence[str], choices: Sequence[Choice]) -> list[Choice]:
    """The only choice of this address whose noise has another label since, as runs came to its side or went, or whose
    collection is told or no longer told.
    """
    if len(address) < 4:
        return []
    noise, others = address[1], [_training(address[0]), *address[2:]]
    found = [choice for choice in choices if [choice.training, *choice.address[2:]] == others]
    same = [choice for choice in found if choice.noise == noise]
    if len(same) == 1:
        return same
    longer = [
        choice
        for choice in found
        if f"{choice.certify_run.noise:g}" == noise or noise.endswith(f"({choice.certify_run.name})")
    ]
    return longer if len(longer) == 1 else []


def _training(text: str) -> str:
    """The training in an address, without its collection."""
    return text.partition(OF_COLLECTION)[2] or text


def studies(metas: Sequence[Meta], collections: Mapping[str, str]) -> dict[str, list[Meta]]:
    """Runs by the collections that hold a certification network with a core network, what there is most of first.

    ``collections``: that of every run. Certification runs are of one collection. A core or selection network is also
    offered where it would be of no use otherwise: to all, if its own collection has no certification run of its
    dataset; and core networks to a collection that has none of the dataset.
    """
    smoothed = {(collections[meta.name], meta.dataset) for meta in metas if meta.kind == "smoothed"}
    with_core = {(collections[meta.name], meta.dataset) for meta in metas if meta.kind == "core"}

    def is_of(meta: Meta, name: str) -> bool:
        own = collections[meta.name], meta.dataset
        if own[0] == name:
            return True
        if meta.kind == "smoothed":
            return False
        return own not in smoothed or (meta.kind == "core" and (name, meta.dataset) not in with_core)

    found = {}
    for name in dict.fromkeys(collections[meta.name] for meta in metas):
        inside = [meta for meta in metas if is_of(meta, name)]
        if any(cores(inside, e.dataset) for e in experiments(inside)):
            found[name] = inside

    def size(name: str) -> tuple[int, str]:
        return -sum(meta.kind == "smoothed" and not mismatched(meta) for meta in found[name]), name

    return {name: found[name] for name in sorted(found, key=size)}


def pin_text(choice: Choice, theta: float) -> str:
    """A composition and threshold as they stand in the URL."""
    return PIN_SEPARATOR.join([*choice.address, f"{theta:.3f}"])


def spread(alpha: float, count: int) -> float:
    """``alpha`` over ``count``, rounded down to two digits: what ``count`` promises may spend each.

    >>> spread(0.001, 14), spread(0.05, 2)
    (7.1e-05, 0.025)
    """
    share = Decimal(repr(alpha)) / count
    return float(share.quantize(Decimal(1).scaleb(share.adjusted() - 1), ROUND_DOWN))
