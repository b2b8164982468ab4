"""What a page is about: the cached experiments to choose from, and the values a reader turns. No Streamlit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from engine.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, Correction
from engine.runs import Meta

DEFAULT_THETA = 0.3
DEFAULT_RADIUS = 0.25
RADIUS_STEP = 0.01
ALPHAS = (*(float(f"{digit}e-{power}") for power in range(5, 1, -1) for digit in (1, 2, 5)), 0.1)
LARGEST_Z = 4.5  # no ceiling of n <= 100,000 draws at alpha <= 0.1 lies above this many sigma

PROMISES = {
    Correction.INTERSECTION_UNION: "For one image and a θ fixed beforehand, an answer is wrong with probability at "
    "most α. Each bound of a certificate may spend all of α, because only the weaker network can break it.",
    Correction.BONFERRONI: "For one image and a θ fixed beforehand, an answer is wrong with probability at most α, "
    "half of which goes to each bound: the paper's choice.",
    Correction.SIMULTANEOUS: "For one image, the answers at θ = 0.00, 0.01, …, 1.00 hold all at once with probability "
    "at least 1 − α, so θ may be chosen after looking at them.",
}


@dataclass(frozen=True)
class Experiment:
    """The certification runs of one dataset and training, by rising sigma."""

    dataset: str
    training: str
    runs: tuple[Meta, ...]

    @property
    def labels(self) -> dict[str, Meta]:
        """Runs as sliders and marks name them: by sigma, with training noise or name where that is not enough."""
        short = [_label(run) for run in self.runs]
        return {
            text if short.count(text) == 1 else f"{text} ({run.name})": run
            for text, run in zip(short, self.runs, strict=True)
        }

    @property
    def largest_radius(self) -> float:
        """An end for radius axes and sliders that no alpha moves."""
        return float(ceil(LARGEST_Z * max(run.noise for run in self.runs)))


def _label(run: Meta) -> str:
    return f"{run.noise:g}, trained at {run.network.sigma_train:g}" if mismatched(run) else f"{run.noise:g}"


def mismatched(run: Meta) -> bool:
    """Whether a run was sampled under another noise than its network was trained with, as far as is known."""
    return run.network.sigma_train is not None and run.network.sigma_train != run.sigma


@dataclass(frozen=True)
class Settings:
    """One view: which components, and where the reader stands. ``radius`` in pixel units of [0, 1]."""

    experiment: Experiment
    certify: Meta
    core: Meta
    theta: float = DEFAULT_THETA
    alpha: float = DEFAULT_ALPHA
    radius: float = DEFAULT_RADIUS
    correction: Correction = DEFAULT_CORRECTION
    paper: tuple[str, ...] = ()  # labels of the paper's series that are drawn beside the runs

    @property
    def position(self) -> int:
        """Where the certification run stands among the experiment's."""
        return self.experiment.runs.index(self.certify)

    @property
    def label(self) -> str:
        """The certification run's label in the experiment."""
        return list(self.experiment.labels)[self.position]


def experiments(metas: Iterable[Meta]) -> list[Experiment]:
    """Group the smoothed runs by dataset and training, each group by rising sigma."""
    groups: dict[tuple[str, str], list[Meta]] = {}
    for meta in metas:
        if meta.kind == "smoothed":
            groups.setdefault((meta.dataset, meta.network.training or "unknown"), []).append(meta)
    return [
        Experiment(dataset, training, tuple(sorted(runs, key=lambda run: (run.noise, run.name))))
        for (dataset, training), runs in sorted(groups.items())
    ]


def cores(metas: Sequence[Meta], dataset: str) -> dict[str, Meta]:
    """The core runs of a dataset by name."""
    return {meta.name: meta for meta in metas if meta.kind == "core" and meta.dataset == dataset}


def alpha_text(alpha: float) -> str:
    """A failure probability without exponents.

    >>> alpha_text(1e-05), alpha_text(0.001)
    ('0.00001', '0.001')
    """
    return f"{alpha:.5f}".rstrip("0")
