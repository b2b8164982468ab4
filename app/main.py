"""Entry of the dashboard: `streamlit run app/main.py`. The shared sidebar, and the page that is open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from app import data, keys, sidebar, state
from app.pages import PAGES, PageCard
from app.widgets import notices

HERE = Path(__file__).parent

st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "style.css")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")


def shown(card: PageCard) -> Callable[[], None]:
    """A page, imported when it is first opened: what one page needs, the others do without."""

    def page() -> None:
        if settings is None and card.needs_runs:
            notices.nothing_cached()
        else:
            import_module(card.module).show(settings)

    return page


pages = {path: st.Page(shown(card), title=card.title, url_path=path) for path, card in PAGES.items()}
first = PAGES[keys.FIRST_PAGE]
# A default page answers at / alone: its path leads nowhere, so the page stands there once more. The navigation marks
# only what it shows, which is the one of the two whose address is open.
of_path = urlsplit(st.context.url or "").path.rstrip("/").endswith(f"/{first.path}")
named = st.Page(shown(first), title=first.title, url_path=first.path, visibility="visible" if of_path else "hidden")
pages[first.path] = st.Page(
    shown(first), title=first.title, url_path="first", default=True, visibility="hidden" if of_path else "visible"
)
state.remember(pages)
page = st.navigation([named, *pages.values()], position="top")
card = PAGES.get(page.url_path, first)
st.set_page_config(page_title=f"{card.title} · ACES Explorer")  # tabs tell the pages apart
listing = data.listing()
for message in listing.broken.values():
    notices.show_error(message)
asked = state.address()
state.keep_in_url(page.url_path)
st.html(f"<h1 class=page-title>{card.title}</h1>")
settings = sidebar.controls(listing.metas, asked, of_many=card.shows_many, one_stage=card.one_stage)
notices.not_understood(sidebar.not_understood(asked), settings)
if settings is not None:
    notices.lost(sidebar.lost(settings, listing.metas), settings)
page.run()
