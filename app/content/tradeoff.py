"""The Trade-off page: where compositions stand between accuracy and robustness, and which one to deploy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import actions, data, keys, state
from app.components.chart import chart
from app.escape import markdown
from app.settings import Settings
from app.widgets import downloads, following, take_away
from app.widgets.notices import NAC_IS_NOT, caveats, errors_in_place, rests_on, show_error
from app.widgets.panels import TILE_WIDTH, bounds_differ, chosen_after_looking, paper_notes, subsets_differ, theme, tile
from engine import figures
from engine.errors import AcesError
from engine.figures import deploy, overlay
from engine.figures.views import Axis, Front
from engine.single_image.system_file import MeasuredPoint
from engine.statistics.bounds import MAJORITY
from engine.statistics.deployment import Optimism, Rule
from engine.statistics.intervals import Estimate

AXES = {Axis.ACR: "ACR: average certified radius", Axis.CERTIFIED: "certified accuracy at r {r:.9g} [%]"}
TILES = {
    "nac": ("NAC", "%", "Natural accuracy: images that PREDICT (Algorithm 4) answers correctly."),
    "acr": ("ACR", "", "Average certified radius; wrong and uncertified images count 0."),
    "certified_accuracy": (
        "Certified, r {r:.9g}",
        "%",
        "Answered correctly with a certificate that reaches r; at r = 0, answered correctly.",
    ),
    "certified_selection": (
        "Selected, r {r:.9g}",
        "%",
        "Certified selection rate: images whose selection of the certification network is certified up to r, each with "
        "probability at least 1 − α.",
    ),
    "abstained": ("Abstained", "%", "CERTIFY (Algorithm 1) gives no answer at this α. That is no error."),
}
ALT = (
    "Robustness over natural accuracy: a front for every composition, operating points and networks without ACES marked"
)

_Taken = tuple[Settings, MeasuredPoint]  # the view of the point, and what was measured of it


def show(settings: Settings) -> None:
    """Tiles above the fronts; beside these the question of what to deploy, and the current composition over theta."""
    try:
        rests_on(settings, data.composition(settings))
    except AcesError as error:
        show_error(error)  # the other compositions live on
    with st.container(key="tiles"):
        tiles = st.grid(5, min_column_width=TILE_WIDTH)
    wide, narrow = st.columns([3, 2])
    with wide:
        drawn, taken = _fronts(settings, narrow)
    with narrow, errors_in_place():
        over = figures.over_theta(data.over_theta(settings), settings.theta, settings.radius, theme(), settings.symbol)
        if not settings.choice.by_votes:  # the paper's thresholds are of scores
            overlay.on_thetas(over, overlay.chosen(settings.paper), settings.radius, theme())
        alt = "Natural accuracy, selection rate and average certified radius over the threshold"
        chart(over, "figure_theta", alt, at=settings.turned)
        drawn["theta"] = over
        if taken is not None:
            take_away.show(*taken)
    with tiles, errors_in_place():
        _tiles(settings)  # after the figures, which do not wait for the intervals
    downloads.menu("trade-off", settings, drawn, lambda: downloads.fronts_table(settings))
    caveats(settings)
    following.show(settings, settings.compositions, tuple(label.replace(":.9g", "") for label, _, _ in TILES.values()))


def _fronts(settings: Settings, beside: DeltaGenerator) -> tuple[dict[str, figures.Sketch], _Taken | None]:
    """The fronts, and the point that *Deploy* chose, to take away."""
    measure, best_t = _asked_of_fronts()
    fronts, problems = data.fronts(settings, measure, best_t)
    with beside:
        asked = _to_deploy(fronts, measure, settings)
    best = asked.best if asked else None
    pinned = data.pinned(settings, measure)
    axis = AXES[measure].format(r=settings.radius)
    figure = figures.trade_off(
        fronts, settings.position, settings.theta, axis, theme(settings), best, pinned, of_acr=measure is Axis.ACR
    )
    radius = None if measure is Axis.ACR else settings.radius
    overlay.on_trade_off(figure, overlay.chosen(settings.paper), theme(), radius)
    chart(figure, keys.FRONT, ALT, actions.go_to_clicked_point, "click", at=settings.turned)
    paper_notes(settings, radius)
    subsets_differ(fronts)
    bounds_differ(settings)
    for label, problem in problems.items():
        if label != settings.label:
            show_error(f"{label} is not drawn: {problem}")
    chosen_after_looking(settings)
    taken = None
    if asked:
        with asked.below, errors_in_place():
            taken = _elsewhere(asked, fronts, measure, settings)  # after the figure, which does not wait for it
    return {"front": figure}, taken


def _asked_of_fronts() -> tuple[Axis, bool]:
    """What stands for robustness, and whether the share of votes is the best one everywhere."""
    with st.container(horizontal=True, vertical_alignment="center"):
        measure = st.segmented_control(
            "Robustness", list(Axis), format_func=str, key="measure", bind=keys.URL, default=Axis.ACR,
            required=True, label_visibility="collapsed",
            help="What stands for robustness on the vertical axis.",
        )  # fmt: skip
        best_t = st.toggle(
            "best t", key="best_t", bind=keys.URL,
            help="Every point of a front has the share of votes t that gives most robustness at its NAC, of 21 from "
            "0.01 to 0.99; off, t is the one of the sidebar everywhere. The diamonds stay at the sidebar's θ and t.",
        )  # fmt: skip
    return Axis(measure or Axis.ACR), best_t


@dataclass(frozen=True, eq=False)
class _Asked:
    """The rule that was asked, the point that it chose, its numbers on these images, and where to say more."""

    rule: Rule
    best: deploy.Deployment
    robustness: Estimate
    below: DeltaGenerator


def _to_deploy(fronts: list[Front], measure: Axis, settings: Settings) -> _Asked | None:
    """The box that answers "which composition and threshold for a NAC of at least x?"."""
    with st.container(border=True, key="deploy"):
        floor = st.number_input(
            "Deploy for a NAC of at least [%]",
            0.0,
            100.0,
            75.0,
            0.5,
            format="%.1f",
            key="nac",
            bind=keys.URL,
            help="Finds the most robust point of all fronts drawn that is at least this accurate, and circles it.",
        )
        state.puts_are_drawn("nac")
        confident = st.toggle(
            "at 95 % confidence", key="surely", bind=keys.URL,
            help="The lower end of the 95 % interval counts, not the estimate.",
        )  # fmt: skip
        best = deploy.best(fronts, floor, confident=confident)
        if best is None:
            st.caption(
                f"No composition on the figure has a NAC of {floor:g} %{' at 95 % confidence' if confident else ''}."
            )
            return None
        robustness = _answer(best, measure, settings)
        return _Asked(Rule(floor, confident), best, robustness, st.container())


def _answer(best: deploy.Deployment, measure: Axis, settings: Settings) -> Estimate:
    """What was chosen, and its numbers on the images that it was chosen on. Returns the robustness."""
    said, go = st.columns([5, 2], vertical_alignment="center")
    at = _at(best, settings)
    t, tiles = at.t, data.summary(at)
    with_t = "" if t == MAJORITY else f", t {t:.2f}"
    robustness = tiles.acr if measure is Axis.ACR else tiles.certified_accuracy
    said.markdown(
        f"**{markdown(best.front.label)}, {best.front.symbol} {best.theta:.3f}{with_t}**  \n"
        f"on these images: {_both(best.nac, robustness, measure, settings)}",
        help="Chosen and measured on the same images, so the numbers flatter: their intervals are of a point named "
        "beforehand. The line below takes that out.",
    )
    there = best.front.address, best.theta, best.t
    actions.offer(*there)
    go.button(
        "Go there",
        key="go_deploy",
        on_click=actions.go_to,
        args=there,
        width="stretch",
        help="Sets the composition and the threshold of this point.",
    )
    return robustness


def _at(best: deploy.Deployment, settings: Settings) -> Settings:
    """The view of the point that was chosen."""
    at = settings.at(settings.compositions[best.front.position], best.theta)
    return at if best.t is None else replace(at, t=best.t)


def _both(nac: Estimate, robustness: Estimate, measure: Axis, settings: Settings) -> str:
    digits, unit = (3, "") if measure is Axis.ACR else (1, " %")
    name = "ACR" if measure is Axis.ACR else f"certified at r {settings.radius:.9g}"
    return (
        f"NAC {nac.value:.1f} % [{nac.low:.1f}, {nac.high:.1f}], {name} {robustness.value:.{digits}f}{unit} "
        f"[{robustness.low:.{digits}f}, {robustness.high:.{digits}f}]"
    )


def _elsewhere(asked: _Asked, fronts: list[Front], measure: Axis, settings: Settings) -> _Taken:
    """What to expect of the choice on images that had no say in it."""
    found = data.optimism(settings, measure, fronts, asked.rule)
    measured = deploy.measured(asked.best, asked.robustness, found, measure, settings)
    if measured.elsewhere is None:
        st.caption("Too few images to say what the choice gives on others: no half of them reaches the floor.")
    else:
        _expected(asked, found, measured.elsewhere, measure, settings)
    return _at(asked.best, settings), measured


def _expected(
    asked: _Asked, found: Optimism, elsewhere: tuple[Estimate, Estimate], measure: Axis, settings: Settings
) -> None:
    nac, robustness = elsewhere
    st.markdown(
        f"expected on others: {_both(nac, robustness, measure, settings)}",
        help=f"{found.halves} times, one half of the images chose by this rule and the other half measured: on average "
        f"the choosing half showed a NAC {found.nac:.1f} points too high. A choice on all images flatters by about 0.7 "
        "times that. Intervals at 95 %.",
    )
    if nac.value < asked.rule.floor:
        st.caption(f"Expected below the floor of {asked.rule.floor:g} %: ask for more to reach it on other images.")


def _tiles(settings: Settings) -> None:
    s = data.summary(settings)
    a = data.summary(settings.at(settings.pin.choice, settings.pin.theta)) if settings.pin else None
    for name, (label, unit, about) in TILES.items():
        label = label.format(r=settings.radius)
        tile(label, getattr(s, name), unit, s.images, about, None if a is None else getattr(a, name))
    if settings.correction.card.thetas_at_once:
        st.caption(NAC_IS_NOT)
