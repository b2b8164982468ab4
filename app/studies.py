"""The collections of a catalog: what there is of a dataset in each, and what of it goes together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Self

from app import catalog, run_pictures
from app.settings import (
    BY_VOTES,
    OWN_SELECTION,
    SEPARATOR,
    Choice,
    Experiment,
    Mechanism,
    cores,
    experiments,
    selections,
    studies,
)
from cache import Listing
from engine.records.meta import Meta


@dataclass(frozen=True)
class Study:
    """A collection that can be looked at; its ``name`` is empty where it is the only one.

    ``usable`` are the experiments that a core network is there for; ``called`` what runs are called; ``pictured`` the
    datasets whose images can be shown.
    """

    name: str
    metas: tuple[Meta, ...]
    called: Mapping[str, str]
    pictured: frozenset[str]

    @classmethod
    def every(cls, listing: Listing) -> list[Self]:
        """All of them, what there is most of first."""
        called, found = listing.called, studies(listing.shown, listing.collections)
        return [
            cls(name if len(found) > 1 else "", tuple(metas), called, run_pictures.pictured(metas))
            for name, metas in found.items()
        ]

    @property
    def usable(self) -> list[Experiment]:
        return [e for e in experiments(self.metas, self.pictured) if cores(self.metas, e.dataset)]

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(e.dataset for e in self.usable))

    @property
    def called_pairs(self) -> tuple[tuple[str, str], ...]:
        """The runs that have a label, all collections', and what they are called."""
        return tuple((name, text) for name, text in self.called.items() if name != text)

    def has(self, names: Collection[str], dataset: str | None = None, training: str | None = None) -> int:
        """How much of this it has: runs of these names, and certification runs of a dataset and training."""
        of = [e for e in self.usable if dataset in (None, e.dataset) and training in (None, e.training)]
        return sum(meta.name in names for meta in self.metas) + bool(of)


@dataclass(frozen=True)
class Offered:
    """What there is of the chosen dataset in a collection."""

    study: Study
    dataset: str
    trainings: dict[str, Experiment]
    cores: dict[str, Meta]
    selections: dict[str, Mechanism]

    @classmethod
    def of(cls, study: Study, dataset: str) -> Self:
        """What a collection has of it."""
        trainings = {e.training: e for e in study.usable if e.dataset == dataset}
        selects: dict[str, Mechanism] = {OWN_SELECTION: None, BY_VOTES: BY_VOTES, **selections(study.metas, dataset)}
        return cls(study, dataset, trainings, cores(study.metas, dataset), selects)

    def cores_for(self, certify: Meta) -> dict[str, Meta]:
        """The core networks that can be composed with it; all of them where none can, which pages then say."""
        return {name: core for name, core in self.cores.items() if catalog.fits(certify, core)} or self.cores

    def selections_for(self, certify: Meta, core: Meta) -> dict[str, Mechanism]:
        """The selections that can be composed with the two; the certification network's own is always among them."""
        return {
            name: select
            for name, select in self.selections.items()
            if select is None
            or (certify.selects_by_votes if isinstance(select, str) else catalog.fits(certify, core, select))
        }

    def later_for(self, choice: Choice) -> dict[str, Meta]:
        """The certification runs that may come behind its first stage, as texts name them."""
        return {
            f"{e.training}{SEPARATOR}{label}": run
            for e in self.trainings.values()
            for label, run in e.labels.items()
            if run.name != choice.certify_run.name
            and run.smoothing_card.norm == choice.certify_run.smoothing_card.norm
            and catalog.fits(run, choice.core_run)
        }

    @property
    def certifying(self) -> dict[str, Meta]:
        """All certification runs of the dataset by name."""
        return {run.name: run for e in self.trainings.values() for run in e.runs}

    @property
    def largest_radius(self) -> float:
        return max(experiment.largest_radius for experiment in self.trainings.values())

    @property
    def every(self) -> tuple[Choice, ...]:
        """All compositions of the dataset, also those of a selection run under another noise."""
        return tuple(
            Choice.of(e.training, label, run, core, select, self.study.name)
            for e in self.trainings.values()
            for label, run in e.labels.items()
            for core, select in product(self.cores.values(), self.selections.values())
        )
