"""Entry of the dashboard: `streamlit run app/main.py`. The shared sidebar, and the page that is open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Literal

import streamlit as st

from app import data, keys, sidebar, state
from app.pages import PAGES, PageCard
from app.widgets import guide, notices

HERE = Path(__file__).parent

st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "style.css")
st.html(HERE / "guide.css")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")


def shown(card: PageCard) -> Callable[[], None]:
    """A page, imported when it is first opened: what one page needs, the others do without."""

    def page() -> None:
        if settings is None and card.needs_runs:
            notices.nothing_cached()
        else:
            import_module(card.module).show(settings)

    return page


def listed(card: PageCard) -> Literal["visible", "hidden"]:
    return "visible" if card.listed else "hidden"


pages = {
    path: st.Page(shown(card), title=card.title, url_path=path, visibility=listed(card)) for path, card in PAGES.items()
}
first = PAGES[keys.FIRST_PAGE]
# A default page answers at / alone: its path leads nowhere, so the page stands there once more.
named = st.Page(shown(first), title=first.title, url_path=first.path, visibility="hidden")
pages[first.path] = st.Page(shown(first), title=first.title, url_path="first", default=True)
state.remember(pages)
page = st.navigation([*pages.values(), named], position="top")
card = PAGES.get(page.url_path, first)
st.set_page_config(page_title=f"{card.title} · ACES Explorer")  # tabs tell the pages apart
listing = data.listing()
for message in listing.broken.values():
    notices.show_error(message)
asked = state.address()
state.keep_in_url(page.url_path)
st.html(f"<h1 class=page-title>{card.title}</h1>")
guide.menu(asked)
settings = sidebar.controls(listing.metas, asked, of_many=card.shows_many, one_stage=card.one_stage)
notices.not_understood(sidebar.not_understood(asked), settings)
if settings is not None:
    notices.lost(sidebar.lost(settings, listing.metas), settings)
with st.container():  # also where it stays empty: what comes after keeps its place, and its figures
    if card is first:
        guide.show(settings, listing.metas)
page.run()
