"""What several pages show alike: a figure, a tile with its interval, the badges of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app import figures, state
from app.views import Estimate, Front

TILE_WIDTH = 150


def polled(draw: Callable[..., None], every: float | None, *arguments: Any) -> None:
    """``draw(*arguments)``, again every so many seconds, in a container of its own.

    When a fragment runs again, Streamlit 1.67 drops those of its elements that have not been sent. What comes after
    them in the same container would then arrive first, at a place that does not exist yet: the whole page goes blank.
    """
    with st.container():
        st.fragment(draw, run_every=every)(*arguments)


def theme() -> figures.Theme:
    """The colours of the reader's scheme."""
    return figures.DARK if st.context.theme.type == "dark" else figures.LIGHT


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
        st.button("Clear", key="unpick", on_click=state.pick, args=((),), type="tertiary", help="Let all through.")


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


def subsets_differ(fronts: Sequence[Front]) -> None:
    """A badge where fronts rest on different images, which no reader should compare unawares."""
    if len({front.subset for front in fronts}) > 1:
        sizes = ", ".join(f"{size:,}" for size in sorted({front.images for front in fronts}))
        st.caption(
            f":orange-badge[:material/warning: These compositions rest on different images] ({sizes}): their "
            "differences are partly those of the images."
        )
