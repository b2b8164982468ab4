"""Cached loads, compositions and what is computed from them, keyed by the runs' fingerprints, never by arrays.

Functions without underscore take ``Settings`` and raise ``AcesError`` where a run cannot be read or does not fit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import streamlit as st

from app import explain, views
from app.pictures import Pictures, read_pictures
from app.settings import Settings
from cache import Shelf
from cache.shelf import DEMO
from engine import aces, compose, datasets, metrics
from engine.aces import Correction
from engine.compose import Composition
from engine.errors import AcesError
from engine.runs import CoreRun, Meta, Run, SmoothedRun

FRESH_SECONDS = 2  # how long a look at the shelf serves: a burst of keys looks once


class Source(NamedTuple):
    """A run as a cache key: its content changes with its fingerprint."""

    name: str
    fingerprint: str


@dataclass(frozen=True)
class Catalogue:
    """What is on the shelf, and what on it cannot be read: place -> message."""

    metas: list[Meta]
    broken: dict[str, str]


def catalogue() -> Catalogue:
    """Every run that can be looked at."""
    return _catalogue(*_places())


def fronts(settings: Settings) -> tuple[list[views.Front], dict[str, str]]:
    """A front for every run of the experiment, and by label what is wrong with those that give none."""
    found, problems = [], {}
    core = _source(settings.core)
    for position, (label, run) in enumerate(settings.experiment.labels.items()):
        try:
            certify = _source(run)
            curve = _curve(certify, core, settings.alpha, settings.correction, ())
            accuracy = views.core_accuracy(_composition(certify, core))
            found.append(views.Front(label, position, curve, _alone(certify, core, settings.alpha), accuracy))
        except AcesError as error:
            problems[label] = str(error)
    return found, problems


def composition(settings: Settings) -> Composition:
    """The chosen certification and core run, joined."""
    return _composition(_source(settings.certify), _source(settings.core))


def over_theta(settings: Settings) -> metrics.Metrics:
    """Metrics at every stored threshold and the one radius."""
    sources = _source(settings.certify), _source(settings.core)
    return _curve(*sources, settings.alpha, settings.correction, (settings.radius,))


def radius_curves(settings: Settings) -> views.RadiusCurves:
    """Certified accuracy over radius at theta."""
    c = composition(settings)
    alone = _alone(_source(settings.certify), _source(settings.core), settings.alpha)
    return views.radius_curves(c, alone, _answer(settings), settings.alpha, settings.correction)


def entropy_histogram(settings: Settings) -> views.EntropyHistogram:
    """Images by median entropy, split by what the certification network alone certifies."""
    return _histogram(_source(settings.certify), _source(settings.core), settings.alpha, settings.radius)


def summary(settings: Settings) -> views.Summary:
    """The tiles."""
    return views.summary(composition(settings), settings.theta, settings.radius, settings.alpha, settings.correction)


def image_rows(settings: Settings) -> views.ImageRows:
    """CERTIFY's answer for every image at theta."""
    return views.image_rows(composition(settings), _answer(settings))


def explanation(settings: Settings, index: int) -> explain.Explanation:
    """The numbers behind one image's answer."""
    return explain.explain(composition(settings), index, settings.theta, settings.alpha, settings.correction)


def class_names(meta: Meta) -> tuple[str, ...]:
    """The classes of a run's dataset by number; numbers for a dataset that the engine does not know."""
    known = datasets.DATASETS.get(meta.dataset)
    return known.classes if known is not None else tuple(str(k) for k in range(meta.num_classes))


def pictures(dataset: str) -> Pictures:
    """The images of a dataset that ship with the demo. Raises ``AcesError`` for a damaged file."""
    path = _places()[1] / f"{dataset}_images.npz"
    return _pictures(path, path.stat().st_mtime_ns if path.exists() else 0)


def _places() -> tuple[str, Path]:
    """Where runs lie: the store's directory as the environment names it, and the demo."""
    return os.environ.get("ACES_CACHE", ""), Path(os.environ.get("ACES_DEMO", DEMO))


@st.cache_resource(show_spinner=False)
def _shelf(store: str, demo: Path) -> Shelf:
    return Shelf(Path(store) if store else None, demo)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def _catalogue(store: str, demo: Path) -> Catalogue:
    shelf = _shelf(store, demo)
    return Catalogue(shelf.metas(), shelf.broken)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def _fingerprint(store: str, demo: Path, name: str) -> str:
    return _shelf(store, demo).fingerprint(name)


def _source(meta: Meta) -> Source:
    return Source(meta.name, _fingerprint(*_places(), meta.name))


def _answer(settings: Settings) -> aces.Certificates:
    return aces.certify(composition(settings), [settings.theta], settings.alpha, settings.correction)


@st.cache_resource(max_entries=64, show_spinner=False)
def _run(source: Source) -> Run:
    return _shelf(*_places()).load(source.name)


@st.cache_resource(max_entries=32, show_spinner=False)
def _composition(certify: Source, core: Source) -> Composition:
    return compose.compose(cast(SmoothedRun, _run(certify)), cast(CoreRun, _run(core)))


@st.cache_data(max_entries=1024, show_spinner=False)
def _curve(
    certify: Source, core: Source, alpha: float, correction: Correction, radii: tuple[float, ...]
) -> metrics.Metrics:
    c = _composition(certify, core)
    return metrics.evaluate(c, c.thetas, alpha=alpha, correction=correction, radii=radii)


@st.cache_data(max_entries=256, show_spinner=False)
def _alone(certify: Source, core: Source, alpha: float) -> metrics.Standalone:
    """The certification network alone, on the images of the composition."""
    return metrics.standalone(_restricted(certify, core), alpha)


@st.cache_data(max_entries=256, show_spinner=False)
def _histogram(certify: Source, core: Source, alpha: float, radius: float) -> views.EntropyHistogram:
    return views.entropy_histogram(_composition(certify, core), _restricted(certify, core), alpha, radius)


def _restricted(certify: Source, core: Source) -> SmoothedRun:
    return views.restrict(cast(SmoothedRun, _run(certify)), _composition(certify, core).index)


@st.cache_resource(max_entries=8, show_spinner=False)
def _pictures(path: Path, mtime_ns: int) -> Pictures:
    return read_pictures(path)
