"""A run's card on the Runs page: what it is called, what can be done with it, what it says of itself; and the trash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import streamlit as st

from app import actions, catalog, state
from app.escape import markdown
from app.keys import FIRST_PAGE
from app.services.limits import read_only
from app.services.question import slug
from app.settings import cores, experiments, studies
from app.widgets.notices import errors_in_place
from cache import Listing
from cache.notes import LONGEST_LABEL
from engine.records.meta import Meta

UNDO = "undo"
OPENS = (
    "Trade-off, with this run chosen. A hidden run has to be shown first, and a certification run needs a core network."
)


@dataclass(frozen=True)
class Undo:
    """What was done last, in a sentence, and how it is undone."""

    said: str
    do: Callable[[], None]


def show(run: Meta, listing: Listing) -> None:
    """The card of one run."""
    called, note = listing.called[run.name], listing.note(run.name)
    with st.container(border=True, key="run_card"):
        st.markdown(f"#### {markdown(called)}" + (" :gray-badge[hidden]" if note.hidden else ""))
        with errors_in_place():
            name = "" if called == run.name else f"{markdown(run.name)} · "
            st.caption(f"{name}{run.kind} run · content sha256 `{catalog.fingerprint(run)}`")
        _buttons(run, listing)
        if not read_only():
            _names(run, listing)
        with st.expander("All that the run file says of itself"):
            st.json(run.to_json(), expanded=2)


def _buttons(run: Meta, listing: Listing) -> None:
    hidden = listing.note(run.name).hidden
    with st.container(horizontal=True, gap="small"):
        found = None if hidden else address(run, listing.shown, listing.collections)
        if st.button(
            "Open in the explorer", key="open_run", icon=":material/monitoring:", type="primary",
            disabled=found is None, help=OPENS,
        ):  # fmt: skip
            assert found is not None, "the button is disabled"
            actions.look_at(**found)
            st.switch_page(state.page(FIRST_PAGE))
        st.download_button(
            "Download", partial(catalog.run_file, run.name), f"{slug(run.name)}.npz", "application/octet-stream",
            key="download_run", icon=":material/download:", on_click="ignore",
            help="The run file, the same bytes as `python -m engine export` writes.",
        )  # fmt: skip
        if read_only():
            return
        st.button(
            "Show" if hidden else "Hide", key="hide_run", on_click=_hide, args=(run.name, not hidden),
            icon=":material/visibility:" if hidden else ":material/visibility_off:",
            help="A hidden run stays in the store, and the explorer passes over it.",
        )  # fmt: skip
        stored = catalog.is_stored(run.name)
        st.button(
            "Delete", key="delete_run", icon=":material/delete:", on_click=_delete, args=(run.name,),
            disabled=not stored,
            help="Into the store's trash, from which it can be brought back." if stored
            else "This run ships with the program: it can be hidden, not deleted.",
        )  # fmt: skip


def address(run: Meta, shown: Sequence[Meta], collections: Mapping[str, str]) -> dict[str, object] | None:
    """The sidebar's controls that choose a run; None where none do."""
    every = studies(shown, collections)
    of = collections[run.name]
    name = of if of in every and run in every[of] else next((k for k, metas in every.items() if run in metas), None)
    if name is None:
        return None
    found: dict[str, object] = {"collection": name} if len(every) > 1 else {}
    found["dataset"] = run.dataset
    if run.kind != "smoothed":
        return found | {"core" if run.kind == "core" else "select": run.name}
    core = next((core.name for core in cores(every[name], run.dataset).values() if catalog.fits(run, core)), None)
    for e in experiments([meta for meta in every[name] if meta.dataset == run.dataset]):
        for label, other in e.labels.items():
            if other.name == run.name and core is not None:
                return found | {"training": e.training, "sigma": label, "core": core}
    return None


def _names(run: Meta, listing: Listing) -> None:
    note = listing.note(run.name)
    left, right = st.columns(2)
    for column, what, about in (
        (left, "label", "What legends, sidebar and tables call this run; empty: its name."),
        (right, "collection", "The study it belongs to: the explorer looks at one at a time."),
    ):
        key = f"{what}-{run.name}-{getattr(note, what)}"
        column.text_input(
            what.capitalize(), getattr(note, what), LONGEST_LABEL, key=key, on_change=_name, args=(run.name, what, key),
            help=about, placeholder=run.name if what == "label" else None,
        )  # fmt: skip


def _name(name: str, what: str, key: str) -> None:
    with errors_in_place():
        catalog.note([name], **{what: st.session_state[key]})


def _hide(name: str, hidden: bool) -> None:
    with errors_in_place():
        catalog.note([name], hidden=hidden)
        said = f"{markdown(name)} is {'hidden' if hidden else 'shown again'}."
        st.session_state[UNDO] = Undo(said, partial(catalog.note, [name], hidden=not hidden))


def _delete(name: str) -> None:
    with errors_in_place():
        id = catalog.delete(name)
        said = f"{markdown(name)} was moved into the trash."
        st.session_state[UNDO] = Undo(said, partial(catalog.restore, id))


def undo() -> None:
    """What was done last, and a button that undoes it."""
    last: Undo | None = st.session_state.get(UNDO)
    if last is not None and not read_only():
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="undo_bar"):
            st.markdown(f":material/check: {last.said}", width="content")
            st.button("Undo", key="undo_run", on_click=_undo, type="tertiary", icon=":material/undo:")


def _undo() -> None:
    last: Undo | None = st.session_state.pop(UNDO, None)
    if last is not None:  # else a second click came before the first was answered
        with errors_in_place():
            last.do()


def trash() -> None:
    """What was deleted, in whichever session, and can be brought back."""
    with errors_in_place():
        found = catalog.deleted()
        if not found or read_only():
            return
        with st.expander(f"Deleted runs ({len(found)})", icon=":material/delete:"):
            for one in found:
                said, action = st.columns([5, 1], vertical_alignment="center")
                said.markdown(f"{markdown(one.name)}, {datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M} UTC")
                action.button("Restore", key=f"restore-{one.id}", on_click=_restore, args=(one.id,), width="stretch")
            st.caption("`python -m engine runs --empty-trash` removes them for good and frees their space.")


def _restore(id: str) -> None:
    with errors_in_place():
        catalog.restore(id)
        st.session_state.pop(UNDO, None)  # which may have been of this run
