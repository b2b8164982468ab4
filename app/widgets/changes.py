"""A word where the runs have changed since a page was last drawn."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app import catalog, state
from app.components import fresh
from app.escape import markdown

SHOWN = 3  # names of a kind


def show() -> None:
    """Say what has changed, and watch for more; after everything else on a page."""
    now = catalog.contents()
    said = sentence(state.session().runs, now)
    state.session().runs = now
    if said:
        st.toast(said, icon=":material/sync:")
    fresh.watch(catalog.digest(), catalog.look_again)


def sentence(before: Mapping[str, str] | None, now: Mapping[str, str]) -> str:
    """What has come, changed and gone since ``before``, digests by name; empty where nothing has."""
    if before is None:
        return ""
    kinds = {
        "Added": [name for name in now if name not in before],
        "Replaced": [name for name in now if name in before and now[name] != before[name]],
        "Removed": [name for name in before if name not in now],
    }
    return " ".join(f"{kind}: {_some(names)}." for kind, names in kinds.items() if names)


def _some(names: list[str]) -> str:
    shown = ", ".join(markdown(name[:80]) for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
