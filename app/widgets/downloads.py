"""The Export menu of a page: its figures as CSV, its table, a report. Files are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import streamlit as st

from app import catalog, data, sidebar
from app.settings import Settings, later_text
from engine.figures import Sketch, export
from engine.mechanisms import Words
from engine.records.meta import Meta
from engine.statistics.chains import Later
from engine.statistics.metrics import DEFAULT_RADII
from engine.tables import SCORE_MEDIAN, Format, Rows, metric_rows, outcome_rows

TABLES = {
    Format.CSV: ("csv", "text/csv"),
    Format.LATEX: ("tex", "text/plain"),
    Format.JSON: ("json", "application/json"),
}
RADII = tuple(f"{radius:g}" for radius in DEFAULT_RADII)


def menu(page: str, settings: Settings, drawn: Mapping[str, Sketch], rows: Callable[[], Rows]) -> None:
    """``drawn``: the page's figures by name; ``rows`` makes its table."""
    popover = st.popover("Export", icon=":material/download:", key="export", on_change="rerun")
    if not popover.open:
        return
    origin = _origin(settings)
    with popover:
        st.caption("The camera beside each figure saves it as SVG.")
        for form, (ending, mime) in TABLES.items():
            _button(
                f"Table, {form.value}", f"aces-{page}.{ending}", mime, partial(_table, settings, rows, form, origin)
            )
        for name, figure in drawn.items():
            file = f"aces-{page}-{name}.csv"
            _button(f"Figure {name}, csv", file, "text/csv", partial(export.figure_csv, figure, origin))
        made = partial(_report, settings, rows, drawn, origin)
        _button("Report, html", f"aces-{page}.html", "text/html", made)


def _button(label: str, file: str, mime: str, made: Callable[[], str]) -> None:
    st.download_button(
        label, made, file, mime, key=f"download-{file}", on_click="ignore", type="tertiary",
        icon=":material/description:", help=f"Saves {file}, with the runs and settings that it rests on.",
    )  # fmt: skip


def _table(settings: Settings, rows: Callable[[], Rows], form: Format, origin: Mapping[str, object]) -> str:
    if form is Format.JSON:
        return export.table(rows(), form, origin)
    made = in_words(rows(), settings.mechanism)
    return export.table(export.readable(made) if form is Format.CSV else made, form, origin)


def _report(
    settings: Settings, rows: Callable[[], Rows], drawn: Mapping[str, Sketch], origin: Mapping[str, object]
) -> str:
    made = export.readable(in_words(rows(), settings.mechanism))
    facts = export.facts(settings, len(data.composition(settings)))
    return export.report(export.title(settings), made, drawn, origin, facts)


def _origin(settings: Settings) -> dict[str, object]:
    digests = {name: catalog.fingerprint(run) for name, run in settings.runs.items()}
    return export.provenance(
        settings, len(data.composition(settings)), digests, address=sidebar.link(settings, digests)
    )


def in_words(rows: Rows, selection: Words) -> Rows:
    """A table for people: programs know the score's column by one name, whatever selects."""
    return [{selection.median if name == SCORE_MEDIAN else name: v for name, v in row.items()} for row in rows]


def fronts_table(settings: Settings) -> Rows:
    """One row a composition that is drawn, at theta; p0 has a column where the votes for the class select in one of
    them, and a second stage its columns where one of them has one.
    """
    drawn, rows = settings.compositions, []
    for choice in drawn:
        at = settings.at(choice)
        names = dict(zip(("training", "sigma", "core", "selection"), choice.components, strict=True))
        if any(one.collection != settings.choice.collection for one in drawn):
            names = {"collection": choice.collection, **names}
        second = _second(choice.then) if any(one.then for one in drawn) else {}
        p0 = {"p0": at.theta if choice.by_votes else None} if any(one.by_votes for one in drawn) else {}
        t = {"t": None if choice.by_votes else settings.t}
        for row in metric_rows(data.at_thetas(at, (at.theta,), DEFAULT_RADII), RADII):
            theta = row.pop("theta")
            rows.append({**names, **second, **t, "theta": None if choice.by_votes else theta, **p0, **row})
    return rows


def _second(then: Later[Meta] | None) -> dict[str, object]:
    """A second stage in columns: as the commands' ``--then`` has it, and its threshold, share or p0; None for none."""
    if then is None:
        return {"then": "", "theta2": None, "t2": None, "p02": None}
    text = later_text(then)
    if then.by_votes:
        return {"then": text, "theta2": None, "t2": None, "p02": then.theta}
    return {"then": text, "theta2": then.theta, "t2": then.t, "p02": None}


def theta_table(settings: Settings, thetas: tuple[float, ...]) -> Rows:
    """One row per threshold, the paper's Table 1; behind it the second stage, which is the same in all."""
    choice = settings.choice
    second = {} if choice.then is None else _second(choice.then)
    threshold = "p0" if choice.by_votes else "theta"
    rows = metric_rows(data.at_thetas(settings, thetas, DEFAULT_RADII), RADII, threshold)
    return [{**row, **second} for row in rows]


def image_table(settings: Settings) -> Rows:
    """One row per image, at theta."""
    c = data.composition(settings)
    return outcome_rows(data.answer(settings), data.natural_predictions(settings), c.score_median, c.stages)
