"""Compositions as cache keys, and the runs behind a key joined."""

from __future__ import annotations

from typing import NamedTuple, cast

import streamlit as st

from app import catalog
from app.catalog import RunKey
from app.settings import Choice
from engine.records import compose
from engine.records.compose import Composition
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun


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


def composition_key(choice: Choice) -> CompositionKey:
    """The key of a composition as its runs are now. Raises ``AcesError`` where one cannot be read."""
    select = None if choice.select_run is None else catalog.run_key(choice.select_run)
    own = catalog.run_key(choice.certify_run), catalog.run_key(choice.core_run), select, choice.by_votes
    later = choice.then
    return CompositionKey(
        *own, None if later is None else LaterKey(catalog.run_key(later.run), later.theta, later.t, later.by_votes)
    )


@st.cache_resource(max_entries=32, show_spinner=False)  # shared by all sessions: nobody writes to it
def joined(sources: CompositionKey) -> Composition:
    """The runs behind a key, joined."""
    select = None if sources.select_run is None else cast(SelectionRun, catalog.load(sources.select_run))
    first = compose.StageRuns(cast(SmoothedRun, catalog.load(sources.certify_run)), select, sources.by_votes)
    then = []
    if sources.then is not None:
        run, theta, t, by_votes = sources.then
        then.append(compose.Then(compose.StageRuns(cast(SmoothedRun, catalog.load(run)), by_votes=by_votes), theta, t))
    return compose.compose_chain(first, cast(CoreRun, catalog.load(sources.core_run)), then)
