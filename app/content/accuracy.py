"""The Certified accuracy page: what is certified up to which radius, at the reader's theta and at others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from app import data, keys
from app.components.chart import chart
from app.content import by_class
from app.settings import Settings
from app.widgets import downloads, following, rates
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import paper_notes, theme
from engine import figures
from engine.figures import overlay
from engine.figures.views import rate
from engine.statistics.metrics import DEFAULT_RADII

FAN = tuple(round(0.05 * k, 2) for k in range(21))
SHARES = (0.6, 0.7, 0.8, 0.9)  # p_0 beside the reader's, where the votes select
SHOWN = (0.1, 0.2, 0.4, 0.6, 1.0)


def show(settings: Settings) -> None:
    """Certified accuracy and selection rate over radius, and the paper's Table 1."""
    with errors_in_place():
        _show(settings)
    caveats(settings)
    following.show(settings, tuple(settings.compositions[at] for at in following.noises(settings).values()))


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
    every = (settings.theta, *(theta for theta in thetas if theta != settings.theta))  # so that no row moves
    _table(settings, every)
    drawn = {"accuracy": accuracy, "selection": selected, **by_class.show(settings)}
    downloads.menu("certified", settings, drawn, partial(downloads.theta_table, settings, tuple(sorted(every))))


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
    found = [
        rates.RateRow(
            f"{settings.symbol} {theta:.3f}",
            rate(float(m.nac[t]), m.images),
            float(m.acr[t]),
            m.certified_accuracy[t].tolist(),
            f"{theta:.6g}",
        )
        for t, theta in enumerate(m.thetas.tolist())
    ]
    by_itself = rate(alone.nac, m.images), alone.acr, list(alone.certified_accuracy)
    found.append(rates.RateRow("certification network only", *by_itself, rates.ALONE))
    found.append(
        rates.RateRow("core network only", rate(core, m.images), 0.0, [core, *[0.0] * (len(DEFAULT_RADII) - 1)])
    )
    alt = "Natural accuracy, average certified radius and certified accuracy by threshold"
    rates.table(found, DEFAULT_RADII, alt, own=0)
    st.caption(f"As the paper's Table 1: certified accuracy in percent of {m.images:,} images at each radius.")
