"""What every session sees: the shared sidebar, and the page that is open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import streamlit as st

from app import catalog, keys, requested, sidebar, state
from app.components import files
from app.pages import PAGES, PageCard
from app.settings import Settings
from app.widgets import changes, guide, notices

HERE = Path(__file__).parent


def draw() -> None:
    """One run of the script."""
    files.declare()
    st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
    st.html(HERE / "style.css")
    st.html(HERE / "guide.css")
    st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")
    settings: Settings | None = None
    page, card = _opened(lambda: settings)
    st.set_page_config(page_title=f"{card.title} · ACES Explorer")  # tabs tell the pages apart
    listing = catalog.listing()
    for message in listing.broken.values():
        notices.show_error(message)
    asked = requested.renewed(state.address(), listing)
    state.keep_in_url(page.url_path)
    st.html(f"<h1 class=page-title>{card.title}</h1>")
    guide.menu(asked)
    settings = sidebar.controls(listing, asked, of_many=card.shows_many, one_stage=card.one_stage)
    notices.not_understood(requested.not_understood(asked), settings)
    if settings is not None:
        notices.lost(requested.lost(settings, listing.shown), settings)
    with st.container():  # also where it stays empty: what comes after keeps its place, and its figures
        if card is PAGES[keys.FIRST_PAGE]:
            guide.show(settings, listing.shown)
    page.run()
    changes.show()


def _opened(settings: Callable[[], Settings | None]) -> tuple[st.Page, PageCard]:
    """The page of this address, which is drawn with the ``settings`` of then."""
    drawn = {path: _drawn(card, settings) for path, card in PAGES.items()}
    pages = {
        path: st.Page(drawn[path], title=card.title, url_path=path, visibility=_seen(card.listed))
        for path, card in PAGES.items()
    }
    first = PAGES[keys.FIRST_PAGE]
    # A default page answers at / alone: its path leads nowhere, so the page stands there once more. The navigation
    # marks only what it shows, which is the one of the two whose address is open.
    of_path = urlsplit(st.context.url or "").path.rstrip("/").endswith(f"/{first.path}")
    show, title = drawn[first.path], first.title
    named = st.Page(show, title=title, url_path=first.path, visibility=_seen(of_path))
    pages[first.path] = st.Page(show, title=title, url_path="first", default=True, visibility=_seen(not of_path))
    state.remember(pages)
    page = st.navigation([named, *pages.values()], position="top")
    return page, PAGES.get(page.url_path, first)


def _seen(listed: bool) -> Literal["visible", "hidden"]:
    return "visible" if listed else "hidden"


def _drawn(card: PageCard, settings: Callable[[], Settings | None]) -> Callable[[], None]:
    """A page, imported when it is first opened: what one page needs, the others do without."""

    def draw_page() -> None:
        now = settings()
        if now is None and card.needs_runs:
            notices.nothing_cached()
        else:
            import_module(card.module).show(now)

    return draw_page
