"""Runs at hand and a view of them -> the tables that figures are made of, without a dashboard.

The pages have the same of ``app.data``, which remembers what it computed for the next turn of a dial; here each is
computed when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol, cast

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.figures import views
from engine.figures.settings import Choice, Settings, Terms, bound_for, mismatched, network_key, noise_label
from engine.figures.views import Axis
from engine.records import compose
from engine.records.compose import Composition
from engine.records.meta import Meta
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun
from engine.statistics import aces, by_class, deployment, envelope, explain, metrics, separation, steps
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import Later

KEPT = 64  # runs that are remembered


class FigureData(Protocol):
    """What the presets of the paper's figures ask for; see the functions of the same names in ``Numbers``."""

    def fronts(
        self, settings: Settings, measure: Axis, best_t: bool = False
    ) -> tuple[list[views.Front], dict[str, str]]: ...

    def networks_alone(self, settings: Settings, radii: tuple[float, ...]) -> list[tuple[Meta, metrics.Standalone]]: ...

    def entropy_histogram(self, settings: Settings) -> views.EntropyHistogram: ...

    def signed_radii(self, settings: Settings, thetas: tuple[float, ...]) -> Array: ...

    def radius_curves(self, settings: Settings) -> views.RadiusCurves: ...

    def fan(self, settings: Settings, thetas: tuple[float, ...], radii: Array) -> list[views.FanCurve]: ...


class Shelf(Protocol):
    """Where runs are looked up: ``cache.Catalog``, for one."""

    def metas(self) -> list[Meta]: ...

    def resolve(self, name_or_prefix: str, kind: str | None = None) -> Meta: ...

    def load(self, name_or_prefix: str, kind: str | None = None) -> Run: ...

    def fingerprint(self, name: str) -> str: ...


class Numbers:
    """The numbers behind figures of the runs of a ``Shelf``. ``AcesError`` says where one cannot be read or does not
    fit.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._run = lru_cache(maxsize=KEPT)(shelf.load)
        self._compositions: dict[tuple[object, ...], Composition] = {}

    def choice(
        self,
        certify: str,
        core: str,
        select: str | None = None,
        *,
        by_votes: bool = False,
        then: Later[str] | None = None,
    ) -> Choice:
        """A composition of named runs, as views have it. Raises ``AcesError`` where a name is none."""
        run = self._shelf.resolve(certify, SmoothedRun.KIND)
        later = None
        if then is not None:
            later = Later(self._shelf.resolve(then.run, SmoothedRun.KIND), then.theta, then.t, then.by_votes)
        return Choice(
            run.network.training or "unknown",
            noise_label(run),
            run,
            self._shelf.resolve(core, CoreRun.KIND),
            None if select is None else self._shelf.resolve(select, SelectionRun.KIND),
            by_votes,
            later,
        )

    def composition(self, settings: Settings) -> Composition:
        """The chosen runs, joined."""
        choice = settings.choice
        key = (*(run.name for run in choice.runs), choice.selection, *choice.address[4:])
        if key not in self._compositions:
            self._compositions[key] = self._composed(choice)
        return self._compositions[key]

    def fronts(
        self, settings: Settings, measure: Axis, best_t: bool = False
    ) -> tuple[list[views.Front], dict[str, str]]:
        """A front for every composition that is drawn, and by label what is wrong with those that give none.

        ``best_t``: at the best share of votes at every accuracy, not at the one that is set.
        """
        found, problems = [], {}
        choices = settings.compositions
        for position, (label, choice) in enumerate(zip(settings.labels(choices), choices, strict=True)):
            try:
                at = settings.at(choice)
                made = self._front(at, measure, best_t)
                found.append(replace(made, label=label, position=position, theta=at.theta))
            except AcesError as error:
                problems[label] = str(error)
        return found, problems

    def summary(self, settings: Settings) -> views.Summary:
        """The tiles."""
        at = settings.theta, settings.radius, settings.terms
        return views.summary(self.composition(settings), *at, settings.convention)

    def optimism(
        self, settings: Settings, measure: Axis, drawn: Sequence[views.Front], rule: deployment.Rule
    ) -> deployment.Optimism:
        """How much the numbers of the rule's choice among the fronts ``drawn`` flatter on the images they are of."""
        measured = []
        for front in drawn:
            at = settings.at(settings.compositions[front.position])
            measured.append((self.composition(at), views.measured_by(front, at, measure)))
        images = np.unique(np.concatenate([c.index for c, _ in measured]))
        halves = deployment.halvings(images)
        return deployment.optimism([deployment.tally(c, how, images, halves) for c, how in measured], rule)

    def over_theta(self, settings: Settings) -> metrics.Metrics:
        """Metrics at every stored threshold and the one radius."""
        return self._curve(settings, (settings.radius,))

    def radius_curves(self, settings: Settings) -> views.RadiusCurves:
        """Certified accuracy and selection rate over radius at theta."""
        alone = metrics.standalone(self._restricted(settings), settings.alpha, (), bound=settings.bound_used)
        return views.radius_curves(self.composition(settings), alone, self.answer(settings), settings.terms)

    def fan(self, settings: Settings, thetas: tuple[float, ...], radii: Array) -> list[views.FanCurve]:
        """Certified accuracy and selection rate over ``radii`` at more thresholds."""
        return views.fan(self._certify(settings, thetas), radii) if thetas else []

    def networks_alone(self, settings: Settings, radii: tuple[float, ...]) -> list[tuple[Meta, metrics.Standalone]]:
        """The certification networks of this training at every noise at hand, without ACES, on the images of the
        composition: of those runs that hold all of these, under noise of the same norm.
        """
        of, index, found = settings.certify_run, self.composition(settings).index, []
        for meta in self._shelf.metas():
            same = (meta.kind, meta.dataset, meta.network.training) == (of.kind, of.dataset, of.network.training)
            if not same or meta.smoothing_card.norm != of.smoothing_card.norm or not self._fits(meta, settings):
                continue
            restricted = views.restrict(cast(SmoothedRun, self._run(meta.name)), index)
            if len(restricted.index) == len(index):
                bound = bound_for(meta, settings.bound, settings.convention)
                found.append((meta, metrics.standalone(restricted, settings.alpha, radii, settings.convention, bound)))
        return sorted(found, key=lambda one: (one[0].noise, one[0].name))

    def entropy_histogram(self, settings: Settings) -> views.EntropyHistogram:
        """Images by median score, split by what the certification network alone certifies."""
        return views.entropy_histogram(self.composition(settings), self._certifiable(settings))

    def signed_radii(self, settings: Settings, thetas: tuple[float, ...]) -> Array:
        """Radii of the selection's decisions, [N, T]."""
        at = settings.alpha, settings.correction, settings.t
        return separation.signed_radii(self.composition(settings), np.array(thetas), *at)

    def separation(self, settings: Settings) -> separation.Separation:
        """How well the selection separates what the certification network alone certifies at r."""
        return separation.separation(self.composition(settings), self._certifiable(settings), settings.t)

    def answer(self, settings: Settings) -> aces.Certificates:
        """CERTIFY at theta, for every image."""
        return self._certify(settings, [settings.theta])

    def by_class(self, settings: Settings, radii: tuple[float, ...]) -> by_class.ByClass:
        """What is answered at theta, class by class."""
        return by_class.by_class(self.composition(settings), settings.theta, radii, **settings.terms.named)

    def spread(self, settings: Settings) -> views.Spread:
        """Certified radii at theta, and the shares of the votes behind them."""
        c, terms = self.composition(settings), settings.terms
        shares = by_class.class_shares(c, terms.alpha, terms.bound)
        return views.spread(c, self.answer(settings), shares, terms)

    def image_rows(self, settings: Settings) -> views.ImageRows:
        """CERTIFY's answer for every image at theta."""
        return views.image_rows(self.composition(settings), self.answer(settings))

    def over_thetas_of(self, settings: Settings, index: int) -> aces.Certificates:
        """CERTIFY on one image at every stored threshold. Raises ``AcesError`` if it is not there."""
        c = self.composition(settings)
        at = explain.row_of(c, index)
        return aces.certify(c.rows(slice(at, at + 1)), c.thetas, **settings.terms.named)

    def explanation(self, settings: Settings, index: int) -> explain.Explanation:
        """The numbers behind one image's answer."""
        alpha, correction, t, bound = settings.terms
        at = index, settings.theta, alpha, correction, settings.mechanism, t
        return explain.explain(self.composition(settings), *at, bound=bound)

    def steps_at(self, settings: Settings, floor: float) -> list[steps.Measured]:
        """The steps from the paper's certificate at a held-out NAC of ``floor``; chains are with the next smaller and
        the next larger noise of the same training.
        """
        own, choice = settings.certify_run, settings.choice
        select = None if choice.select_run is None else cast(SelectionRun, self._run(choice.select_run.name))
        runs = [cast(SmoothedRun, self._run(meta.name)) for meta in self._neighbours(own, settings)]
        certify, core = cast(SmoothedRun, self._run(own.name)), cast(CoreRun, self._run(choice.core_run.name))
        what = steps.ways(certify, core, select, runs)
        possible = [step for step in steps.STEPS.values() if not what.missing(step)]
        return [
            one for step in possible for one in steps.measure(what, step, [floor], settings.radius, settings.alpha)[:1]
        ]

    def _neighbours(self, own: Meta, settings: Settings) -> list[Meta]:
        of = own.dataset, own.network.training, own.smoothing
        same = [
            meta
            for meta in self._shelf.metas()
            if meta.kind == own.kind and (meta.dataset, meta.network.training, meta.smoothing) == of
            if not mismatched(meta) and self._fits(meta, settings)
        ]
        smaller = sorted((meta for meta in same if meta.noise < own.noise), key=lambda meta: -meta.noise)[:1]
        larger = sorted((meta for meta in same if meta.noise > own.noise), key=lambda meta: meta.noise)[:1]
        return [*smaller, *larger]

    def _fits(self, meta: Meta, settings: Settings) -> bool:
        """Whether a run was evaluated on the core run's images."""
        try:
            compose.common_images(self._run(meta.name), self._run(settings.core_run.name))
        except AcesError:
            return False
        return True

    def _composed(self, choice: Choice) -> Composition:
        select = None if choice.select_run is None else cast(SelectionRun, self._run(choice.select_run.name))
        first = compose.StageRuns(cast(SmoothedRun, self._run(choice.certify_run.name)), select, choice.by_votes)
        then = []
        if choice.then is not None:
            run, theta, t, by_votes = choice.then.run, choice.then.theta, choice.then.t, choice.then.by_votes
            stage = compose.StageRuns(cast(SmoothedRun, self._run(run.name)), by_votes=by_votes)
            then.append(compose.Then(stage, theta, t))
        return compose.compose_chain(first, cast(CoreRun, self._run(choice.core_run.name)), then)

    def _front(self, settings: Settings, measure: Axis, best_t: bool) -> views.Front:
        c, terms, radius = self.composition(settings), settings.terms, settings.radius
        run, convention = settings.certify_run, settings.convention
        m = self._curve(settings, () if measure is Axis.ACR else (radius,))
        alone = metrics.standalone(self._restricted(settings), terms.alpha, (radius,), convention, terms.bound)
        front = views.front(c, m, alone, measure, radius, settings.choice.address, network_key(run), run.noise)
        if not best_t:
            return front
        at = terms._replace(t=MAJORITY)
        return views.with_best_t(front, self._envelope(c, at, measure, settings), terms.t)

    def _envelope(self, c: Composition, terms: Terms, measure: Axis, settings: Settings) -> envelope.Envelope:
        radius = None if measure is Axis.ACR else settings.radius
        return envelope.envelope(
            c, terms.alpha, terms.correction, bound=terms.bound, radius=radius, convention=settings.convention
        )

    def _curve(self, settings: Settings, radii: tuple[float, ...]) -> metrics.Metrics:
        c = self.composition(settings)
        return metrics.evaluate(c, c.thetas, radii=radii, convention=settings.convention, **settings.terms.named)

    def _certify(self, settings: Settings, thetas: Sequence[float]) -> aces.Certificates:
        return aces.certify(self.composition(settings), thetas, **settings.terms.named)

    def _restricted(self, settings: Settings) -> SmoothedRun:
        run = cast(SmoothedRun, self._run(settings.certify_run.name))
        return views.restrict(run, self.composition(settings).index)

    def _certifiable(self, settings: Settings) -> Array:
        at = settings.alpha, settings.bound_used, settings.radius
        return views.certifiable(self.composition(settings), self._restricted(settings), *at)
