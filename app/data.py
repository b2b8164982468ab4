"""What pages show of the settings, computed from their compositions and kept: keyed by fingerprints, never by arrays.

Pages call the functions without underscore, most with their ``Settings``. ``AcesError`` says where a run cannot be
read or does not fit. What is shared among sessions is never written to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

import numpy as np
import streamlit as st

from app import catalog
from app.catalog import RunKey
from app.compositions import CompositionKey, composition_key, joined
from app.settings import LARGEST_Z, Choice, Pin, Settings, Terms, bound_for, mismatched
from engine import datasets
from engine.arrays import Array
from engine.errors import AcesError
from engine.figures import settings as settings_of
from engine.figures import views
from engine.figures.settings import network_key
from engine.figures.views import Axis
from engine.records.compose import Composition
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics import aces, comparison, deployment, envelope, explain, metrics, separation, steps
from engine.statistics import by_class as classes
from engine.statistics.bounds import MAJORITY
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention


def fronts(settings: Settings, measure: Axis, best_t: bool = False) -> tuple[list[views.Front], dict[str, str]]:
    """A front for every composition that is drawn, and by label what is wrong with those that give none.

    ``best_t``: at the best share of votes at every accuracy, not at the one that is set.
    """
    found, problems = [], {}
    choices = settings.compositions
    for position, (label, choice) in enumerate(zip(settings.labels(choices), choices, strict=True)):
        try:
            of = composition_key(choice), choice.address, network_key(choice.certify_run), choice.certify_run.noise
            front = _front(*of, measure, settings.at(choice).terms, settings.radius, settings.convention, best_t)
            found.append(replace(front, label=label, position=position, theta=settings.at(choice).theta))
        except AcesError as error:
            problems[label] = str(error)
    return found, problems


def optimism(
    settings: Settings, measure: Axis, drawn: Sequence[views.Front], rule: deployment.Rule
) -> deployment.Optimism:
    """How much the numbers of the rule's choice among the fronts ``drawn`` flatter on the images they are of."""
    measured = []
    for front in drawn:
        at = settings.at(settings.compositions[front.position])
        measured.append((composition_key(at.choice), views.measured_by(front, at, measure)))
    return deployment.optimism(_tallies(tuple(measured)), rule)


def pinned(settings: Settings, measure: Axis) -> tuple[float, float] | None:
    """Where what is pinned stands among the fronts: NAC and robustness. None if nothing is, or it cannot be read."""
    if settings.pin is None:
        return None
    try:
        s = summary(settings.at(settings.pin.choice, settings.pin.theta))
    except AcesError:  # the tiles say so
        return None
    return s.nac.value, (s.acr if measure is Axis.ACR else s.certified_accuracy).value


def composition(settings: Settings) -> Composition:
    """The chosen runs, joined."""
    return joined(composition_key(settings.choice))


def over_theta(settings: Settings) -> metrics.Metrics:
    """Metrics at every stored threshold and the one radius."""
    sources = composition_key(settings.choice)
    return _curve(sources, settings.terms, (settings.radius,), settings.convention)


def radius_curves(settings: Settings) -> views.RadiusCurves:
    """Certified accuracy and selection rate over radius at theta."""
    of_class = settings.alpha, settings.bound_used
    alone = _alone(composition_key(settings.choice), *of_class, settings.radius, Convention.ALGORITHM)
    return views.radius_curves(composition(settings), alone, answer(settings), settings.terms)


def fan(settings: Settings, thetas: tuple[float, ...], radii: Array) -> list[views.FanCurve]:
    """Certified accuracy and selection rate over ``radii`` at more thresholds."""
    if not thetas:
        return []
    return views.fan(_certify(settings, composition(settings), thetas), radii)


def at_thetas(settings: Settings, thetas: tuple[float, ...], radii: tuple[float, ...]) -> metrics.Metrics:
    """Metrics at a few thresholds and radii."""
    return metrics.evaluate(
        composition(settings), thetas, radii=radii, convention=settings.convention, **settings.terms.named
    )


def largest_radius(settings: Settings) -> float:
    """An end for axes and sliders of this composition's radii."""
    return settings.certify_run.noise * LARGEST_Z


def alone(settings: Settings, radii: tuple[float, ...]) -> metrics.Standalone:
    """The certification network without ACES, on the images of the composition."""
    run = _restricted(composition_key(settings.choice))
    return metrics.standalone(run, settings.alpha, radii, settings.convention, settings.bound_used)


def networks_alone(settings: Settings, radii: tuple[float, ...]) -> list[tuple[Meta, metrics.Standalone]]:
    """The certification networks of this training at every noise in the store, without ACES, on the images of the
    composition: of those runs that hold all of these, under noise of the same norm.
    """
    of, c, found = settings.certify_run, composition(settings), []
    for run in catalog.listing().metas:
        same = (run.kind, run.dataset, run.network.training) == (of.kind, of.dataset, of.network.training)
        if not same or run.smoothing_card.norm != of.smoothing_card.norm or not catalog.fits(run, settings.core_run):
            continue
        restricted = views.restrict(cast(SmoothedRun, catalog.load(catalog.run_key(run))), c.index)
        if len(restricted.index) == len(c.index):
            bound = bound_for(run, settings.bound, settings.convention)
            found.append((run, metrics.standalone(restricted, settings.alpha, radii, settings.convention, bound)))
    return sorted(found, key=lambda one: (one[0].noise, one[0].name))


def entropy_histogram(settings: Settings) -> views.EntropyHistogram:
    """Images by median entropy, split by what the certification network alone certifies."""
    sources = composition_key(settings.choice)
    correct = _certifiable(sources, settings.alpha, settings.bound_used, settings.radius)
    return views.entropy_histogram(joined(sources), correct)


def signed_radii(settings: Settings, thetas: tuple[float, ...]) -> Array:
    """Radii of the selection's decisions, [N, T]."""
    at = settings.alpha, settings.correction, settings.t
    return separation.signed_radii(composition(settings), np.array(thetas), *at)


def separations(settings: Settings, choices: Sequence[Choice]) -> list[separation.Separation]:
    """How well each composition's selection separates what its certification network alone certifies at r."""
    views_of = [settings.at(choice) for choice in choices]
    return [
        _separation(composition_key(view.choice), view.alpha, view.bound_used, view.radius, view.t) for view in views_of
    ]


def summary(settings: Settings) -> views.Summary:
    """The tiles."""
    at = settings.theta, settings.radius, settings.terms
    return _summary(composition_key(settings.choice), *at, settings.convention)


def answers(settings: Settings) -> comparison.Answers:
    """What every image is answered at theta."""
    at = settings.theta, settings.radius
    return comparison.answers(composition(settings), *at, **settings.terms.named)


def compare(settings: Settings, pin: Pin) -> comparison.Comparison:
    """The current view less what is pinned, at the same alpha, correction, radius and t; each by the bound it has."""
    return comparison.compare(answers(settings.at(pin.choice, pin.theta)), answers(settings))


def steps_at(settings: Settings, floor: float) -> tuple[dict[str, steps.Measured], list[str]]:
    """The steps from the paper's certificate, by key, at a held-out NAC of ``floor``; and why others are not had.

    Chains are with the next smaller and the next larger noise of the same training.
    """
    key, others = composition_key(settings.choice), neighbours_in_noise(settings)
    return _steps(key, others, settings.alpha, settings.radius, floor)


def neighbours_in_noise(settings: Settings) -> tuple[RunKey, ...]:
    """The runs of the same training under the next smaller and the next larger noise, of the same collection."""
    run = settings.certify_run
    of = run.dataset, run.network.training, run.smoothing
    found = catalog.listing()
    collection = found.note(run.name).collection
    own = [m for m in found.shown if found.note(m.name).collection == collection]
    smoothed = [m for m in own if m.kind == "smoothed" and not mismatched(m)]
    same = [m for m in smoothed if (m.dataset, m.network.training, m.smoothing) == of]
    smaller = sorted((m for m in same if m.noise < run.noise), key=lambda m: -m.noise)[:1]
    larger = sorted((m for m in same if m.noise > run.noise), key=lambda m: m.noise)[:1]
    return tuple(catalog.run_key(m) for m in (*smaller, *larger))


def by_class(settings: Settings, radii: tuple[float, ...]) -> classes.ByClass:
    """What is answered at theta, class by class."""
    return _by_class(composition_key(settings.choice), settings.theta, radii, settings.terms)


def spread(settings: Settings) -> views.Spread:
    """Certified radii at theta, and the shares of the votes behind them."""
    shares = _shares(composition_key(settings.choice), settings.alpha, settings.bound_used)
    return views.spread(composition(settings), answer(settings), shares, settings.terms)


def image_rows(settings: Settings) -> views.ImageRows:
    """CERTIFY's answer for every image at theta."""
    return views.image_rows(composition(settings), answer(settings))


def natural_predictions(settings: Settings) -> Array:
    """PREDICT's answers at theta, [N]."""
    t = settings.terms.t
    return aces.predict(composition(settings), [settings.theta], settings.alpha, t).prediction()[:, 0]


def over_thetas_of(settings: Settings, index: int) -> aces.Certificates:
    """CERTIFY on one image at every stored threshold. Raises ``AcesError`` if it is not there."""
    c = composition(settings)
    at = explain.row_of(c, index)
    return _certify(settings, c.rows(slice(at, at + 1)), c.thetas)


def explanation(settings: Settings, index: int) -> explain.Explanation:
    """The numbers behind one image's answer."""
    c = composition(settings)
    alpha, correction, t, bound = settings.terms
    return explain.explain(c, index, settings.theta, alpha, correction, settings.mechanism, t, bound=bound)


def class_names(meta: Meta) -> tuple[str, ...]:
    """The classes of a run's dataset by number; numbers where neither engine nor run knows them."""
    return settings_of.class_names(meta)


def values_of(meta: Meta) -> int | None:
    """How many values an image of a run's dataset has: C * H * W; None where neither engine nor run says."""
    try:
        return math.prod(datasets.card_of(meta).shape)
    except AcesError:
        return None


def answer(settings: Settings) -> aces.Certificates:
    """CERTIFY at theta, for every image."""
    return _certify(settings, composition(settings), [settings.theta])


def _certify(settings: Settings, c: Composition, thetas: Array | Sequence[float]) -> aces.Certificates:
    return aces.certify(c, thetas, **settings.terms.named)


# What follows is shared by all sessions and never written to: ``cache_data`` would copy it at every look.


@st.cache_resource(max_entries=1024, show_spinner=False)
def _curve(sources: CompositionKey, terms: Terms, radii: tuple[float, ...], convention: Convention) -> metrics.Metrics:
    c = joined(sources)
    return metrics.evaluate(c, c.thetas, radii=radii, convention=convention, **terms.named)


@lru_cache(maxsize=1024)  # looked up two dozen times a key
def _front(
    sources: CompositionKey, address: tuple[str, ...], network: str, noise: float, measure: Axis,
    terms: Terms, radius: float, convention: Convention, best_t: bool,
) -> views.Front:  # fmt: skip
    """A front that has yet to be named and placed among the others."""
    of_acr = measure is Axis.ACR
    m = _curve(sources, terms, () if of_acr else (radius,), convention)
    alone = _alone(sources, terms.alpha, terms.bound, radius, convention)
    front = views.front(joined(sources), m, alone, measure, radius, address, network, noise)
    if not best_t:
        return front
    found = _envelope(sources, terms._replace(t=MAJORITY), None if of_acr else radius, convention)
    return views.with_best_t(front, found, terms.t)


@st.cache_resource(max_entries=256, show_spinner=False)
def _envelope(sources: CompositionKey, terms: Terms, radius: float | None, convention: Convention) -> envelope.Envelope:
    """Over all shares of votes: that of ``terms`` has no say."""
    c = joined(sources)
    return envelope.envelope(c, terms.alpha, terms.correction, bound=terms.bound, radius=radius, convention=convention)


@st.cache_resource(max_entries=16, show_spinner=False)
def _tallies(measured: tuple[tuple[CompositionKey, deployment.Measure], ...]) -> list[deployment.Tally]:
    compositions = [(joined(sources), how) for sources, how in measured]
    images = np.unique(np.concatenate([c.index for c, _ in compositions]))
    halves = deployment.halvings(images)
    return [deployment.tally(c, how, images, halves) for c, how in compositions]


@st.cache_resource(max_entries=64, show_spinner="Measuring the steps on held-out images")
def _steps(
    sources: CompositionKey, others: tuple[RunKey, ...], alpha: float, radius: float, floor: float
) -> tuple[dict[str, steps.Measured], list[str]]:
    return measured_steps(sources, others, alpha, radius, floor)


@st.cache_resource(max_entries=64, show_spinner=False)  # also called beside the pages, where nothing can spin
def measured_steps(
    sources: CompositionKey, others: tuple[RunKey, ...], alpha: float, radius: float, floor: float
) -> tuple[dict[str, steps.Measured], list[str]]:
    """``steps_at``, by keys."""
    select = None if sources.select_run is None else cast(SelectionRun, catalog.load(sources.select_run))
    run, core = cast(SmoothedRun, catalog.load(sources.certify_run)), cast(CoreRun, catalog.load(sources.core_run))
    what = steps.ways(run, core, select, [cast(SmoothedRun, catalog.load(other)) for other in others])
    found, why = {}, []
    for key, step in steps.STEPS.items():
        problem = what.missing(step)
        measured = [] if problem else steps.measure(what, step, [floor], radius, alpha)
        if measured:
            found[key] = measured[0]
        else:
            why.append(problem or f"“{step.name}” reaches a NAC of {floor:g} % on no half of the images.")
    return found, why


@st.cache_resource(max_entries=1024, show_spinner=False)
def _alone(
    sources: CompositionKey, alpha: float, bound: Bound, radius: float, convention: Convention
) -> metrics.Standalone:
    """The certification network alone, on the images of the composition: no correction and no share has a say."""
    return metrics.standalone(_restricted(sources), alpha, (radius,), convention, bound)


@st.cache_resource(max_entries=256, show_spinner=False)
def _certifiable(sources: CompositionKey, alpha: float, bound: Bound, radius: float) -> Array:
    return views.certifiable(joined(sources), _restricted(sources), alpha, bound, radius)


@st.cache_resource(max_entries=256, show_spinner=False)
def _separation(sources: CompositionKey, alpha: float, bound: Bound, radius: float, t: float) -> separation.Separation:
    return separation.separation(joined(sources), _certifiable(sources, alpha, bound, radius), t)


@st.cache_resource(max_entries=64, show_spinner=False)
def _by_class(sources: CompositionKey, theta: float, radii: tuple[float, ...], terms: Terms) -> classes.ByClass:
    return classes.by_class(joined(sources), theta, radii, **terms.named)


@st.cache_resource(max_entries=64, show_spinner=False)
def _shares(sources: CompositionKey, alpha: float, bound: Bound) -> Array:
    return classes.class_shares(joined(sources), alpha, bound)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _summary(
    sources: CompositionKey,
    theta: float,
    radius: float,
    terms: Terms,
    convention: Convention,
) -> views.Summary:
    return views.summary(joined(sources), theta, radius, terms, convention)


def _restricted(sources: CompositionKey) -> SmoothedRun:
    return views.restrict(cast(SmoothedRun, catalog.load(sources.certify_run)), joined(sources).index)
