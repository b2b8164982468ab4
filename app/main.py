"""Entry of the dashboard: `streamlit run app/main.py`. The shared sidebar, and the list of pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import data, notices, state, tradeoff

HERE = Path(__file__).parent

st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "style.css")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")


def trade_off() -> None:
    """Where a composition stands, over many images."""
    if settings is None:
        notices.nothing_cached()
    else:
        tradeoff.show(settings)


def certify_image() -> None:
    """One image, now."""
    from app import certify  # loads what the other pages do without

    if settings is None:
        notices.nothing_cached()
    else:
        certify.show(settings)


page = st.navigation(
    [
        st.Page(trade_off, title="Trade-off", url_path="trade-off", default=True),
        st.Page(certify_image, title="Certify my image", url_path="certify"),
    ],
    position="top",
)
catalogue = data.catalogue()
for message in catalogue.broken.values():
    notices.show_error(message)
state.keep_in_url(page.url_path)
settings = state.controls(catalogue.metas, of_many=page.url_path != "certify")
page.run()
