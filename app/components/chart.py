"""A figure that is redrawn in place: chart.js, to which plotly's own library is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import plotly
import streamlit as st
from streamlit.components.v1 import declare_component

if TYPE_CHECKING:
    from app.figures import Sketch

# Declared so that its folder is served, and never mounted: plotly.js without a copy of it and without a network.
declare_component("plotly", path=Path(plotly.__file__).parent / "package_data")
_mount = st.components.v2.component(
    "aces_figure", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"), isolate_styles=False
)


def chart(
    figure: Sketch,
    key: str,
    alt: str,
    on_pick: Callable[[], None] | None = None,
    picks: Literal["click", "lasso"] | None = None,
    at: Mapping[str, float] | None = None,
) -> None:
    """A figure; its toolbar saves it as SVG.

    ``alt``: what a screen reader says. ``on_pick``: callback, for which ``marks`` under the key in the session's state
    has the ``customdata`` of the mark that was clicked on; with ``picks`` "lasso" also of those in a lasso or box, and
    none after a double click. ``at``: the values of the dials that it shows, by their keys, where its ``live`` parts
    follow these.
    """
    said = json.dumps({"key": key, "alt": alt, "picks": picks, "live": figure.live, "at": at})
    _mount(
        key=key,
        data=f'{{"figure": {figure.to_json()}, {said[1:]}'.encode(),
        height=figure.layout["height"],
        on_marks_change=on_pick,
    )
