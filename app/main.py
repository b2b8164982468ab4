"""Entry of the dashboard: `streamlit run app/main.py`. The shared sidebar, and the list of pages."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import streamlit as st

from app import data, notices, state, tradeoff

HERE = Path(__file__).parent

st.set_page_config(page_title="ACES Explorer", page_icon=HERE / "icon.svg", layout="wide")
st.html(HERE / "style.css")
st.logo(HERE / "logo.svg", icon_image=HERE / "icon.svg", size="large")

catalogue = data.catalogue()
for message in catalogue.broken.values():
    notices.show_error(message)

settings = state.controls(catalogue.metas)
show = notices.nothing_cached if settings is None else partial(tradeoff.show, settings)
st.navigation([st.Page(show, title="Trade-off", url_path="trade-off", default=True)], position="top").run()
