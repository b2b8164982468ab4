"""Views that are kept under a name, in a menu beside the links: to keep this one, and to open and remove others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from urllib.parse import urlsplit

import streamlit as st

from app import catalog, state
from app.escape import message
from app.keys import FIRST_PAGE
from app.services.limits import read_only
from cache import KeptView
from cache.notes import LONGEST_LABEL
from engine.errors import AcesError
from engine.escape import terminal

NAME, PROBLEM = "view_name", "view_problem"


def menu(link: Callable[[], str]) -> None:
    """``link`` gives the whole address of the view that is shown. What is in the menu is drawn once it is open."""
    popover = st.popover(
        "Views", type="tertiary", key="views", on_change="rerun",
        help="Keep this view under a name, and open views that were kept.",
    )  # fmt: skip
    if not popover.open:
        return
    with popover:
        if not read_only():
            _keep(link)
        _problem()
        try:
            _list(catalog.kept_views())
        except AcesError as error:
            st.error(message(str(error)), icon=":material/error:")


def _keep(link: Callable[[], str]) -> None:
    with st.form("keep_view", border=False):
        st.text_input(
            "Name of this view", max_chars=LONGEST_LABEL, key=NAME,
            help="It is kept in the store: all who use this explorer see it.",
        )  # fmt: skip
        st.form_submit_button(
            "Keep view", icon=":material/bookmark_add:", on_click=_keep_this, args=(link,),
            help="Keeps what Copy link copies: every control's value and the digests of the runs.",
        )  # fmt: skip


def _list(views: Mapping[str, KeptView]) -> None:
    """A line a view: its name opens it."""
    pages = state.pages()
    found = {name: view for name, view in views.items() if view.page in pages}
    if not found:
        st.caption("No views are kept.")
    for name, view in found.items():
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"kept-{name}"):
            # not Streamlit's own link, which would carry this view's controls over
            st.html(
                f'<a class="kept" href="{escape(view.address)}">{escape(terminal(name))}</a> '
                f"<small>{escape(pages[view.page].title)}</small>"
            )
            if not read_only():
                st.button(
                    "Remove", key=f"remove_view-{name}", icon=":material/close:", type="tertiary",
                    on_click=_remove, args=(name,), help="Forgets this view; runs are not touched.",
                )  # fmt: skip


@state.whole
def _keep_this(link: Callable[[], str]) -> None:
    page = st.session_state.get(state.PAGE) or FIRST_PAGE
    try:
        catalog.keep_view(st.session_state[NAME], KeptView(page, urlsplit(link()).query))
        st.session_state[NAME] = ""
    except AcesError as error:
        st.session_state[PROBLEM] = str(error)


@state.whole
def _remove(name: str) -> None:
    try:
        catalog.remove_view(name)
    except AcesError as error:
        st.session_state[PROBLEM] = str(error)


def _problem() -> None:
    """What went wrong with the last click."""
    said = st.session_state.pop(PROBLEM, None)
    if said is not None:
        st.error(message(said), icon=":material/error:")
