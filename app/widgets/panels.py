"""What several pages show alike: a tile with its interval, what is picked, the notes and badges of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from app import actions, state
from app.settings import NO_MARGIN, Choice, Settings, alpha_text, spread
from app.tables.looks import looks
from engine import figures
from engine.figures import overlay
from engine.figures.views import Front
from engine.statistics.intervals import Estimate

TILE_WIDTH = 150


def polled(draw: Callable[..., None], every: float | None, *arguments: Any) -> None:
    """``draw(*arguments)``, again every so many seconds, in a container of its own.

    When a fragment runs again, Streamlit 1.67 drops those of its elements that have not been sent. What comes after
    them in the same container would then arrive first, at a place that does not exist yet: the whole page goes blank.
    """
    with st.container():
        st.fragment(draw, run_every=every)(*arguments)


def theme(settings: Settings | None = None) -> figures.Theme:
    """The colours of the reader's scheme; with ``settings``, given to its compositions as these say."""
    scheme = figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
    return scheme if settings is None else replace(scheme, looks=looks(settings.compositions, settings.colour))


def picked(how: str, *, is_list: bool = False) -> None:
    """How many images are picked, a link to them unless they are listed here, and a way to let all through again.

    ``how`` to pick some is said while none are.
    """
    count = len(state.picked())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="picked"):
        if not count:
            st.caption(how)
            return
        st.markdown(f"**{count:,}** {'image' if count == 1 else 'images'} picked", width="content")
        if not is_list:
            st.page_link(state.page("images"), label="Show them", icon=":material/image_search:", width="content")
        st.button("Clear", key="unpick", on_click=actions.pick, args=((),), type="tertiary", help="Let all through.")


def number(value: float, form: str) -> str:
    """A number as a tile shows it; NaN is missing."""
    return "missing" if math.isnan(value) else format(value, form)


def tile(label: str, e: Estimate, unit: str, images: int, about: str, beside: Estimate | None = None) -> None:
    """A number with its interval and the images it rests on, or its difference to what is pinned."""
    form = ".1f" if unit else ".3f"
    below = f"n {images:,}" if beside is None else f"Δ {number(e.value - beside.value, f'+{form}')}"
    against = "" if beside is None else " Δ: the difference to what is pinned as A."
    st.metric(
        label,
        f"{number(e.value, form)} {unit}".strip(),
        delta=f"{number(e.low, form)}–{number(e.high, form)}",
        delta_color="off",
        delta_arrow="off",
        delta_description=below,
        border=True,
        help=f"{about} Below: its 95 % interval over {images:,} images.{against}",
    )


def paper_notes(settings: Settings, radius: float | None = None) -> None:
    """What of the chosen tables of the paper is not on the page, or means another thing there."""
    notes = overlay.notes(overlay.chosen(settings.paper), settings.alpha, radius)
    if notes:
        st.caption(" ".join(notes))


def chosen_after_looking(settings: Settings) -> None:
    """What choosing among the compositions in view does to their promise, what keeps it, and that they share noise."""
    compared = settings.compared
    count, alpha = len(compared), settings.alpha
    if count < 2:
        return
    st.caption(
        f"{count} compositions are compared, core networks aside, at α {alpha_text(alpha)} each. To choose σ, "
        "training, network or selection after looking is a choice like θ's: on an image that was looked at, the "
        f"promise of the one chosen fails with probability at most {count} α = {min(count * alpha, 1):.3g} over the "
        "sampling. Other images need no correction." + same_noise(compared)
    )
    share = spread(alpha, count)
    st.button(
        f"Use α = {share:g}",
        key="spread_alpha",
        on_click=actions.set_alpha,
        args=(share,),
        type="tertiary",
        help=f"α / {count}: keeps {alpha_text(alpha)} for whichever of the {count} is chosen.",
    )


def same_noise(compared: Sequence[Choice]) -> str:
    """Whether the compositions' certification runs were drawn under one seed, in words."""
    seeds = {choice.certify_run.seed for choice in compared}
    if len(seeds) != 1 or None in seeds:
        return ""
    return (
        f" All were sampled with seed {seeds.pop()}, under the same noise: differences are steadier for it, and where "
        "one errs by chance others may with it."
    )


def bounds_differ(settings: Settings) -> None:
    """A badge where some of the compositions drawn have no margin, which the others have."""
    without, every = len(settings.without_margin), len(settings.compositions)
    if 0 < without < every:
        st.caption(
            f":orange-badge[:material/warning: {without} of {every} compositions have the complement, no margin] "
            f"({NO_MARGIN}): part of the differences are those of the bounds."
        )


def subsets_differ(fronts: Sequence[Front]) -> None:
    """A badge where fronts rest on different images, which no reader should compare unawares."""
    if len({front.subset for front in fronts}) > 1:
        sizes = ", ".join(f"{size:,}" for size in sorted({front.images for front in fronts}))
        st.caption(
            f":orange-badge[:material/warning: These compositions rest on different images] ({sizes}): their "
            "differences are partly those of the images."
        )
