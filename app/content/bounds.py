"""The Bounds page: what each step from the paper's certificate brings, at equal natural accuracy on held-out images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from app import actions, data, followed, keys, proofs, state
from app.components.chart import chart
from app.settings import Settings
from app.widgets import downloads, following
from app.widgets.notices import caveats, errors_in_place, plain, rests_on
from app.widgets.panels import theme
from engine import figures
from engine.statistics.steps import Measured
from engine.tables import Rows

STEP = 0.5  # points of NAC
FIRST, FURTHER = (
    ("theta", "t"),
    ("sigma", "p0", "sigma2", "theta2", "t2"),
)  # parameters
COLUMNS = {  # of the table, as people read them; the sentences below and the export have more
    "step": "step",
    "nac": "NAC [%]",
    "acr": "ACR",
    "change": "change",
    "certified": "certified at r [%]",
    "abstained": "abstained [%]",
    "sigma": "σ",
    "theta": "θ",
    "p0": "p₀",
    "t": "t",
    "sigma2": "then σ",
    "theta2": "θ₂",
    "t2": "t₂",
}


def show(settings: Settings) -> None:
    """A waterfall, a table, and a button a step that uses its terms."""
    followed = None
    with errors_in_place():
        followed = _show(settings)
    caveats(settings)
    following.show(settings, (), steps=followed)


def _show(settings: Settings) -> dict[str, Any] | None:
    """What of it the browser can follow."""
    rests_on(settings, data.composition(settings))
    floor = _floor(round(data.summary(settings).nac.value, 1))
    found, why = data.steps_at(settings, floor)
    if why:
        st.caption(" ".join(why))
    if not found:
        return None
    drawn = figures.waterfall([*found.values()], floor, theme())
    alt = "Average certified radius by step, with the interval of what each adds"
    chart(drawn, "figure_steps", alt, at=settings.turned)
    rows = partial(_rows, found, settings)
    made = rows()
    with following.waits("table", "alpha", "sigma"):
        st.dataframe(
            made,
            hide_index=True,
            placeholder="—",
            column_order=[name for name in COLUMNS if any(row[name] is not None for row in made)],
            column_config={name: _column(name, title, settings) for name, title in COLUMNS.items()},
            alt="The steps with what each brings",
        )
    st.caption(
        "The images are halved at random 50 times. Each half chooses the step's parameters, the other half measures. "
        "What is asked of the choosing half is raised until the measured NAC reaches the floor. The change is to the "
        "step before (+ chain and votes: to + vote share), paired by image, with a 95 % interval: one that holds 0 may "
        "be chance. A chain has two networks: what it gains may be the other network's, which at its own σ has its own "
        "waterfall. All demo runs: docs/bounds.md."
    )
    with following.waits("said", "alpha", "sigma"):
        _steps(found)
    downloads.menu("bounds", settings, {"steps": drawn}, rows)
    ours = state.session()
    following_steps = followed.followed_steps(settings, floor, ours.steps)
    ours.steps = following_steps["steps"]
    return following_steps


def _column(name: str, title: str, settings: Settings) -> ColumnConfig:
    title = title.replace(" r ", f" r = {settings.radius:g} ")
    if name == "step":
        return st.column_config.TextColumn(title, pinned=True)
    signed = {"acr": "%.4f", "change": "%+.4f", "nac": "%.1f", "certified": "%.1f", "abstained": "%.1f"}
    return st.column_config.NumberColumn(title, format=signed.get(name))


def _floor(now: float) -> float:
    """The NAC to compare at: the reader's, which begins with that of the setting where the page is opened, ``now``."""
    asked = st.query_params.get("floor")  # before the box takes what it cannot show out of the address
    number = state.as_number(asked)
    is_told = number is not None and 0 <= number <= 100
    known = st.session_state.get("floor")
    if not is_told and known != now:  # what is set here the address has from then on: the box's own is none
        st.session_state["floor"] = now if known is None else known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        floor = st.number_input(
            "At a held-out NAC of at least [%]", 0.0, 100.0, None, STEP, format="%.1f", key="floor", bind=keys.URL,
            width=300, help="Begins with the NAC of the setting with which the page is first opened, and stays until "
            "you change it: θ and t, which every step chooses for itself, move nothing here.",
        )  # fmt: skip
        state.puts_are_drawn("floor")
        if floor != now:
            st.button(
                "Take the current setting's NAC", key="floor_now", on_click=actions.ask_for, args=(now,),
                type="tertiary", help=f"{now:.1f} %, at the θ and t of the sidebar.",
            )  # fmt: skip
    if asked is not None and not is_told:
        st.caption(f":orange-badge[:material/link_off:] A NAC lies between 0 and 100 %; {plain(asked)} is none.")
    return now if floor is None else floor


def _steps(found: dict[str, Measured]) -> None:
    """A sentence, where its proof is, and a button each; the paper's setting is the first."""
    for key, m in found.items():
        step, before = m.step, found.get(m.step.before or "")
        change = ""
        if before is not None:
            gain = m.over(before)
            change = f" ACR {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]{_verdict(gain.low, gain.high)}."
        st.markdown(f"**{step.name}** {step.sentence}{change}")
        with st.container(horizontal=True, gap="small"):
            if st.button(
                f"Proof: section {step.section}",
                key=f"proof_{key}",
                type="tertiary",
                icon=":material/menu_book:",
                help="Opens the section of docs/statistics.md that proves this step.",
            ):
                _proof(step.section)
            if not (step.chained or step.by_votes):
                st.button(
                    "The paper's setting" if before is None and step.before is None else "Use these",
                    key=f"use_{key}",
                    on_click=actions.set_step,
                    args=(m.setting.theta, m.setting.t, step.correction, step.bound),
                    type="tertiary",
                    icon=":material/tune:",
                    help=f"θ {m.setting.theta:.3f}, t {m.setting.t:g}, {step.correction}, {step.bound}, "
                    "which all images choose.",
                )


def _proof(section: str) -> None:
    """The section in a window of its own."""
    found = proofs.proof(section)
    title = f"Section {section}" if found is None else found.title
    text = f"Not among the files here: {proofs.DOCUMENT} of the project has it." if found is None else found.text
    st.dialog(title, width="large")(st.markdown)(text)


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
                **_chosen(m, FIRST),
                "proof": f"{proofs.DOCUMENT}, section {m.step.section}",
                **_chosen(m, FURTHER),
            }
        )
    return rows


def _chosen(m: Measured, names: Sequence[str]) -> dict[str, float | None]:
    """Of the parameters that all images choose, these; None where the step has no such one."""
    at, by_votes = m.setting, m.step.by_votes
    sigma2, theta2, t2 = at.later or (None, None, None)
    values = {"theta": None if by_votes else at.theta, "t": None if by_votes else at.t, "sigma": at.sigma,
              "p0": at.theta if by_votes else None, "sigma2": sigma2, "theta2": theta2, "t2": t2}  # fmt: skip
    return {name: values[name] for name in names}
