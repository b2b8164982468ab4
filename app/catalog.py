"""What there is in the store and the demo, what the reader does to it, and its runs as the pages load them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from app.settings import Settings
from cache import Catalog, Deleted, KeptView, KeptViews, Listing, Notes, Store, Trash
from engine import folders
from engine.errors import AcesError
from engine.records import compose
from engine.records.meta import Meta
from engine.records.runs import Images, Run, to_bytes

FRESH_SECONDS = 2  # how long a look at the catalog serves: a burst of keys looks once


class RunKey(NamedTuple):
    """A run as a cache key: its content changes with its fingerprint."""

    name: str
    fingerprint: str


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
    there = _catalog(store, demo)
    found = there.listing()
    return _digest_of({meta.name: there.fingerprint(meta.name) for meta in found.metas} | found.broken, found)


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
    return to_bytes(read(name))


def store() -> Path:
    """Where runs that are sampled here are kept."""
    return Store().directory


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


def fits(certify: Meta, core: Meta, select: Meta | None = None) -> bool:
    """Whether the others were evaluated on the certification run's images.

    So it seems while one of them cannot be read: pages say that where it is used.
    """
    try:
        return all(_fits(run_key(certify), run_key(other)) for other in (core, select) if other is not None)
    except AcesError:
        return True


def run_key(meta: Meta) -> RunKey:
    """The key of a run as it is now. Raises ``AcesError`` where it cannot be read."""
    return RunKey(meta.name, fingerprint(meta))


@st.cache_resource(max_entries=64, show_spinner=False)  # shared by all sessions: nobody writes to it
def load(source: RunKey) -> Run:
    """A run, kept for whoever asks next."""
    return read(source.name)


def read(name: str) -> Run:
    """A run, read anew."""
    return _catalog(*_places()).load(name)


@lru_cache(maxsize=256)  # the counts are a hundred times as large
def images(source: RunKey) -> Images:
    """Which images a run is of."""
    return _catalog(*_places()).images(source.name)


@lru_cache(maxsize=4096)
def _fits(certify: RunKey, other: RunKey) -> bool:
    try:
        compose.common_images(images(certify), images(other))
    except AcesError:
        return False
    return True


def _places() -> tuple[str, Path]:
    """Where runs lie: the store's directory, and the demo."""
    return str(folders.store()), folders.demo()


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
