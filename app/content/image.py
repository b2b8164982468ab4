"""One image: what the networks see, how they vote, how far the answer is certain at every theta, and why."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import actions, data, keys, state
from app.components.chart import chart
from app.escape import markdown
from app.services.pictures import Pictures, noisy_copies
from app.settings import Settings
from app.widgets.panels import theme
from engine import figures
from engine.arrays import ABSTAIN
from engine.statistics import explain
from engine.statistics.aces import Outcome

COPIES = 4
BADGES = {Outcome.CERTIFIED: "blue", Outcome.CORE: "green", Outcome.CONSENSUS: "violet", Outcome.ABSTAIN: "orange"}

CERTIFIED = "Certified radius {R}"
WITHOUT = {
    Outcome.CORE: "No certificate: the core network answers",
    Outcome.CONSENSUS: "No certificate: an answer by consensus",
    Outcome.ABSTAIN: "No certificate: no answer",
}


def bar(listed: Sequence[int]) -> int | None:
    """Which image is open, by its index or from one of those ``listed`` to the next; None if none is."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="image_bar"):
        st.markdown("**Image**", width="content")
        index = _opened()
        if index is None:
            st.caption("Click a row, a picture, or type an index.", width="content")
            return None
        before, after = listed[: bisect_left(listed, index)], listed[bisect_right(listed, index) :]
        _step("Previous", before[-1] if before else None, "k")
        _step("Next", after[0] if after else None, "j")
        st.button(
            "Close",
            key="close_image",
            on_click=actions.open_image,
            args=(None,),
            shortcut="Esc",
            help="Escape does it as well.",
        )
    return index


def _step(label: str, to: int | None, key: str) -> None:
    st.button(
        label,
        key=f"{label.lower()}_image",
        on_click=actions.open_image,
        args=(to,),
        disabled=to is None,
        shortcut=key,
        help=f"To the {label.lower()} one of the images that are listed: {key.upper()} on the keyboard.",
    )


def show(settings: Settings, index: int, names: tuple[str, ...], pictures: Pictures) -> None:
    """Verdict and pictures beside the bounds; votes, scores and radii over theta; the formulas."""
    shown = tuple(map(markdown, names))
    if settings.choice.by_votes or settings.choice.then is not None:
        _answered(settings, index, shown, pictures)
        return
    e = data.explanation(settings, index)
    _headline(e.outcome, e.radius)
    left, right = st.columns([2, 5])
    with left:
        _verdict(e, shown, pictures)
    with right:
        _seen(e, pictures, settings)
        _bounds(e)
    votes, share, over = st.columns(3)
    with votes:
        chart(figures.class_votes(e, names, theme()), "figure_votes", "Draws of this image by class")
    with share:
        alt = "Share of the draws of this image that select the certification network, over θ"
        chart(figures.selection_share(e, theme()), "figure_share", alt, at=settings.turned)
    with over:
        answer = data.over_thetas_of(settings, index)
        alt = "Both radii of this image over θ, above the outcome at every θ"
        figure = figures.bounds_over_theta(answer, settings.theta, theme(), follows=True)
        chart(figure, "figure_bounds", alt, at=settings.turned)
    _formulas(e, shown)


def followed(settings: Settings, index: int | None) -> dict[str, Any] | None:
    """What live.js has to know of the image that is open, for its headline and its tiles to follow the dials."""
    if index is None or settings.choice.by_votes or settings.choice.then is not None:
        return None
    headlines = [CERTIFIED if outcome is Outcome.CERTIFIED else WITHOUT[outcome] for outcome in Outcome]
    return {"index": index, "headlines": headlines, "undecided": explain.UNDECIDED}


def _headline(outcome: Outcome, radius: float) -> None:
    """How far the answer is certain: what one opens an image for."""
    certified = CERTIFIED.replace("{R}", str(explain.round_down(radius)))
    with st.container(key="image_headline"):
        st.header(certified if outcome is Outcome.CERTIFIED else WITHOUT[outcome], anchor=False)


def _answered(settings: Settings, index: int, names: tuple[str, ...], pictures: Pictures) -> None:
    """The answer of a chain, or where the votes select: whose it is, and its radii over the threshold."""
    over, rows = data.over_thetas_of(settings, index), data.image_rows(settings)
    one = rows.where(rows.index == index)
    answer = data.answer(settings)
    at = int((answer.index == index).argmax())
    outcome = Outcome(answer.outcome[at, 0])
    _headline(outcome, float(answer.radius[at, 0]))
    left, right = st.columns([2, 5])
    with left:
        png = pictures.large(index)
        if png is not None:
            st.image(png, alt=f"Image {index}, {names[one.label[0]]}", width=160)
        said = "no answer" if one.answer[0] == ABSTAIN else f"**{names[one.answer[0]]}**, {one.verdict[0]}"
        st.markdown(
            f":{BADGES[outcome]}-badge[{outcome.label}] {said}  \nlabel {names[one.label[0]]}, "
            f"core {names[answer.core[at]]}"
        )
        if one.stage is not None:
            st.markdown(f"guessed to answer: **{_stage(one.stage[0])}**")
    with right:
        with st.grid(3, min_column_width=140):
            radii = {"Radius": answer.radius, "Radius of selection": answer.radius_select,
                     "Radius of class": answer.radius_certify}  # fmt: skip
            for label, values in radii.items():
                st.metric(label, str(explain.round_down(values[at, 0])), border=True)
        alt = "Both radii of this image over the threshold, above the outcome at every one"
        figure = figures.bounds_over_theta(over, settings.theta, theme(), settings.symbol)
        chart(figure, "figure_bounds", alt, at=settings.turned)
        st.caption(
            "The radius is the least of the answering stage's two and of those within which the stages before it hand "
            "on."
        )
    _formulas(data.explanation(settings, index), names)


def _stage(name: str) -> str:
    return "the core network" if name == "core" else f"stage {name}"


def _verdict(e: explain.Explanation, names: tuple[str, ...], pictures: Pictures) -> None:
    png = pictures.large(e.index)
    if png is not None:
        st.image(png, alt=f"Image {e.index}, {names[e.label]}", width=160)
    answer = "no answer" if e.prediction == ABSTAIN else f"**{names[e.prediction]}**, {e.verdict}"
    st.markdown(
        f":{BADGES[e.outcome]}-badge[{e.outcome.label}] {answer}  \nlabel {names[e.label]}, core {names[e.core]}"
    )


def _seen(e: explain.Explanation, pictures: Pictures, settings: Settings) -> None:
    """Noisy copies as the smoothed networks are evaluated on; fixed draws for show, not those of the run."""
    tensor, sigma, smoothing = pictures.images.get(e.index), settings.certify_run.noise, settings.smoothing
    if tensor is None:
        st.caption("The pixels of this image do not ship; they appear once the dataset lies in the data folder.")
        return
    st.image(
        noisy_copies(tensor, sigma, COPIES, smoothing),
        caption=f"What the networks are evaluated on: copies under {smoothing.label} of σ {sigma:g}, clipped for show.",
        alt=f"{COPIES} noisy copies",
    )


def _bounds(e: explain.Explanation) -> None:
    p_s, radius = explain.UNDECIDED, "—"
    about = "No lower bound: between thresholds that guess differently the selection is undecided."
    if e.select is not None:
        p_s, radius = explain.floor(e.select.p), str(explain.round_down(e.select.radius))
        about = f"Lower bound: the {e.selected} network is selected."
    with st.container(key="image_bounds"), st.grid(4, min_column_width=140):
        st.metric("p_S", p_s, border=True, help=about)
        st.metric("Radius of selection", radius, border=True)
        st.metric(
            "p_A", explain.floor(e.certify.p), border=True, help="Lower bound: the class ĉ is answered under noise."
        )
        st.metric("Radius of class", str(explain.round_down(e.certify.radius)), border=True)


def _formulas(e: explain.Explanation, names: tuple[str, ...]) -> None:
    with st.expander("Explain these numbers", expanded=True):
        for sentence, tex in explain.formulas(e, names):
            words, formula = st.columns([2, 3], vertical_alignment="center")
            words.markdown(sentence)
            formula.latex(tex)


def _opened() -> int | None:
    """The image that is open, by its position in the split; None if none is."""
    opened = st.number_input(
        "Image",
        min_value=0,
        value=None,
        step=1,
        key="image",
        bind=keys.URL,
        placeholder="index",
        width=140,
        help="The image's position in the split.",
        label_visibility="collapsed",
    )
    state.puts_are_drawn("image")
    return opened
