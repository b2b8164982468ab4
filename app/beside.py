"""*Compare with*: what is drawn beside the current composition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import streamlit as st

from app import catalog
from app.keys import (
    NOISES,
    PICKED,
    URL,
)
from app.settings import (
    BY_VOTES,
    COLOURS,
    MAX_FRONTS,
    Choice,
    Settings,
    combinations,
    pinned,
)
from app.studies import Offered
from engine.figures import overlay
from engine.smoothing import GAUSSIAN
from engine.statistics.bounds import MAJORITY
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

Component = TypeVar("Component")


def choose(settings: Settings, found: Offered, others: Sequence[Offered]) -> Settings:
    """What is drawn beside the current composition: other components, the paper, what is pinned."""
    with st.expander("Compare with", icon=":material/stacked_line_chart:"):
        also = _collections(found, others)
        called = found.study.called
        trainings = _others(
            "Trainings", "with_training", found.trainings, settings.choice.training,
            "Certification networks by other trainings, each drawn as fronts of its own.",
        )  # fmt: skip
        networks = _others(
            "Core networks", "with_core", found.cores_for(settings.certify_run), settings.core_run.name,
            "Other networks that answer what is not selected, each drawn as fronts of its own.", called,
        )  # fmt: skip
        selects = found.selections_for(settings.certify_run, settings.core_run)
        mechanisms = _others(
            "Selections", "with_select", selects, settings.choice.selection,
            "Other mechanisms that select: entropy, votes, or a selection network.", called,
        )  # fmt: skip
        noises = st.segmented_control(
            "Noise levels", NOISES, key="noises", bind=URL, default=NOISES[0], required=True,
            help="Fronts at every noise level at which these networks were sampled, or only at that of the sidebar.",
        )  # fmt: skip
        colour = st.segmented_control(
            "Colour by", COLOURS, key="colour", bind=URL, default=COLOURS[0], required=True,
            help="A colour and a dash for every composition; or a colour for every σ, or for every training, and a "
            "dash for every core network or, of one, for the other of the two. Shapes of marks always differ.",
        )  # fmt: skip
        paper = _paper(found.dataset) if settings.smoothing == GAUSSIAN else ()  # its radii are ℓ2
        convention = st.selectbox(
            "Abstentions at r = 0", list(Convention), format_func=str, key="convention", bind=URL,
            help="How abstentions count at r = 0: as in Algorithm 1, or as in the paper's printed tables.",
        )  # fmt: skip
    noise = settings.certify_run.noise if noises == NOISES[1] else None
    asked = combinations(trainings, networks, mechanisms, noise, settings.smoothing.norm, found.study.name)
    asked += tuple(choice for one in also for choice in _of_other(one, settings, noise))
    settings = replace(settings, drawn=_drawn(asked, settings.choice), colour=colour or COLOURS[0], paper=paper)
    settings = _pinned(settings, found, others)
    return _counted_by(Convention(convention or Convention.ALGORITHM), settings)


def _drawn(asked: Sequence[Choice], current: Choice) -> tuple[Choice, ...]:
    """Of what is asked for that which can be drawn, the current composition always; what is left out is said."""
    every = tuple(choice for choice in asked if catalog.fits(choice.certify_run, choice.core_run, choice.select_run))
    if len(every) < len(asked):
        st.caption(
            f"{len(asked) - len(every)} of {len(asked)} compositions are not drawn: their runs were evaluated on other "
            "images, or number them differently."
        )
    if len(every) > MAX_FRONTS:
        st.caption(f"{MAX_FRONTS} of {len(every)} compositions are drawn: choose fewer components.")
    return every[:MAX_FRONTS] if current in every[:MAX_FRONTS] else (*every[: MAX_FRONTS - 1], current)


def _pinned(settings: Settings, found: Offered, others: Sequence[Offered]) -> Settings:
    """With what is pinned, of this dataset and noise; else with the name of that which it is of, or that it is gone."""
    text = _kept("pin")
    _kept(PICKED)
    same = [found, *(other for other in others if other.dataset == found.dataset)]
    pin = next((p for one in same if (p := pinned(text, one.every, one.certifying))), None)
    of = [] if pin else [other.dataset for other in others if pinned(text, other.every, other.certifying)]
    if pin is not None and pin.choice.certify_run.smoothing_card.norm != settings.smoothing.norm:
        of = [f"{found.dataset} under {pin.choice.certify_run.smoothing_card.label}"]
        pin = None
    lost = bool(text) and pin is None and not of
    return replace(settings, pin=pin, pin_lost=lost, pin_of=of[0] if of else "")


def _counted_by(rule: Convention, settings: Settings) -> Settings:
    """By a convention, of which the paper's fixes other settings too: what it changes is said."""
    if rule is not Convention.PAPER:
        return replace(settings, convention=rule)
    if settings.choice.by_votes or settings.choice.then is not None:
        st.caption("The paper's convention knows one stage, and a score that selects: choose the other for this one.")
    if settings.t != MAJORITY:
        st.caption("The paper's convention counts by a majority: t is 0.5 while it is chosen.")
    if settings.bound is not Bound.COMPLEMENT:
        st.caption("The paper's convention knows no margin: the bound is the complement while it is chosen.")
    return replace(settings, convention=rule, t=MAJORITY, bound=Bound.COMPLEMENT)


def _collections(found: Offered, others: Sequence[Offered]) -> list[Offered]:
    """The other collections of the dataset that are laid beside the one that is looked at."""
    same = {other.study.name: other for other in others if other.dataset == found.dataset}
    if not same:
        return []
    chosen = st.multiselect(
        "Collections", list(same), key="with_collection", bind=URL, placeholder="only the current one",
        help="Other studies of this dataset: of each the same training, or all if it has none of that name, with the "
        "first core network that was evaluated on its images.",
    )  # fmt: skip
    return [other for name, other in same.items() if name in chosen]


def _of_other(other: Offered, settings: Settings, noise: float | None) -> list[Choice]:
    """What is drawn of another collection: it has components of its own names, of which none was chosen."""
    training, select = settings.choice.training, BY_VOTES if settings.choice.by_votes else None
    wanted = [other.trainings[training]] if training in other.trainings else list(other.trainings.values())
    runs = [run for e in wanted for run in e.runs]
    core = {run.name: next(iter(other.cores_for(run).values())) for run in runs}
    made = combinations(wanted, list(other.cores.values()), [select], noise, settings.smoothing.norm, other.study.name)
    return [choice for choice in made if choice.core_run == core[choice.certify_run.name]]


def _others(
    title: str, key: str, of: Mapping[str, Component], current: str, about: str, called: Mapping[str, str] | None = None
) -> list[Component]:
    """The current component and those chosen beside it, in the order of the catalog."""
    if len(of) == 1:
        return list(of.values())
    chosen = st.multiselect(
        title, list(of), key=key, bind=URL, placeholder="only the current one", help=about,
        format_func=lambda name: (called or {}).get(name, name),
    )  # fmt: skip
    return [value for name, value in of.items() if name == current or name in chosen]


def _kept(key: str) -> str:
    """A text in the URL that buttons write and nobody types: its box is hidden (style.css)."""
    return st.text_input(key, key=key, bind=URL, label_visibility="collapsed") or ""


def _paper(dataset: str) -> tuple[str, ...]:
    chosen = st.multiselect(
        "The paper's tables",
        overlay.matching(dataset),
        key="paper",
        bind=URL,
        placeholder="none",
        help="Tables 2 to 17 of Horváth et al. 2022 as hollow marks: other networks and images, the same axes.",
    )
    return tuple(chosen)
