"""The Bounds page: what each step from the paper's certificate brings, at equal natural accuracy on held-out images."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import actions, data, figures
from app.components.chart import chart
from app.settings import Settings
from app.widgets import downloads
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import theme
from engine.statistics.steps import Measured
from engine.tables import Rows

STEP = 0.5  # points of NAC
EXPORTED = ("low", "high", "change_low", "change_high", "radius")  # not in the table; the sentences below have some


def show(settings: Settings) -> None:
    """A waterfall, a table, and a button a step that uses its terms."""
    with errors_in_place():
        _show(settings)
    caveats(settings)


def _show(settings: Settings) -> None:
    rests_on(settings, data.composition(settings))
    now = round(data.summary(settings).nac.value, 1)
    floor = st.number_input(
        "At a held-out NAC of at least [%]", 0.0, 100.0, now, STEP, format="%.1f",
        key="floor",
        help="Begins with the NAC of the current setting.",
    )  # fmt: skip
    found, why = data.steps_at(settings, floor)
    for sentence in why:
        st.caption(sentence)
    if not found:
        return
    drawn = figures.waterfall([*found.values()], floor, theme())
    chart(drawn, "figure_steps", "Average certified radius by step, with the interval of what each adds")
    rows = partial(_rows, found, settings)
    st.dataframe(
        [{name: value for name, value in row.items() if name not in EXPORTED} for row in rows()],
        hide_index=True,
        placeholder="missing",
        column_config={
            **{name: st.column_config.NumberColumn(format="%.1f") for name in ("nac", "certified", "abstained")},
            **{name: st.column_config.NumberColumn(format="%.4f") for name in ("acr", "change")},
        },
        alt="The steps with what each brings",
    )
    st.caption(
        "The images are halved at random 50 times. Each half chooses the step's parameters, the other half measures. "
        "What is asked of the choosing half is raised until the measured NAC reaches the floor. The change is to the "
        "step before (+ chain and votes: to + vote share), paired by image, with a 95 % interval: one that holds 0 may "
        "be chance. A chain has two networks: what it gains may be the other network's, which at its own σ has its own "
        "waterfall. All demo runs: docs/bounds.md."
    )
    _steps(found)
    downloads.menu("bounds", settings, {"steps": drawn}, rows)


def _steps(found: dict[str, Measured]) -> None:
    """A sentence, where its proof is, and a button each; the paper's setting is the first."""
    for key, m in found.items():
        step, before = m.step, found.get(m.step.before or "")
        said, use = st.columns([5, 1], vertical_alignment="center")
        change = ""
        if before is not None:
            gain = m.over(before)
            change = f" ACR {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]{_verdict(gain.low, gain.high)}."
        said.markdown(f"**{step.name}** {step.sentence}{change} Proof: docs/statistics.md, section {step.section}.")
        if not (step.chained or step.by_votes):
            use.button(
                "The paper's setting" if before is None and step.before is None else "Use these",
                key=f"use_{key}",
                on_click=actions.set_step,
                args=(m.setting.theta, m.setting.t, step.correction, step.bound),
                type="tertiary",
                help=f"θ {m.setting.theta:.3f}, t {m.setting.t:g}, {step.correction}, {step.bound}, "
                "which all images choose.",
            )


def _verdict(low: float, high: float) -> str:
    if high < 0:
        return ", a loss"
    return "" if low > 0 else ", which may be chance"


def _rows(found: dict[str, Measured], settings: Settings) -> Rows:
    rows: Rows = []
    for m in found.values():
        before = found.get(m.step.before or "")
        gain = None if before is None else m.over(before)
        rows.append(
            {
                "step": m.step.name,
                "nac": m.nac.value,
                "acr": m.acr.value,
                "low": m.acr.low,
                "high": m.acr.high,
                "change": None if gain is None else gain.value,
                "change_low": None if gain is None else gain.low,
                "change_high": None if gain is None else gain.high,
                "certified": m.accuracy.value,
                "abstained": m.abstentions.value,
                "radius": settings.radius,
                "theta": m.setting.theta,
                "t": m.setting.t,
                "proof": f"docs/statistics.md, section {m.step.section}",
            }
        )
    return rows
