"""What a newcomer is told: the introduction of a first visit, a tour that can be left, and the menu that has both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app import state
from app.components import reminder
from app.keys import FIRST_PAGE
from app.settings import Settings, cores, experiments
from app.widgets.panels import theme
from engine import figures
from engine.records.meta import Meta

WELCOME = (
    "**ACES** answers an image either by a *certification network* under noise, with a radius in which the answer "
    "provably does not change, or by a more accurate *core network*, without a guarantee; a *selection*, smoothed "
    "itself, decides which. **NAC** is natural accuracy, the share of images answered correctly; **ACR** is the "
    "average certified radius. The threshold **θ** moves the system from the core network (0) to the "
    "certification network (1): turn it in the sidebar and watch the diamonds."
)
TARGET = 90.0  # percent of NAC that a link asks the Deploy box for
MENU = "help_menu"
PHOTOGRAPH, ITS_DATASET = "cat", "cifar10"


@dataclass(frozen=True)
class TourStep:
    """A step of the tour: a sentence about the part of the page that a CSS selector finds."""

    where: str
    sentence: str


STEPS = (
    TourStep(
        ".rests-on",
        "Every number rests on what these chips say: images, draws, noise σ, failure probability α and how it is "
        "spent. *details* unfolds the full names.",
    ),
    TourStep(
        ".st-key-figure_front",
        "Each line is one composition at every θ: up is more robust, right is more accurate. A triangle is the "
        "certification network without ACES, the square the core network, a diamond where θ stands now.",
    ),
    TourStep(
        ".st-key-theta",
        "The threshold θ, in the sidebar. Drag it, or press an arrow key: the figures follow at once. Small θ sends "
        "images to the core network, large θ to the certification network.",
    ),
    TourStep(
        ".st-key-deploy",
        "Name the accuracy that you need: this box finds the most robust composition and θ that reach it, circles the "
        "point, and *Go there* moves the sidebar.",
    ),
    TourStep(
        ".st-key-figure_theta",
        "The same composition over the threshold: accuracy, certified selection rate and average certified radius. The "
        "vertical line is θ.",
    ),
    TourStep(
        ".st-key-help",
        "This menu has the introduction, this tour, the glossary of every symbol, and About. The other pages show "
        "curves over the radius, the selection, single images, comparisons, and certify pictures of yours.",
    ),
)


def menu(asked: Mapping[str, Sequence[str]]) -> None:
    """The menu at the top right of every page; ``asked``: what the address asked for when the session began."""
    ours = state.session()
    if ours.intro is None:  # an address with settings is a link of somebody who knows
        ours.intro = not asked and not reminder.is_hidden()
    with st.container(key="help"):
        popover = st.popover("Help", icon=":material/help:", type="tertiary", key=MENU, on_change="rerun")
    with popover, st.container(key="help_items", gap="xxsmall"):
        again = st.button(
            "Introduction", key="intro_again", type="tertiary", on_click=_introduce_again,
            help="What ACES is, and things to try.",
        )  # fmt: skip
        tour = st.button(
            "Tour", key="tour_begin", type="tertiary", on_click=_begin_tour,
            help="The first page in six steps; leave at any time.",
        )  # fmt: skip
        if again or tour:
            st.switch_page(state.page(FIRST_PAGE))
        st.page_link(state.page("glossary"), label="Glossary", help="Every symbol of the paper, and its control here.")
        st.page_link(state.page("about"), label="About", help="Version, licence, the paper, documents.")


def show(settings: Settings | None, metas: Sequence[Meta]) -> None:
    """On the first page: the tour if one is taken, else the introduction unless it is hidden."""
    ours = state.session()
    if ours.tour is not None:
        _tour(ours.tour)
    elif ours.intro:
        _introduction(settings, metas)
    scroll_to = "" if ours.tour is None else STEPS[ours.tour].where
    if ours.intro_by_reader or ours.tour is not None:
        with st.container(key="reminder_of_guide"):
            reminder.remember(not ours.intro if ours.intro_by_reader else None, scroll_to)


def _introduction(settings: Settings | None, metas: Sequence[Meta]) -> None:
    with st.container(border=True, key="intro"):
        said, drawn = st.columns([5, 4], vertical_alignment="center")
        with said:
            st.markdown(WELCOME)
            if settings is not None:
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    st.markdown("Try:", width="content")
                    _to_try(settings, metas)
        drawn.image(figures.annotated(theme()), alt=figures.ANNOTATED, width="stretch")
        st.button(
            "Hide", key="intro_hide", on_click=_introduce, args=(False,), type="tertiary",
            icon=":material/close:", help="Help, at the top right, brings it back.",
        )  # fmt: skip


def _to_try(settings: Settings, metas: Sequence[Meta]) -> None:
    """Links that set the state of the page."""
    st.button(
        f"deploy for {TARGET:g} %", key="try_deploy", on_click=state.put, kwargs={"nac": TARGET}, type="tertiary",
        help="Asks the Deploy box for the most robust system of this accuracy.",
    )  # fmt: skip
    run = settings.certify_run
    others = [e.training for e in experiments(metas) if e.dataset == run.dataset]
    other = next((name for name in others if name != settings.choice.training), None)
    if other is not None:
        st.button(
            "compare two trainings", key="try_compare", on_click=state.put, kwargs={"with_training": [other]},
            type="tertiary", help=f"Draws the fronts of {other} beside those of {settings.choice.training}.",
        )  # fmt: skip
    if st.button(
        "certify a photograph", key="try_certify", type="tertiary",
        help="Opens the page that certifies one picture, with a photograph of a cat.",
    ):  # fmt: skip
        core = next(iter(cores(metas, ITS_DATASET)), None)
        if core is not None and any(e.dataset == ITS_DATASET for e in experiments(metas)):
            state.put(dataset=ITS_DATASET, core=core, pick="", image=None)
        st.session_state["example"] = PHOTOGRAPH
        st.switch_page(state.page("certify"))


def _introduce_again() -> None:
    _introduce(True)
    state.session().tour = None
    st.session_state[MENU] = False  # else it stays open, over what it has brought


def _begin_tour() -> None:
    state.session().tour = 0
    st.session_state[MENU] = False


def _introduce(shown: bool) -> None:
    ours = state.session()
    ours.intro, ours.intro_by_reader = shown, True


def _tour(at: int) -> None:
    """A panel at the bottom, and an outline around what it speaks of."""
    step = STEPS[at]
    st.html(f"<style>{step.where} {{ outline: 3px solid light-dark(#0072b2, #4ba6e0); outline-offset: 3px; }}</style>")
    with st.container(key="tour"):
        st.html(f'<p class="tour-step" role="status">Tour, step {at + 1} of {len(STEPS)}</p>')
        st.markdown(step.sentence)
        with st.container(horizontal=True, gap="small"):
            st.button("Back", key="tour_back", on_click=_to_step, args=(at - 1,), disabled=at == 0)
            last = at + 1 == len(STEPS)
            st.button(
                "Done" if last else "Next", key="tour_next", on_click=_to_step, args=(None if last else at + 1,),
                type="primary",
            )  # fmt: skip
            st.button("Leave", key="tour_leave", on_click=_to_step, args=(None,), shortcut="Esc", help="Ends the tour.")


def _to_step(at: int | None) -> None:
    state.session().tour = at
