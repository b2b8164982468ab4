"""What several pages show alike: a figure, a tile with its interval, the badges of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import figures
from app.views import Estimate, Front

TILE_WIDTH = 150


def theme() -> figures.Theme:
    """The colours of the reader's scheme."""
    return figures.DARK if st.context.theme.type == "dark" else figures.LIGHT


def tile(label: str, e: Estimate, unit: str, images: int, about: str, beside: Estimate | None = None) -> None:
    """A number with its interval and the images it rests on, or its difference to what is pinned."""
    digits = 1 if unit else 3
    below = f"n {images:,}" if beside is None else f"A {e.value - beside.value:+.{digits}f}"
    st.metric(
        label,
        f"{e.value:.{digits}f} {unit}".strip(),
        delta=f"{e.low:.{digits}f}–{e.high:.{digits}f}",
        delta_color="off",
        delta_arrow="off",
        delta_description=below,
        border=True,
        help=f"{about} Below: its 95 % interval over {images:,} images.",
    )


def subsets_differ(fronts: Sequence[Front]) -> None:
    """A badge where fronts rest on different images, which no reader should compare unawares."""
    if len({front.subset for front in fronts}) > 1:
        sizes = ", ".join(f"{size:,}" for size in sorted({front.images for front in fronts}))
        st.caption(
            f":orange-badge[:material/warning: These compositions rest on different images] ({sizes}): their "
            "differences are partly those of the images."
        )
