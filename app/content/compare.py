"""The Compare page: what is pinned (A) against the current view (B), image by image."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from app import actions, data, keys
from app.escape import markdown
from app.settings import Pin, Settings, labels
from app.widgets import downloads
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import chosen_after_looking, number, picked
from engine.statistics.comparison import OUTCOMES, Comparison
from engine.statistics.intervals import Estimate
from engine.tables import Rows


def show(settings: Settings) -> None:
    """Differences with paired intervals, and which images changed their outcome."""
    if settings.pin is None:
        st.header("Nothing is pinned yet", anchor=False)
        st.write("Pin the current composition and θ as A, then move on: this page says what changed, image by image.")
        st.button(
            "Pin this view as A",
            on_click=actions.pin_here,
            args=(settings,),
            key="pin_first",
            type="primary",
            help="What is shown next is B; tiles then show the difference, B − A.",
        )
        return
    with errors_in_place():
        _show(settings, settings.pin)
    caveats(settings)


def _show(settings: Settings, pin: Pin) -> None:
    rests_on(settings, data.composition(settings))
    a, b = _names(settings, pin)
    st.markdown(f"**A** {markdown(a)}  \n**B** {markdown(b)}")
    found = data.compare(settings, pin)
    with st.grid(3, min_column_width=200):
        _difference("NAC, B − A", found.nac, " points", 1, found.images)
        _difference("ACR, B − A", found.acr, "", 3, found.images)
        _difference(f"Certified at r {settings.radius:.9g}, B − A", found.certified, " points", 1, found.images)
    chosen_after_looking(settings)
    st.header("Outcomes, image by image", anchor=False)
    _matrix(found)
    downloads.menu("compare", settings, {}, partial(_rows, found, a, b))


def _names(settings: Settings, pin: Pin) -> tuple[str, str]:
    a, b = labels((pin.choice, settings.choice))
    return f"{a}, {pin.choice.symbol} {pin.theta:.3f}", f"{b}, {settings.symbol} {settings.theta:.3f}"


def _difference(label: str, e: Estimate, unit: str, digits: int, images: int) -> None:
    form = f"+.{digits}f"
    certain = e.low > 0 or e.high < 0
    st.metric(
        label,
        f"{number(e.value, form)}{unit}",
        delta=f"{number(e.low, form)} to {number(e.high, form)}",
        delta_color="off",
        delta_arrow="off",
        delta_description="beyond chance" if certain else "may be chance",
        border=True,
        help=f"With the 95 % interval of the paired difference over the {images:,} images that both saw.",
    )


def _matrix(found: Comparison) -> None:
    names = [outcome.label for outcome in OUTCOMES]
    table = pd.DataFrame(found.counts, columns=[f"B {name}" for name in names])
    table.insert(0, "A", names)
    st.dataframe(
        table,
        hide_index=True,
        key=keys.MATRIX,
        on_select=partial(_pick_cell, found),
        selection_mode="single-cell",
        alt="Images by outcome under A, in rows, and under B, in columns",
    )
    changed = found.images - int(found.counts.trace())
    st.caption(f"{changed:,} of {found.images:,} images changed their outcome.")
    picked("A click on a cell picks its images.")


def _pick_cell(found: Comparison) -> None:
    cell = actions.clicked_cell()
    if cell is not None and cell[1].startswith("B "):
        column = [outcome.label for outcome in OUTCOMES].index(cell[1].removeprefix("B "))
        actions.pick(found.cells[cell[0]][column].tolist())


def _rows(found: Comparison, a: str, b: str) -> Rows:
    differences = {"nac": found.nac, "acr": found.acr, "certified": found.certified}
    return [
        {"a": a, "b": b, "images": found.images, "measure": name, "difference": e.value, "low": e.low, "high": e.high}
        for name, e in differences.items()
    ]
