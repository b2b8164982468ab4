"""Entry of the dashboard: `streamlit run app/main.py`. The shared sidebar, and the list of pages."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import streamlit as st

from app import data, notices, state

HERE = Path(__file__).parent
PAGES = {
    "trade-off": ("tradeoff", "Trade-off"),
    "certified-accuracy": ("accuracy", "Certified accuracy"),
    "selection": ("selection", "Selection"),
    "images": ("images", "Images"),
    "compare": ("compare", "Compare"),
    "runs": ("runs", "Runs"),
    "certify": ("certify", "Certify my image"),
}
WITHOUT_RUNS = ("runs",)  # what is of use on an empty shelf

st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "style.css")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")


def shown(module: str) -> Callable[[], None]:
    """A page, imported when it is first opened: what one page needs, the others do without."""

    def page() -> None:
        if settings is None and module not in WITHOUT_RUNS:
            notices.nothing_cached()
        else:
            import_module(f"app.{module}").show(settings)

    return page


pages = {
    path: st.Page(shown(module), title=title, url_path=path, default=path == "trade-off")
    for path, (module, title) in PAGES.items()
}
state.remember(pages)
page = st.navigation(list(pages.values()), position="top")
catalogue = data.catalogue()
for message in catalogue.broken.values():
    notices.show_error(message)
asked = state.address()
state.keep_in_url(page.url_path)
st.html(f"<h1 class=page-title>{page.title}</h1>")
settings = state.controls(catalogue.metas, of_many=page.url_path != "certify")
notices.not_understood(state.not_understood(asked), settings)
page.run()
