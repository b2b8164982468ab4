"""The Certified accuracy page: what is certified up to which radius, at the reader's theta and at others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from app import data, figures, keys
from app.components.chart import chart
from app.figures import overlay
from app.settings import Settings
from app.widgets import downloads, following
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import paper_notes, theme
from engine.statistics.metrics import DEFAULT_RADII

FAN = tuple(round(0.05 * k, 2) for k in range(21))
SHARES = (0.6, 0.7, 0.8, 0.9)  # p_0 beside the reader's, where the votes select
SHOWN = (0.1, 0.2, 0.4, 0.6, 1.0)


def show(settings: Settings) -> None:
    """Certified accuracy and selection rate over radius, and the paper's Table 1."""
    with errors_in_place():
        _show(settings)
    caveats(settings)
    following.show(settings, (settings.choice,))


def _show(settings: Settings) -> None:
    rests_on(settings, data.composition(settings))
    chosen = _others(settings)
    thetas = tuple(sorted(chosen))  # with the reader's, so that no line comes or goes under the thumb
    curves = data.radius_curves(settings)
    fan = data.fan(settings, thetas, curves.radii)
    at = settings.theta, settings.radius, settings.position, theme(settings), settings.symbol
    accuracy = figures.accuracy_over_radius(curves, fan, *at)
    if not settings.choice.by_votes:  # the paper's thresholds are of scores
        overlay.on_radii(accuracy, overlay.chosen(settings.paper), settings.theta, theme())
    left, right = st.columns(2)
    with left:
        alt = "Certified accuracy over radius, of ACES and of each of its networks without ACES"
        chart(accuracy, "figure_radius", alt, at=settings.turned)
    selected = figures.selection_over_radius(curves, fan, *at)
    with right:
        chart(selected, "figure_selected", "Certified selection rate over radius", at=settings.turned)
    paper_notes(settings)
    every = tuple(sorted({*thetas, settings.theta}))
    _table(settings, every)
    drawn = {"accuracy": accuracy, "selection": selected}
    downloads.menu("certified", settings, drawn, partial(downloads.theta_table, settings, every))


def _others(settings: Settings) -> Sequence[float]:
    """More thresholds, which the reader chooses where a score selects."""
    if settings.choice.by_votes:
        return SHARES
    return st.multiselect(
        "Other thresholds θ", FAN, SHOWN, format_func=lambda theta: f"{theta:g}", key="fan", bind=keys.URL,
        placeholder="only the current one", help="One more curve and row of the table for each of these thresholds.",
    )  # fmt: skip


def _table(settings: Settings, thetas: tuple[float, ...]) -> None:
    """Rows: thresholds, then the certification network alone and the core network; columns: radii."""
    m, alone = data.at_thetas(settings, thetas, DEFAULT_RADII), data.alone(settings, DEFAULT_RADII)
    core = data.radius_curves(settings).core
    rows = [
        [f"{settings.symbol} {theta:.3f}", m.nac[t], m.acr[t], *m.certified_accuracy[t]]
        for t, theta in enumerate(m.thetas.tolist())
    ]
    rows.append(["certification network only", alone.nac, alone.acr, *alone.certified_accuracy])
    rows.append(["core network only", core, 0.0, core, *[0.0] * (len(DEFAULT_RADII) - 1)])
    columns = ["", "NAC %", "ACR", *(f"r {radius:g}" for radius in DEFAULT_RADII)]
    low, high = data.interval_of_rate(settings, float(m.nac[thetas.index(settings.theta)]))
    digits = {name: "%.3f" if name == "ACR" else "%.1f" for name in columns[1:]}
    st.dataframe(
        pd.DataFrame(rows, columns=columns),
        hide_index=True,
        placeholder="missing",
        column_config={name: st.column_config.NumberColumn(format=form) for name, form in digits.items()},
        alt="Natural accuracy, average certified radius and certified accuracy by threshold",
    )
    st.caption(
        f"As the paper's Table 1: certified accuracy in percent of {m.images:,} images at each radius. A rate of "
        f"{m.nac[thetas.index(settings.theta)]:.1f} % has the 95 % interval {low:.1f} to {high:.1f} %."
    )
