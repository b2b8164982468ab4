"""The Compare page: what is pinned (A) against the current view (B), image by image."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from app import actions, data, keys
from app.escape import markdown
from app.settings import Pin, Settings
from app.widgets import downloads
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import chosen_after_looking, number, picked
from engine.errors import AcesError
from engine.statistics.comparison import JUDGED, Comparison, Means
from engine.statistics.intervals import Estimate
from engine.tables import Rows


def show(settings: Settings) -> None:
    """Differences with paired intervals, of all compositions drawn, and which images changed their outcome."""
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
    rows, problems = _against(settings, pin)
    if len(rows) > 1:
        st.header("Every composition drawn, against A", anchor=False)
        _values(rows, found.a, a, settings.radius)
    for problem in problems:
        st.caption(markdown(problem))
    st.header("Outcomes, image by image", anchor=False)
    _matrix(found)
    downloads.menu("compare", settings, {}, partial(_rows, rows, a))


def _against(settings: Settings, pin: Pin) -> tuple[dict[str, Comparison], list[str]]:
    """Every composition drawn less what is pinned, by name; and why others are not to be had."""
    found, problems = {}, []
    choices = settings.compositions
    for label, choice in zip(settings.labels(choices), choices, strict=True):
        view = settings.at(choice)
        name = f"{label}, {view.symbol} {view.theta:.3f}"
        try:
            found[name] = data.compare(view, pin)
        except AcesError as error:
            problems.append(f"{name} is not in the table: {error}")
    return found, problems


def _values(rows: dict[str, Comparison], a: Means, named: str, radius: float) -> None:
    """A, then every composition with its values, differences and their intervals, on the images both saw."""
    measures = {"NAC %": ("nac", 1), "ACR": ("acr", 3), f"certified r {radius:.9g} %": ("certified", 1)}
    table: Rows = [{"composition": f"A: {named}", **_cells(a, None, measures)}]
    table += [{"composition": name, **_cells(found.b, found, measures)} for name, found in rows.items()]
    forms: dict[str, str] = {}
    for column, (_, digits) in measures.items():
        forms |= {column: f"%.{digits}f", f"Δ {column}": f"%+.{digits}f"}
    st.dataframe(
        pd.DataFrame(table),
        hide_index=True,
        placeholder="",
        column_config={name: st.column_config.NumberColumn(format=form) for name, form in forms.items()},
        alt="Natural accuracy, ACR and certified accuracy of every composition, with differences to A",
    )
    differ = len({found.images for found in rows.values()}) > 1
    st.caption(
        "Differences are paired by image, each with its own 95 % interval; of several that are looked at, some lie "
        "beyond theirs by chance." + (" They rest on different images; A's row is on those of B." if differ else "")
    )


def _cells(of: Means, found: Comparison | None, measures: dict[str, tuple[str, int]]) -> dict[str, object]:
    """Values, and for a comparison the differences beside them."""
    cells: dict[str, object] = {}
    for column, (name, digits) in measures.items():
        e: Estimate | None = None if found is None else getattr(found, name)
        interval = "" if e is None else f"{e.low:+.{digits}f} to {e.high:+.{digits}f}"
        cells |= {column: getattr(of, name), f"Δ {column}": e and e.value, f"Δ {column}, 95 %": interval}
    return cells


def _names(settings: Settings, pin: Pin) -> tuple[str, str]:
    a, b = settings.labels((pin.choice, settings.choice))
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
    names = [judged.label for judged in JUDGED]
    table = pd.DataFrame(found.counts, columns=[f"B {name}" for name in names])
    table.insert(0, "A", names)
    st.dataframe(
        table,
        hide_index=True,
        key=keys.MATRIX,
        on_select=partial(_pick_cell, found),
        selection_mode="single-cell",
        alt="Images by outcome, correct or wrong, under A in rows and under B in columns",
    )
    changed = found.images - int(found.counts.trace())
    st.caption(
        f"{changed:,} of {found.images:,} images changed their outcome or its correctness: {found.by_b_alone:,} are "
        f"answered correctly by B alone, {found.by_a_alone:,} by A alone."
    )
    picked("A click on a cell picks its images.")


def _pick_cell(found: Comparison) -> None:
    cell = actions.clicked_cell()
    if cell is not None and cell[1].startswith("B "):
        column = [judged.label for judged in JUDGED].index(cell[1].removeprefix("B "))
        actions.pick(found.cells[cell[0]][column].tolist())


def _rows(rows: dict[str, Comparison], a: str) -> Rows:
    return [
        {
            "a": a, "b": b, "images": found.images, "measure": measure, "value_a": getattr(found.a, measure),
            "value_b": getattr(found.b, measure), "difference": e.value, "low": e.low, "high": e.high,
        }
        for b, found in rows.items()
        for measure, e in (("nac", found.nac), ("acr", found.acr), ("certified", found.certified))
    ]  # fmt: skip
