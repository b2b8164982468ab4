"""Widgets <-> URL. The only module that touches ``st.session_state``; every control is bound to the URL by its key.

A control's key is its name in the URL. A value that a control does not offer is dropped from the URL by Streamlit,
and the control shows its default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import streamlit as st

from app import overlay
from app.settings import (
    ALPHAS,
    DEFAULT_RADIUS,
    DEFAULT_THETA,
    PROMISES,
    RADIUS_STEP,
    Experiment,
    Settings,
    alpha_text,
    cores,
    experiments,
)
from app.views import ImageRows
from engine.aces import DEFAULT_ALPHA, Correction, Outcome
from engine.runs import Array, Meta

URL: Literal["query-params"] = "query-params"
FRONT, ROWS = "figure_front", "rows"  # keys of the figure and the table that a click is read from
CONTROLS = ("dataset", "training", "sigma", "core", "theta", "alpha", "radius", "correction", "paper")
PAGE = "page"
THETA_STEP = 0.001
RIGHT_OR_WRONG = ("right", "wrong", "abstained")


@dataclass(frozen=True)
class Filters:
    """Which images to list; an empty choice lets everything through. ``verdicts`` are of ``RIGHT_OR_WRONG``."""

    outcomes: tuple[Outcome, ...]
    classes: tuple[int, ...]
    verdicts: tuple[str, ...]

    def keep(self, rows: ImageRows) -> Array:
        """The rows that pass, bool [N]."""
        wanted = ((rows.outcome, self.outcomes), (rows.label, self.classes), (rows.verdict, self.verdicts))
        passed = [np.isin(values, choice) for values, choice in wanted if choice]
        kept: Array = np.logical_and.reduce([np.ones(len(rows), bool), *passed])
        return kept


def controls(metas: Sequence[Meta], *, of_many: bool = True) -> Settings | None:
    """The sidebar; without ``of_many``, only what one image needs as well.

    None if the runs hold no certification network with a core network of its dataset.
    """
    usable = [experiment for experiment in experiments(metas) if cores(metas, experiment.dataset)]
    if not usable:
        return None
    with st.sidebar:
        experiment = _experiment(usable)
        labels = experiment.labels
        sigma = _sigma(labels)
        core = st.selectbox("Core network", list(cores(metas, experiment.dataset)), key="core", bind=URL)
        return Settings(
            experiment=experiment,
            certify=labels[sigma],
            core=cores(metas, experiment.dataset)[core],
            theta=_theta(),
            alpha=_alpha(),
            radius=_radius(experiment) if of_many else DEFAULT_RADIUS,
            correction=_correction(),
            paper=_paper(experiment) if of_many else (),
        )


def keep_in_url(page: str) -> None:
    """Write the controls into the URL again after a change of pages, which empties it."""
    if st.session_state.get(PAGE, page) != page:
        for key in st.session_state:
            if key in CONTROLS:
                st.session_state[key] = st.session_state[key]
    st.session_state[PAGE] = page


def _experiment(usable: list[Experiment]) -> Experiment:
    dataset = st.selectbox("Dataset", list(dict.fromkeys(e.dataset for e in usable)), key="dataset", bind=URL)
    trainings = {e.training: e for e in usable if e.dataset == dataset}
    return trainings[st.selectbox("Training", list(trainings), key="training", bind=URL)]


def _sigma(labels: Mapping[str, Meta]) -> str:
    return st.select_slider(
        "Noise σ", list(labels), key="sigma", bind=URL, help="Standard deviation, where a pixel runs from 0 to 1."
    )


def _theta() -> float:
    """Slider and number box show one value. The slider is the one bound to the URL; the box follows it."""
    theta = st.slider(
        "Selection threshold θ",
        0.0,
        1.0,
        DEFAULT_THETA,
        THETA_STEP,
        format="%.3f",
        key="theta",
        bind=URL,
        help="An image goes to the certification network where its entropy is at most θ. Also: click on the front.",
    )
    st.session_state["theta_box"] = theta
    st.number_input(
        "θ",
        0.0,
        1.0,
        step=THETA_STEP,
        format="%.3f",
        key="theta_box",
        on_change=_box_moves_slider,
        label_visibility="collapsed",
    )
    return round(theta, 3)


def _box_moves_slider() -> None:
    st.session_state["theta"] = st.session_state["theta_box"]


def _alpha() -> float:
    return st.select_slider(
        "Failure probability α", ALPHAS, DEFAULT_ALPHA, format_func=alpha_text, key="alpha", bind=URL
    )


def _radius(experiment: Experiment) -> float:
    radius = st.slider(
        "Radius r",
        0.0,
        experiment.largest_radius,
        DEFAULT_RADIUS,
        RADIUS_STEP,
        key="radius",
        bind=URL,
        help="ℓ2, in the unit of σ. Certified accuracy, selection rate and the histogram refer to it.",
    )
    return round(radius, 6)


def _correction() -> Correction:
    chosen = st.selectbox("Correction", list(PROMISES), format_func=str, key="correction", bind=URL)
    st.caption(PROMISES[chosen])
    return Correction(chosen)


def _paper(experiment: Experiment) -> tuple[str, ...]:
    chosen = st.multiselect(
        "Beside: the paper's tables",
        overlay.matching(experiment.dataset),
        key="paper",
        bind=URL,
        placeholder="none",
        help="Tables 2 to 17 of Horváth et al. 2022 as hollow marks: other networks and images, the same axes.",
    )
    return tuple(chosen)


def go_to_clicked_point() -> None:
    """A click on a front: the ``customdata`` (theta, label) of its mark moves both sliders; other marks move none."""
    points = st.session_state[FRONT].selection.points
    mark = points[0].get("customdata") if points else None
    if isinstance(mark, list) and len(mark) == 2:
        st.session_state["theta"], st.session_state["sigma"] = mark


def filters(names: Sequence[str]) -> Filters:
    """The filters of the image table, in a row."""
    outcome, verdict, of_class = st.columns([3, 2, 3])
    outcomes = outcome.pills(
        "Outcome", [kind.label for kind in Outcome], selection_mode="multi", key="outcome", bind=URL
    )
    verdicts = verdict.pills("Answer is", RIGHT_OR_WRONG, selection_mode="multi", key="answer", bind=URL)
    classes = of_class.multiselect("Class", names, key="class", bind=URL, placeholder="all classes")
    return Filters(
        tuple(kind for kind in Outcome if kind.label in outcomes),
        tuple(k for k, name in enumerate(names) if name in classes),
        tuple(verdicts),
    )


def open_clicked_row(rows: ImageRows) -> None:
    """A click on a row of the table opens its image."""
    chosen = st.session_state[ROWS].selection.rows
    if chosen:
        st.session_state["image"] = int(rows.index[chosen[0]])


def image() -> int | None:
    """The image that is open, by its position in the split; None if none is."""
    return st.number_input(
        "Image", min_value=0, value=None, step=1, key="image", bind=URL, placeholder="click a row, or type an index"
    )
