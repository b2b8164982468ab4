"""What an address asks for, or the last view showed, beside what is shown now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app import catalog, links, state
from app.keys import (
    CONTROLS,
)
from app.settings import (
    BY_VOTES,
    Settings,
    experiments,
)
from app.studies import Study
from cache import Listing
from engine.records.meta import Meta

KNOWN, LOST = "known", "lost"  # the runs of the last view, and what it had that this one has not


def compare(
    settings: Settings, metas: Sequence[Meta], asked: Mapping[str, Sequence[str]], linked: Mapping[str, str]
) -> None:
    """Note what a link, or the view before this one, rested on and this one does not, until the reader moves on."""
    session, digests = st.session_state, catalog.fingerprints(settings)
    known = linked if asked else session.get(KNOWN, {})
    now = links.lost(known, digests, [meta.name for meta in metas], settings, by_link=bool(asked))
    shown = links.components(settings)
    unread = [(key, text) for key in shown for text in asked.get(key, ()) if not _reads_as(text, shown[key])]
    if not settings.choice.by_votes:  # a page of one stage knows no such selection, and says so
        unread = [one for one in unread if one != ("select", BY_VOTES)]
    missing = [one for one in unread if not (one[0] == "sigma" and _is_longer(one[1], shown["sigma"]))]
    now = replace(now, missing=(*missing, *now.missing))
    before = session.get(LOST)
    if now:
        session[LOST] = now
    elif before is not None and before.choice != links.address(settings):
        del session[LOST]
    session[KNOWN] = {name: digest[: links.DIGITS] for name, digest in digests.items()}


def lost(settings: Settings, metas: Sequence[Meta]) -> links.Lost | None:
    """What was asked for, or shown before, and is not what is shown; None if nothing is."""
    found: links.Lost | None = st.session_state.get(LOST)
    if found is None:
        return None
    there = {("run", meta.name) for meta in metas} | {(meta.kind, meta.name) for meta in metas}
    there |= {("collection", name) for name in catalog.listing().collections.values()}
    for e in experiments(metas):
        there |= {("dataset", e.dataset), ("training", e.training)}
        there |= {("sigma", label) for label in e.labels if e.training == settings.choice.training}
    return found.still(there, catalog.fingerprints(settings))


def not_understood(asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The controls that the address gave a value they do not know, so that they show their default."""
    shown = {key: st.session_state[key] for key in CONTROLS if key in asked and key in st.session_state}
    if links.RUNS in asked and _is_longer(asked.get("sigma", [""])[-1], str(shown.get("sigma"))):
        del shown["sigma"]  # chosen by the name of its run
    return [key for key, value in shown.items() if not all(_reads_as(text, value) for text in asked[key])]


def _is_longer(text: str, label: str) -> bool:
    """Whether a label of a σ is this text with what tells its run from others."""
    return label.startswith(f"{text} (")


def _reads_as(text: str, value: object) -> bool:
    if isinstance(value, list):
        return text in map(str, value)
    if isinstance(value, float):
        return state.as_number(text) == value
    return text == str(value)


def renewed(asked: Mapping[str, Sequence[str]], listing: Listing) -> Mapping[str, Sequence[str]]:
    """An address from before its runs were told apart by collections, as it reads today; the page begins anew with it.

    Its σ may name its run in brackets, and it names no collection: that is the one which has most of what it asks for.
    """
    every = Study.every(listing) if asked else []
    found = _today(asked, every)
    if found:
        for key, text in found.items():
            st.query_params[key] = text
        st.rerun()
    return asked


def _today(asked: Mapping[str, Sequence[str]], every: Sequence[Study]) -> dict[str, str]:
    """What is to be written into an old address."""
    for study in every:
        for label, run in ((label, run) for e in study.usable for label, run in e.labels.items()):
            old = f"{run.noise:g} ({run.name})"
            if label != old and asked.get("sigma", [""])[-1] == old:
                return {"sigma": label, **({"collection": study.name} if study.name else {})}
    if len(every) < 2 or "collection" in asked:
        return {}
    wanted = {name for key in ("core", "select") for name in asked.get(key, ())}
    wanted |= set(links.read_runs(asked.get(links.RUNS, ())))
    of = {key: asked[key][-1] for key in ("dataset", "training") if asked.get(key)}
    best = max(every, key=lambda study: study.has(wanted, **of))  # the first of those that have as much
    return {} if best is every[0] else {"collection": best.name}
