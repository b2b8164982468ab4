"""A figure that is redrawn in place: chart.js."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import streamlit as st

from app.components import files

if TYPE_CHECKING:
    from engine.figures import Sketch

_mount = st.components.v2.component(
    "aces_figure",
    js=Path(__file__)
    .with_suffix(".js")
    .read_text(encoding="utf-8")
    .replace("{usual}", files.PATH)
    .replace("{whole}", files.PATH_OF_WHOLE),
    isolate_styles=False,
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
