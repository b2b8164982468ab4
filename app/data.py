"""Cached loads, compositions and what is computed from them: keyed by the runs' fingerprints, never by arrays.

Pages call the functions without underscore, most with their ``Settings``. ``AcesError`` says where a run cannot be
read or does not fit. What is shared among sessions is never written to.
"""

from __future__ import annotations

import hashlib
import math
import subprocess
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import streamlit as st

from app.services import packs, work
from app.services.limits import Limits
from app.services.pictures import Pictures, read_pictures
from app.settings import ALPHAS, LARGEST_Z, Choice, Pin, Settings, Terms, bound_for, mismatched
from app.tables import live
from cache import Catalog, Deleted, KeptView, KeptViews, Listing, Notes, Store, Trash
from engine import datasets, folders, processes
from engine.arrays import Array
from engine.errors import AcesError
from engine.figures import bars, views
from engine.figures import settings as settings_of
from engine.figures.headlines import BestPoint, Headline, best_point, headline, most_accurate
from engine.figures.settings import network_key
from engine.figures.views import Axis
from engine.names import file_in
from engine.records import compose
from engine.records.compose import Composition
from engine.records.runs import CoreRun, Images, Meta, Run, SelectionRun, SmoothedRun, to_bytes
from engine.statistics import aces, comparison, deployment, envelope, explain, metrics, separation, steps
from engine.statistics import by_class as classes
from engine.statistics.bounds import MAJORITY
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

MOST_FOLLOWED = 25_000_000  # images x thresholds of all that a browser follows: some 100 MB there
NEAR_LEVELS = 7  # that waterfalls are made for: with chains each takes the server a second at 500 images
MOST_HEADLINES = 10_000  # that are remembered, of some hundred bytes each
FRESH_SECONDS = 2  # how long a look at the catalog serves: a burst of keys looks once


class RunKey(NamedTuple):
    """A run as a cache key: its content changes with its fingerprint."""

    name: str
    fingerprint: str


class CompositionKey(NamedTuple):
    """A composition as a cache key."""

    certify_run: RunKey
    core_run: RunKey
    select_run: RunKey | None
    by_votes: bool = False
    then: LaterKey | None = None


class LaterKey(NamedTuple):
    """A second stage as a cache key."""

    run: RunKey
    theta: float
    t: float
    by_votes: bool


_HEADLINES: dict[RunKey, Headline] = {}  # of all sessions; nothing in it is ever changed
_BEST: dict[tuple[RunKey, tuple[RunKey, ...]], BestPoint | None] = {}  # by run and the core networks to choose from


def listing() -> Listing:
    """Every run that can be looked at."""
    return _listing(*_places())


def look_again() -> None:
    """Forget what the last look at the catalog found: something has changed in it."""
    _listing.clear()
    _fingerprint.cache_clear()
    _digest_now.cache_clear()


def contents() -> dict[str, str]:
    """A digest of every run's content by its name, and what is wrong with those that cannot be read."""
    found = listing()
    return {meta.name: fingerprint(meta) for meta in found.metas} | found.broken


def digest() -> str:
    """Of everything that the session has seen of the catalog: runs, and what is noted of them."""
    return _digest_of(contents(), listing())


def digest_now() -> str:
    """The ``digest`` of what is there at this second, for whoever asks from outside a session."""
    return _digest_now(*_places(), int(time.monotonic()))


def _digest_of(contents: Mapping[str, str], found: Listing) -> str:
    return hashlib.sha256(repr((sorted(contents.items()), sorted(found.notes.items()))).encode()).hexdigest()


@lru_cache(maxsize=1)
def _digest_now(store: str, demo: Path, second: int) -> str:
    catalog = _catalog(store, demo)
    found = catalog.listing()
    return _digest_of({meta.name: catalog.fingerprint(meta.name) for meta in found.metas} | found.broken, found)


def is_stored(name: str) -> bool:
    """Whether the store has a run of this name: what ships it has not."""
    held = Store()
    try:
        return held.exists and bool(held.fingerprint(name))
    except AcesError:
        return False
    finally:
        held.close()


def note(names: Sequence[str], **fields: object) -> None:
    """Keep a label, a collection or whether runs are hidden. Raises ``AcesError`` for a text that can be no label."""
    with closing(Notes.at(store())) as notes:
        notes.change(names, **fields)
    look_again()


def delete(name: str) -> str:
    """Move a stored run into the trash; the id by which ``restore`` brings it back."""
    with closing(Trash.at(store())) as trash:
        id = trash.move(name)
    look_again()
    return id


def restore(id: str) -> None:
    """Bring a deleted run back. Raises ``AcesError`` where that cannot be."""
    with closing(Trash.at(store())) as trash:
        trash.restore(id)
    look_again()


def deleted() -> list[Deleted]:
    """What the trash has."""
    with closing(Trash.at(store())) as trash:
        return trash.listing()


def kept_views() -> dict[str, KeptView]:
    """The views that the store keeps, by name."""
    return _kept_views(str(store()))


def keep_view(name: str, view: KeptView) -> None:
    """Keep a view under a name. Raises ``AcesError`` for a bad or a taken one."""
    with closing(KeptViews.at(store())) as views:
        views.keep(name, view)
    _kept_views.clear()


def remove_view(name: str) -> None:
    """Forget a kept view."""
    with closing(KeptViews.at(store())) as views:
        views.remove(name)
    _kept_views.clear()


def run_file(name: str) -> bytes:
    """A run as the bytes of its file, as ``export`` writes it."""
    return to_bytes(_catalog(*_places()).load(name))


def headlines(metas: Sequence[Meta], seconds: float) -> dict[str, Headline]:
    """NAC and ACR of runs by name: those known, and as many more as ``seconds`` allow; of damaged ones neither."""
    found, end = {}, time.monotonic() + seconds
    for meta in metas:
        with suppress(AcesError):
            key = _run_key(meta)
            if key in _HEADLINES or time.monotonic() < end:
                found[meta.name] = _headline(key)
                continue
        if time.monotonic() < end:
            found[meta.name] = Headline()
    return found


def _headline(key: RunKey) -> Headline:
    if key not in _HEADLINES:
        while len(_HEADLINES) >= MOST_HEADLINES:
            _HEADLINES.pop(next(iter(_HEADLINES)), None)
        _HEADLINES[key] = headline(_catalog(*_places()).load(key.name))
    return _HEADLINES[key]


def best_points(metas: Sequence[Meta], seconds: float) -> dict[str, BestPoint | None]:
    """The best front point of certification runs by name: those known, and as many more as ``seconds`` allow.

    With the core networks that are shown. None for other runs, and where there is no such point.
    """
    found: dict[str, BestPoint | None] = {}
    end, cores = time.monotonic() + seconds, _cores()
    for meta in metas:
        if meta.kind != SmoothedRun.KIND:
            found[meta.name] = None
            continue
        try:
            key = _run_key(meta), cores.get(meta.dataset, ())
            if key in _BEST or time.monotonic() < end:
                found[meta.name] = _best(*key)
        except AcesError:  # the page says so where a damaged run is used
            found[meta.name] = None
    return found


def _cores() -> dict[str, tuple[RunKey, ...]]:
    """The core networks that are shown and can be read, by dataset."""
    found: dict[str, tuple[RunKey, ...]] = {}
    for meta in listing().shown:
        if meta.kind == CoreRun.KIND:
            with suppress(AcesError):
                found[meta.dataset] = (*found.get(meta.dataset, ()), _run_key(meta))
    return found


def _best(certify: RunKey, cores: tuple[RunKey, ...]) -> BestPoint | None:
    if (certify, cores) not in _BEST:
        while len(_BEST) >= MOST_HEADLINES:
            _BEST.pop(next(iter(_BEST)), None)
        core = most_accurate(_images(certify), [run for key in cores if (run := _core(key)) is not None])
        chosen = next((key for key in cores if core is not None and key.name == core.meta.name), None)
        _BEST[certify, cores] = None if chosen is None else _best_with(certify, chosen)
    return _BEST[certify, cores]


def fits(certify: Meta, core: Meta, select: Meta | None = None) -> bool:
    """Whether the others were evaluated on the certification run's images.

    So it seems while one of them cannot be read: pages say that where it is used.
    """
    try:
        return all(_fits(_run_key(certify), _run_key(other)) for other in (core, select) if other is not None)
    except AcesError:
        return True


def fronts(settings: Settings, measure: Axis, best_t: bool = False) -> tuple[list[views.Front], dict[str, str]]:
    """A front for every composition that is drawn, and by label what is wrong with those that give none.

    ``best_t``: at the best share of votes at every accuracy, not at the one that is set.
    """
    found, problems = [], {}
    choices = settings.compositions
    for position, (label, choice) in enumerate(zip(settings.labels(choices), choices, strict=True)):
        try:
            of = _composition_key(choice), choice.address, network_key(choice.certify_run), choice.certify_run.noise
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
        measured.append((_composition_key(at.choice), views.measured_by(front, at, measure)))
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
    return _composition(_composition_key(settings.choice))


def over_theta(settings: Settings) -> metrics.Metrics:
    """Metrics at every stored threshold and the one radius."""
    sources = _composition_key(settings.choice)
    return _curve(sources, settings.terms, (settings.radius,), settings.convention)


def radius_curves(settings: Settings) -> views.RadiusCurves:
    """Certified accuracy and selection rate over radius at theta."""
    of_class = settings.alpha, settings.bound_used
    alone = _alone(_composition_key(settings.choice), *of_class, settings.radius, Convention.ALGORITHM)
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


def followed(settings: Settings, choices: Sequence[Choice]) -> dict[str, Any]:
    """What a browser needs to follow the dials by itself, of the compositions ``choices``: the names of their packs.

    These are made meanwhile: for the level that is set first, then for those next to it on the dial.
    """
    alphas, near = _levels(settings)
    asked: dict[str, packs.Make] = {}
    named, room = {}, MOST_FOLLOWED
    for choice in sorted(choices, key=lambda choice: choice != settings.choice):  # the reader's own first
        position = settings.compositions.index(choice)
        named[position], taken = _packs(settings.at(choice), alphas, near, asked, room)
        room -= taken
    packs.SHARED.ask(dict(sorted(asked.items(), key=lambda one: _rank(one[0], near))))
    return {
        "compositions": [named.get(position) for position in range(len(settings.compositions))],
        "current": settings.position,
        "levels": alphas,
    }


def _levels(settings: Settings) -> tuple[list[float], list[int]]:
    """The levels that the dial stops at and the one that is set; and their places, the nearest first."""
    alphas = sorted({*ALPHAS, settings.alpha})
    return alphas, sorted(range(len(alphas)), key=lambda level: abs(level - alphas.index(settings.alpha)))


def followed_steps(settings: Settings, floor: float, before: str) -> dict[str, Any]:
    """What a browser needs for the waterfall to follow alpha: the name of its packs, and the levels that have one.

    ``before``: the name that the session had last, of whose packs none is made any more that is not yet.
    """
    alphas, near = _levels(settings)
    key, others = _composition_key(settings.choice), _neighbours_in_noise(settings)
    name = f"steps-{_digest(key, others, floor, *alphas)}"
    if before and before != name:
        packs.SHARED.drop(before)
    near = near[:NEAR_LEVELS]
    makes = {level: partial(_packed_steps, key, others, alphas[level], settings.radius, floor) for level in near}
    packs.SHARED.ask({f"{name}-{level}": make for level, make in makes.items()})
    return {"steps": name, "near": near}


def _packed_steps(*measured: Any) -> bytes:
    return bars.packed([*_measured_steps(*measured)[0].values()])


def _rank(name: str, near: Sequence[int]) -> int:
    """Counts come first, then the levels as they are near."""
    _, _, level = name.rpartition("-")
    return -1 if name.startswith("counts") else near.index(int(level))


def _packs(
    settings: Settings, alphas: Sequence[float], near: Sequence[int], asked: dict[str, packs.Make], room: int
) -> tuple[dict[str, str] | None, int]:
    """The names of a composition's packs, which are asked for, and how many votes they hold; None and 0 if the browser
    cannot follow it or has no ``room`` for it.
    """
    if settings.convention is Convention.PAPER:
        return None, 0
    try:
        key = _composition_key(settings.choice)
        c = _composition(key)
    except AcesError:  # its figures say so
        return None, 0
    if c.select_counts.size > room or not live.can_be_live(c):
        return None, 0
    terms, link = settings.terms, c.smoothing_select.link
    of_votes = c.n_select, c.smoothing_select.name, terms.correction
    names = {
        "counts": f"counts-{_digest(key)}",
        "classes": f"classes-{_digest(key, terms.correction, terms.bound, *alphas)}",
        "votes": f"votes-{_digest(*of_votes, *alphas)}",
    }
    asked[names["counts"]] = partial(live.of_counts, c)
    for level in near:
        at = terms._replace(alpha=alphas[level])
        asked[f"{names['classes']}-{level}"] = partial(live.of_classes, c, at)
        asked[f"{names['votes']}-{level}"] = partial(live.of_votes, c.n_select, link, at.alpha, terms.correction)
    return names, c.select_counts.size


@lru_cache(maxsize=4096)  # asked at every key
def _digest(*what: Hashable) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]


def largest_radius(settings: Settings) -> float:
    """An end for axes and sliders of this composition's radii."""
    return settings.certify_run.noise * LARGEST_Z


def alone(settings: Settings, radii: tuple[float, ...]) -> metrics.Standalone:
    """The certification network without ACES, on the images of the composition."""
    run = _restricted(_composition_key(settings.choice))
    return metrics.standalone(run, settings.alpha, radii, settings.convention, settings.bound_used)


def networks_alone(settings: Settings, radii: tuple[float, ...]) -> list[tuple[Meta, metrics.Standalone]]:
    """The certification networks of this training at every noise in the store, without ACES, on the images of the
    composition: of those runs that hold all of these, under noise of the same norm.
    """
    of, c, found = settings.certify_run, composition(settings), []
    for run in listing().metas:
        same = (run.kind, run.dataset, run.network.training) == (of.kind, of.dataset, of.network.training)
        if not same or run.smoothing_card.norm != of.smoothing_card.norm or not fits(run, settings.core_run):
            continue
        restricted = views.restrict(cast(SmoothedRun, _run(_run_key(run))), c.index)
        if len(restricted.index) == len(c.index):
            bound = bound_for(run, settings.bound, settings.convention)
            found.append((run, metrics.standalone(restricted, settings.alpha, radii, settings.convention, bound)))
    return sorted(found, key=lambda one: (one[0].noise, one[0].name))


def entropy_histogram(settings: Settings) -> views.EntropyHistogram:
    """Images by median entropy, split by what the certification network alone certifies."""
    sources = _composition_key(settings.choice)
    correct = _certifiable(sources, settings.alpha, settings.bound_used, settings.radius)
    return views.entropy_histogram(_composition(sources), correct)


def signed_radii(settings: Settings, thetas: tuple[float, ...]) -> Array:
    """Radii of the selection's decisions, [N, T]."""
    at = settings.alpha, settings.correction, settings.t
    return separation.signed_radii(composition(settings), np.array(thetas), *at)


def separations(settings: Settings, choices: Sequence[Choice]) -> list[separation.Separation]:
    """How well each composition's selection separates what its certification network alone certifies at r."""
    views_of = [settings.at(choice) for choice in choices]
    return [
        _separation(_composition_key(view.choice), view.alpha, view.bound_used, view.radius, view.t)
        for view in views_of
    ]


def summary(settings: Settings) -> views.Summary:
    """The tiles."""
    at = settings.theta, settings.radius, settings.terms
    return _summary(_composition_key(settings.choice), *at, settings.convention)


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
    key, others = _composition_key(settings.choice), _neighbours_in_noise(settings)
    return _steps(key, others, settings.alpha, settings.radius, floor)


def _neighbours_in_noise(settings: Settings) -> tuple[RunKey, ...]:
    """The runs of the same training under the next smaller and the next larger noise, of the same collection."""
    run = settings.certify_run
    of = run.dataset, run.network.training, run.smoothing
    found = listing()
    collection = found.note(run.name).collection
    own = [m for m in found.shown if found.note(m.name).collection == collection]
    smoothed = [m for m in own if m.kind == "smoothed" and not mismatched(m)]
    same = [m for m in smoothed if (m.dataset, m.network.training, m.smoothing) == of]
    smaller = sorted((m for m in same if m.noise < run.noise), key=lambda m: -m.noise)[:1]
    larger = sorted((m for m in same if m.noise > run.noise), key=lambda m: m.noise)[:1]
    return tuple(_run_key(m) for m in (*smaller, *larger))


def by_class(settings: Settings, radii: tuple[float, ...]) -> classes.ByClass:
    """What is answered at theta, class by class."""
    return _by_class(_composition_key(settings.choice), settings.theta, radii, settings.terms)


def spread(settings: Settings) -> views.Spread:
    """Certified radii at theta, and the shares of the votes behind them."""
    shares = _shares(_composition_key(settings.choice), settings.alpha, settings.bound_used)
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


def pictures(meta: Meta) -> Pictures:
    """The images of a run: those that ship, else what the dataset's files on this disk hold, if any.

    Raises ``AcesError`` for a damaged file, and where those files are not what was sampled.
    """
    path = _shipped_pictures(meta)
    if not path.exists():
        run = cast(SmoothedRun, _run(_run_key(meta)))
        path = datasets.pictures_file(meta.dataset, run.index, run.label, meta.extra.get("images"))
    if not path.exists() and _on_disk(meta) and (problem := take_pictures(_run_key(meta))):
        raise AcesError(problem)
    return _pictures(path, path.stat().st_mtime_ns if path.exists() else 0)


def pictured(metas: Sequence[Meta]) -> frozenset[str]:
    """The datasets of runs whose images can be shown: they ship, or lie on this disk."""
    return frozenset(meta.dataset for meta in metas if _shipped_pictures(meta).exists() or _on_disk(meta))


def _shipped_pictures(meta: Meta) -> Path:
    return file_in(_places()[1], f"{meta.dataset}_images.npz")


def _on_disk(meta: Meta) -> bool:
    """Whether the pictures of a run can be had here without a download."""
    own = meta.origin.pictures if meta.origin is not None else None
    return datasets.on_disk(meta.dataset) or (own is not None and Path(own).exists())


def _places() -> tuple[str, Path]:
    """Where runs lie: the store's directory, and the demo."""
    return str(folders.store()), folders.demo()


def store() -> Path:
    """Where runs that are sampled here are kept."""
    return Store().directory


@st.cache_resource(show_spinner=False)
def _catalog(store: str, demo: Path) -> Catalog:
    return Catalog(Path(store), demo)


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def _listing(store: str, demo: Path) -> Listing:
    return _catalog(store, demo).listing()


@st.cache_data(ttl=FRESH_SECONDS, show_spinner=False)
def _kept_views(store: str) -> dict[str, KeptView]:
    with closing(KeptViews.at(Path(store))) as views:
        return views.every()


@lru_cache(maxsize=4096)  # asked some thirty times a key, which Streamlit's caches would be too slow for
def _fingerprint(store: str, demo: Path, name: str, look: int) -> str:
    return _catalog(store, demo).fingerprint(name)


def fingerprint(meta: Meta) -> str:
    """The digest of a run's content."""
    return _fingerprint(*_places(), meta.name, int(time.monotonic() / FRESH_SECONDS))


def fingerprints(settings: Settings) -> dict[str, str]:
    """The digests of the runs that the view rests on, by name; a run that cannot be read has none."""
    found = {}
    for name, run in settings.runs.items():
        with suppress(AcesError):  # pages say what is wrong with it
            found[name] = fingerprint(run)
    return found


def _composition_key(choice: Choice) -> CompositionKey:
    select = None if choice.select_run is None else _run_key(choice.select_run)
    own = _run_key(choice.certify_run), _run_key(choice.core_run), select, choice.by_votes
    later = choice.then
    return CompositionKey(
        *own, None if later is None else LaterKey(_run_key(later.run), later.theta, later.t, later.by_votes)
    )


def _run_key(meta: Meta) -> RunKey:
    return RunKey(meta.name, fingerprint(meta))


def answer(settings: Settings) -> aces.Certificates:
    """CERTIFY at theta, for every image."""
    return _certify(settings, composition(settings), [settings.theta])


def _certify(settings: Settings, c: Composition, thetas: Array | Sequence[float]) -> aces.Certificates:
    return aces.certify(c, thetas, **settings.terms.named)


# What follows is shared by all sessions and never written to: ``cache_data`` would copy it at every look.


@st.cache_resource(max_entries=64, show_spinner=False)
def _run(source: RunKey) -> Run:
    return _catalog(*_places()).load(source.name)


@lru_cache(maxsize=MOST_HEADLINES)
def _best_with(certify: RunKey, core: RunKey) -> BestPoint | None:
    """Once for the content of two runs, whatever other core networks come and go."""
    load = _catalog(*_places()).load
    runs = cast(SmoothedRun, load(certify.name)), cast(CoreRun, load(core.name))
    try:
        return best_point(*runs)
    except AcesError:  # of draws too few to select by
        return None


@lru_cache(maxsize=256)  # a number an image
def _core(source: RunKey) -> CoreRun | None:
    try:
        return cast(CoreRun, _catalog(*_places()).load(source.name))
    except AcesError:
        return None


@lru_cache(maxsize=256)  # the counts are a hundred times as large
def _images(source: RunKey) -> Images:
    return _catalog(*_places()).images(source.name)


@lru_cache(maxsize=4096)
def _fits(certify: RunKey, other: RunKey) -> bool:
    try:
        compose.common_images(_images(certify), _images(other))
    except AcesError:
        return False
    return True


@st.cache_resource(max_entries=32, show_spinner=False)
def _composition(sources: CompositionKey) -> Composition:
    select = None if sources.select_run is None else cast(SelectionRun, _run(sources.select_run))
    first = compose.StageRuns(cast(SmoothedRun, _run(sources.certify_run)), select, sources.by_votes)
    then = []
    if sources.then is not None:
        run, theta, t, by_votes = sources.then
        then.append(compose.Then(compose.StageRuns(cast(SmoothedRun, _run(run)), by_votes=by_votes), theta, t))
    return compose.compose_chain(first, cast(CoreRun, _run(sources.core_run)), then)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _curve(sources: CompositionKey, terms: Terms, radii: tuple[float, ...], convention: Convention) -> metrics.Metrics:
    c = _composition(sources)
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
    front = views.front(_composition(sources), m, alone, measure, radius, address, network, noise)
    if not best_t:
        return front
    found = _envelope(sources, terms._replace(t=MAJORITY), None if of_acr else radius, convention)
    return views.with_best_t(front, found, terms.t)


@st.cache_resource(max_entries=256, show_spinner=False)
def _envelope(sources: CompositionKey, terms: Terms, radius: float | None, convention: Convention) -> envelope.Envelope:
    """Over all shares of votes: that of ``terms`` has no say."""
    c = _composition(sources)
    return envelope.envelope(c, terms.alpha, terms.correction, bound=terms.bound, radius=radius, convention=convention)


@st.cache_resource(max_entries=16, show_spinner=False)
def _tallies(measured: tuple[tuple[CompositionKey, deployment.Measure], ...]) -> list[deployment.Tally]:
    compositions = [(_composition(sources), how) for sources, how in measured]
    images = np.unique(np.concatenate([c.index for c, _ in compositions]))
    halves = deployment.halvings(images)
    return [deployment.tally(c, how, images, halves) for c, how in compositions]


@st.cache_resource(max_entries=64, show_spinner="Measuring the steps on held-out images")
def _steps(
    sources: CompositionKey, others: tuple[RunKey, ...], alpha: float, radius: float, floor: float
) -> tuple[dict[str, steps.Measured], list[str]]:
    return _measured_steps(sources, others, alpha, radius, floor)


@st.cache_resource(max_entries=64, show_spinner=False)  # also called beside the pages, where nothing can spin
def _measured_steps(
    sources: CompositionKey, others: tuple[RunKey, ...], alpha: float, radius: float, floor: float
) -> tuple[dict[str, steps.Measured], list[str]]:
    select = None if sources.select_run is None else cast(SelectionRun, _run(sources.select_run))
    run, core = cast(SmoothedRun, _run(sources.certify_run)), cast(CoreRun, _run(sources.core_run))
    what = steps.ways(run, core, select, [cast(SmoothedRun, _run(other)) for other in others])
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
    return views.certifiable(_composition(sources), _restricted(sources), alpha, bound, radius)


@st.cache_resource(max_entries=256, show_spinner=False)
def _separation(sources: CompositionKey, alpha: float, bound: Bound, radius: float, t: float) -> separation.Separation:
    return separation.separation(_composition(sources), _certifiable(sources, alpha, bound, radius), t)


@st.cache_resource(max_entries=64, show_spinner=False)
def _by_class(sources: CompositionKey, theta: float, radii: tuple[float, ...], terms: Terms) -> classes.ByClass:
    return classes.by_class(_composition(sources), theta, radii, **terms.named)


@st.cache_resource(max_entries=64, show_spinner=False)
def _shares(sources: CompositionKey, alpha: float, bound: Bound) -> Array:
    return classes.class_shares(_composition(sources), alpha, bound)


@st.cache_resource(max_entries=1024, show_spinner=False)
def _summary(
    sources: CompositionKey,
    theta: float,
    radius: float,
    terms: Terms,
    convention: Convention,
) -> views.Summary:
    return views.summary(_composition(sources), theta, radius, terms, convention)


def _restricted(sources: CompositionKey) -> SmoothedRun:
    return views.restrict(cast(SmoothedRun, _run(sources.certify_run)), _composition(sources).index)


@st.cache_resource(max_entries=32, show_spinner="Taking the pictures from the dataset's files")
def take_pictures(source: RunKey) -> str:
    """Have a process of its own write a run's pictures, as what reads datasets loads torch; why it could not, or "".

    Raises ``AcesError`` while another does so.
    """
    command = processes.command("engine", "pictures", "--", source.name)
    with work.PLACES.held(work.Kind.PICTURES, "", Limits.from_environment()):
        # A list of words, no shell; the run's name follows "--".
        done = subprocess.run(  # nosec B603
            command, env=processes.environment(), capture_output=True, text=True, check=False
        )
    return processes.why(done.returncode, done.stderr) if done.returncode else ""


@st.cache_resource(max_entries=8, show_spinner=False)
def _pictures(path: Path, mtime_ns: int) -> Pictures:
    return read_pictures(path)
