"""Cached loads, compositions and what is computed from them, keyed by the runs' fingerprints, never by arrays.

Functions without underscore take ``Settings`` and raise ``AcesError`` where a run cannot be read or does not fit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import streamlit as st

from app import comparison, explain, separation, views
from app.pictures import Pictures, read_pictures
from app.settings import LARGEST_Z, Choice, Pin, Settings, labels
from cache import Shelf, Store
from cache.shelf import DEMO
from engine import aces, compose, datasets, metrics
from engine.aces import Correction
from engine.compose import Composition
from engine.errors import AcesError
from engine.metrics import Convention
from engine.runs import Array, CoreRun, Meta, Run, SelectionRun, SmoothedRun

ROOT = Path(__file__).resolve().parents[1]
FRESH_SECONDS = 2  # how long a look at the shelf serves: a burst of keys looks once


class Measure(StrEnum):
    """What the trade-off sets against natural accuracy."""

    ACR = "ACR"
    CERTIFIED = "certified accuracy at r"


class Source(NamedTuple):
    """A run as a cache key: its content changes with its fingerprint."""

    name: str
    fingerprint: str


class Sources(NamedTuple):
    """A composition as a cache key."""

    certify: Source
    core: Source
    select: Source | None


@dataclass(frozen=True)
class Catalogue:
    """What is on the shelf, and what on it cannot be read: place -> message."""

    metas: list[Meta]
    broken: dict[str, str]


def catalogue() -> Catalogue:
    """Every run that can be looked at."""
    return _catalogue(*_places())


def look_again() -> None:
    """Forget what the last look at the shelf found: something has changed on it."""
    _catalogue.clear()
    _fingerprint.cache_clear()


def fits(certify: Meta, core: Meta, select: Meta | None = None) -> bool:
    """Whether the others were asked about the certification run's images.

    So it seems while one of them cannot be read: pages say that where it is used.
    """
    try:
        return all(_fits(_source(certify), _source(other)) for other in (core, select) if other is not None)
    except AcesError:
        return True


def fronts(settings: Settings, measure: Measure) -> tuple[list[views.Front], dict[str, str]]:
    """A front for every composition that is drawn, and by label what is wrong with those that give none."""
    found, problems = [], {}
    choices = settings.compositions
    at = settings.alpha, settings.correction, settings.radius, settings.convention
    for position, (label, choice) in enumerate(zip(labels(choices), choices, strict=True)):
        try:
            name = choice.certify.network.sha256 or choice.certify.network.name or choice.certify.name
            front = _front(_sources(choice), choice.address, name, choice.certify.noise, measure, *at)
            found.append(replace(front, label=label, position=position))
        except AcesError as error:
            problems[label] = str(error)
    return found, problems


def pinned(settings: Settings, measure: Measure) -> tuple[float, float] | None:
    """Where what is pinned stands among the fronts: NAC and robustness. None if nothing is, or it cannot be read."""
    if settings.pin is None:
        return None
    try:
        s = summary(settings.at(settings.pin.choice, settings.pin.theta))
    except AcesError:  # the tiles say so
        return None
    return s.nac.value, (s.acr if measure is Measure.ACR else s.certified_accuracy).value


def composition(settings: Settings) -> Composition:
    """The chosen runs, joined."""
    return _composition(_sources(settings.choice))


def over_theta(settings: Settings) -> metrics.Metrics:
    """Metrics at every stored threshold and the one radius."""
    sources = _sources(settings.choice)
    return _curve(sources, settings.alpha, settings.correction, (settings.radius,), settings.convention)


def radius_curves(settings: Settings) -> views.RadiusCurves:
    """Certified accuracy and selection rate over radius at theta."""
    alone = _alone(_sources(settings.choice), settings.alpha, settings.radius)
    return views.radius_curves(composition(settings), alone, answer(settings), settings.alpha, settings.correction)


def fan(settings: Settings, thetas: tuple[float, ...], radii: Array) -> list[views.FanCurve]:
    """Certified accuracy and selection rate over ``radii`` at more thresholds."""
    if not thetas:
        return []
    return views.fan(aces.certify(composition(settings), thetas, settings.alpha, settings.correction), radii)


def at_thetas(settings: Settings, thetas: tuple[float, ...], radii: tuple[float, ...]) -> metrics.Metrics:
    """Metrics at a few thresholds and radii."""
    return metrics.evaluate(
        composition(settings), thetas, alpha=settings.alpha, correction=settings.correction, radii=radii,
        convention=settings.convention,
    )  # fmt: skip


def largest_radius(settings: Settings) -> float:
    """An end for axes and sliders of this composition's radii."""
    return settings.certify.noise * LARGEST_Z


def interval_of_rate(settings: Settings, percent: float) -> tuple[float, float]:
    """The 95 % Wilson interval of a rate over the composition's images, in percent."""
    e = views.rate(percent, len(composition(settings)))
    return e.low, e.high


def alone(settings: Settings, radii: tuple[float, ...]) -> metrics.Standalone:
    """The certification network without ACES, on the images of the composition."""
    return metrics.standalone(_restricted(_sources(settings.choice)), settings.alpha, radii)


def entropy_histogram(settings: Settings) -> views.EntropyHistogram:
    """Images by median entropy, split by what the certification network alone certifies."""
    sources = _sources(settings.choice)
    right = _certifiable(sources, settings.alpha, settings.radius)
    return views.entropy_histogram(_composition(sources), right)


def signed_radii(settings: Settings, thetas: tuple[float, ...]) -> Array:
    """Radii of the selection's decisions, [N, T]."""
    return separation.signed_radii(composition(settings), np.array(thetas), settings.alpha, settings.correction)


def separations(settings: Settings, choices: Sequence[Choice]) -> list[separation.Separation]:
    """How well each composition's selection separates what its certification network alone certifies at r."""
    return [_separation(_sources(choice), settings.alpha, settings.radius) for choice in choices]


def summary(settings: Settings) -> views.Summary:
    """The tiles."""
    at = settings.theta, settings.radius, settings.alpha, settings.correction
    return _summary(_sources(settings.choice), *at, settings.convention)


def answers(settings: Settings) -> comparison.Answers:
    """What every image is answered at theta."""
    at = settings.theta, settings.radius, settings.alpha, settings.correction
    return comparison.answers(composition(settings), *at)


def compare(settings: Settings, pin: Pin) -> comparison.Comparison:
    """The current view less what is pinned, at the same alpha, correction and radius."""
    return comparison.compare(answers(settings.at(pin.choice, pin.theta)), answers(settings))


def image_rows(settings: Settings) -> views.ImageRows:
    """CERTIFY's answer for every image at theta."""
    return views.image_rows(composition(settings), answer(settings))


def natural_predictions(settings: Settings) -> Array:
    """PREDICT's answers at theta, [N]."""
    return aces.predict(composition(settings), [settings.theta], settings.alpha).prediction()[:, 0]


def over_thetas_of(settings: Settings, index: int) -> aces.Certificates:
    """CERTIFY on one image at every stored threshold. Raises ``AcesError`` if it is not there."""
    c = composition(settings)
    at = explain.row_of(c, index)
    return aces.certify(c.rows(slice(at, at + 1)), c.thetas, settings.alpha, settings.correction)


def explanation(settings: Settings, index: int) -> explain.Explanation:
    """The numbers behind one image's answer."""
    return explain.explain(composition(settings), index, settings.theta, settings.alpha, settings.correction)


def class_names(meta: Meta) -> tuple[str, ...]:
    """The classes of a run's dataset by number; numbers for a dataset that the engine does not know."""
    known = datasets.DATASETS.get(meta.dataset)
    return known.classes if known is not None else tuple(str(k) for k in range(meta.num_classes))


def pictures(meta: Meta) -> Pictures:
    """The images of a run: those that ship, else what the dataset's files on this disk hold, if any.

    Raises ``AcesError`` for a damaged file, and where those files are not what was sampled.
    """
    path = _places()[1] / f"{meta.dataset}_images.npz"
    if not path.exists():
        run = cast(SmoothedRun, _run(_source(meta)))
        path = datasets.pictures_file(meta.dataset, run.index, run.label)
    if not path.exists() and datasets.on_disk(meta.dataset) and (problem := _take_pictures(_source(meta))):
        raise AcesError(problem)
    return _pictures(path, path.stat().st_mtime_ns if path.exists() else 0)


def _places() -> tuple[str, Path]:
    """Where runs lie: the store's directory as the environment names it, and the demo."""
    return os.environ.get("ACES_CACHE", ""), Path(os.environ.get("ACES_DEMO", DEMO))


def store() -> Path:
    """Where runs that are sampled here are kept."""
    named = _places()[0]
    return Store(Path(named) if named else None).directory


@st.cache_resource(show_spinner=False)
def _shelf(store: str, demo: Path) -> Shelf:
    return Shelf(Path(store) if store else None, demo)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def _catalogue(store: str, demo: Path) -> Catalogue:
    shelf = _shelf(store, demo)
    return Catalogue(shelf.metas(), shelf.broken)


@lru_cache(maxsize=4096)  # asked some thirty times a key, which Streamlit's caches would be too slow for
def _fingerprint(store: str, demo: Path, name: str, look: int) -> str:
    return _shelf(store, demo).fingerprint(name)


def fingerprint(meta: Meta) -> str:
    """The digest of a run's content."""
    return _fingerprint(*_places(), meta.name, int(time.monotonic() / FRESH_SECONDS))


def _sources(choice: Choice) -> Sources:
    select = None if choice.select is None else _source(choice.select)
    return Sources(_source(choice.certify), _source(choice.core), select)


def _source(meta: Meta) -> Source:
    return Source(meta.name, fingerprint(meta))


def answer(settings: Settings) -> aces.Certificates:
    """CERTIFY at theta, for every image."""
    return aces.certify(composition(settings), [settings.theta], settings.alpha, settings.correction)


# What follows is shared by all sessions and never written to: ``cache_data`` would copy it at every look.


@st.cache_resource(max_entries=64, show_spinner=False)
def _run(source: Source) -> Run:
    return _shelf(*_places()).load(source.name)


@lru_cache(maxsize=4096)
def _fits(certify: Source, other: Source) -> bool:
    run, another = cast(SmoothedRun, _run(certify)), cast(CoreRun | SelectionRun, _run(other))
    try:
        compose.common_images(run, another)
    except AcesError:
        return False
    return True


@st.cache_resource(max_entries=32, show_spinner=False)
def _composition(sources: Sources) -> Composition:
    select = None if sources.select is None else cast(SelectionRun, _run(sources.select))
    return compose.compose(cast(SmoothedRun, _run(sources.certify)), cast(CoreRun, _run(sources.core)), select)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _curve(
    sources: Sources, alpha: float, correction: Correction, radii: tuple[float, ...], convention: Convention
) -> metrics.Metrics:
    c = _composition(sources)
    return metrics.evaluate(c, c.thetas, alpha=alpha, correction=correction, radii=radii, convention=convention)


@lru_cache(maxsize=1024)  # looked up two dozen times a key
def _front(
    sources: Sources, address: tuple[str, str, str, str], network: str, noise: float, measure: Measure,
    alpha: float, correction: Correction, radius: float, convention: Convention,
) -> views.Front:  # fmt: skip
    """A front that has yet to be named and placed among the others."""
    of_acr = measure is Measure.ACR
    m = _curve(sources, alpha, correction, () if of_acr else (radius,), convention)
    alone = _alone(sources, alpha, radius)
    c = _composition(sources)
    core = views.core_accuracy(c)
    return views.Front(
        label="",
        position=0,
        address=address,
        thetas=m.thetas,
        nac=m.nac,
        robustness=m.acr if of_acr else m.certified_accuracy[:, 0],
        alone=(alone.nac, alone.acr if of_acr else float(alone.certified_accuracy[0])),
        core=(core, core if not of_acr and radius == 0 else 0.0),
        network=network,
        noise=noise,
        images=m.images,
        subset=views.fingerprint(c.index, c.label),
    )


@st.cache_resource(max_entries=1024, show_spinner=False)
def _alone(sources: Sources, alpha: float, radius: float) -> metrics.Standalone:
    """The certification network alone, on the images of the composition."""
    return metrics.standalone(_restricted(sources), alpha, (radius,))


@st.cache_resource(max_entries=256, show_spinner=False)
def _certifiable(sources: Sources, alpha: float, radius: float) -> Array:
    return views.certifiable(_composition(sources), _restricted(sources), alpha, radius)


@st.cache_resource(max_entries=256, show_spinner=False)
def _separation(sources: Sources, alpha: float, radius: float) -> separation.Separation:
    return separation.separation(_composition(sources), _certifiable(sources, alpha, radius))


@st.cache_resource(max_entries=1024, show_spinner=False)
def _summary(
    sources: Sources, theta: float, radius: float, alpha: float, correction: Correction, convention: Convention
) -> views.Summary:
    return views.summary(_composition(sources), theta, radius, alpha, correction, convention)


def _restricted(sources: Sources) -> SmoothedRun:
    return views.restrict(cast(SmoothedRun, _run(sources.certify)), _composition(sources).index)


@st.cache_resource(max_entries=32, show_spinner="Taking the pictures from the dataset's files")
def _take_pictures(source: Source) -> str:
    """Have a process of its own write a run's pictures, as what reads datasets loads torch; why it could not, or ""."""
    command = [sys.executable, "-m", "engine", "pictures", source.name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr.strip().removeprefix("error: ") if done.returncode else ""


@st.cache_resource(max_entries=8, show_spinner=False)
def _pictures(path: Path, mtime_ns: int) -> Pictures:
    return read_pictures(path)
