"""The Trade-off page: where compositions stand between accuracy and robustness, and which one to deploy."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import data, deploy, downloads, figures, overlay, state
from app.chart import chart
from app.data import Measure
from app.notices import caveats, errors_in_place, rests_on, show_error
from app.panels import TILE_WIDTH, subsets_differ, theme, tile
from app.settings import Settings
from app.views import Front
from engine.errors import AcesError

AXES = {Measure.ACR: "ACR: average certified radius", Measure.CERTIFIED: "certified accuracy at r {r:g} [%]"}
TILES = {
    "nac": ("NAC", "%", "Natural accuracy: images that PREDICT (Algorithm 4) answers right."),
    "acr": ("ACR", "", "Average certified radius; wrong and uncertified images count 0."),
    "certified_accuracy": (
        "Certified, r {r:g}",
        "%",
        "Answered right with a certificate that reaches r; at r = 0, answered right.",
    ),
    "certified_selection": ("Selected, r {r:g}", "%", "Certainly sent to the certification network up to r."),
    "abstained": ("Abstained", "%", "CERTIFY (Algorithm 1) gives no answer at this α. That is no error."),
}
ALT = "Robustness over natural accuracy: a front for every composition, operating points and networks alone marked"


def show(settings: Settings) -> None:
    """Tiles above the fronts; beside these the question of what to deploy, and the current composition over theta."""
    try:
        rests_on(settings, data.composition(settings))
    except AcesError as error:
        show_error(error)  # the other compositions live on
    tiles = st.grid(5, min_column_width=TILE_WIDTH)
    wide, narrow = st.columns([3, 2])
    with wide:
        drawn = _fronts(settings, narrow)
    with narrow, errors_in_place():
        over = figures.over_theta(data.over_theta(settings), settings.theta, settings.radius, theme())
        overlay.on_thetas(over, overlay.chosen(settings.paper), settings.radius, theme())
        chart(over, "figure_theta", "Natural accuracy, selection rate and average certified radius over the threshold")
        drawn["theta"] = over
    with tiles, errors_in_place():
        _tiles(settings)  # after the figures, which do not wait for the bootstrap
    downloads.menu("trade-off", settings, drawn, lambda: downloads.fronts_table(settings))
    caveats(settings.correction)


def _fronts(settings: Settings, beside: DeltaGenerator) -> dict[str, figures.Sketch]:
    measure = Measure(
        st.segmented_control(
            "Robustness", list(Measure), format_func=str, key="measure", bind=state.URL, default=Measure.ACR,
            required=True, label_visibility="collapsed",
        )
        or Measure.ACR
    )  # fmt: skip
    fronts, problems = data.fronts(settings, measure)
    with beside:
        best = _to_deploy(fronts, measure, settings)
    pinned = data.pinned(settings, measure)
    axis = AXES[measure].format(r=settings.radius)
    figure = figures.trade_off(fronts, settings.position, settings.theta, axis, theme(), best, pinned)
    if measure is Measure.ACR:
        overlay.on_trade_off(figure, overlay.chosen(settings.paper), theme())
    chart(figure, state.FRONT, ALT, state.go_to_clicked_point, "click")
    subsets_differ(fronts)
    for label, problem in problems.items():
        if label != settings.label:
            show_error(f"{label} is not drawn: {problem}")
    return {"front": figure}


def _to_deploy(fronts: list[Front], measure: Measure, settings: Settings) -> deploy.Deployment | None:
    """The box that answers "which composition and threshold for a NAC of at least x?"."""
    with st.container(border=True, key="deploy"):
        question, sure = st.columns([3, 2], vertical_alignment="bottom")
        floor = question.number_input(
            "Deploy for a NAC of at least [%]", 0.0, 100.0, 75.0, 0.5, format="%.1f", key="nac", bind=state.URL
        )
        surely = sure.toggle(
            "surely", key="surely", bind=state.URL,
            help="The lower end of the 95 % interval counts, not the estimate.",
        )  # fmt: skip
        best = deploy.best(fronts, floor, surely=surely)
        if best is None:
            st.caption(f"No composition on the figure has a NAC of {floor:g} %{' surely' if surely else ''}.")
            return None
        _answer(best, measure, settings)
    return best


def _answer(best: deploy.Deployment, measure: Measure, settings: Settings) -> None:
    said, go = st.columns([5, 2], vertical_alignment="center")
    choice = settings.compositions[best.front.position]
    tiles = data.summary(settings.at(choice, best.theta))
    robustness, digits, unit = (tiles.acr, 3, "") if measure is Measure.ACR else (tiles.certified_accuracy, 1, " %")
    name = "ACR" if measure is Measure.ACR else f"certified at r {settings.radius:g}"
    said.markdown(
        f"**{best.front.label}, θ {best.theta:.3f}**  \nNAC {best.nac.value:.1f} % "
        f"[{best.nac.low:.1f}, {best.nac.high:.1f}], {name} {robustness.value:.{digits}f}{unit} "
        f"[{robustness.low:.{digits}f}, {robustness.high:.{digits}f}]",
        help="Chosen and measured on the same images, so a little flattering: the intervals are of a point named "
        "beforehand.",
    )
    go.button("Go there", key="go_deploy", on_click=state.go_to, args=(best.front.address, best.theta), width="stretch")


def _tiles(settings: Settings) -> None:
    s = data.summary(settings)
    a = data.summary(settings.at(settings.pin.choice, settings.pin.theta)) if settings.pin else None
    for name, (label, unit, about) in TILES.items():
        label = label.format(r=settings.radius)
        tile(label, getattr(s, name), unit, s.images, about, None if a is None else getattr(a, name))
