"""The Paper page: figures and tables fit for a paper, of the sidebar's compositions; what is seen is what is saved."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from functools import partial

import pandas as pd
import streamlit as st

from app import data, keys
from app.content.paper_figures import PRESETS, Asked, Preset
from app.escape import markdown
from app.figures import vector
from app.figures.vector import COLUMN, TEXT_WIDTH, Look, Plate
from app.settings import Settings
from app.widgets.notices import caveats, errors_in_place, rests_on

THETAS = tuple(round(0.05 * k, 2) for k in range(21))
STEP = 0.25  # of the radii on offer
FONTS = {"serif": True, "sans": False}
SHOWN_AT = 144  # pixels an inch: half as large again as in print
WIDEST = 1100  # pixels
WIDTHS = {"column": COLUMN, "text width": TEXT_WIDTH, "other": None}


def show(settings: Settings) -> None:
    """A preset, its look and its words, the figure, and files of it."""
    with errors_in_place():
        rests_on(settings, data.composition(settings))
        key = st.selectbox(
            "Figure of the paper", list(PRESETS), key="preset", bind=keys.URL
        )  # fmt: skip
        st.caption(
            f"**{PRESETS[key].title}.** {PRESETS[key].shows} From the stored counts, at the sidebar's α, correction, "
            "bound and t."
        )
        _figure(settings, key, PRESETS[key])
    caveats(settings)


def _figure(settings: Settings, key: str, preset: Preset) -> None:
    drawn, controls = st.columns([3, 2])
    with controls:
        asked = _asked(settings, key, preset)
        look = _look(key, preset)
    with drawn:
        place = st.container()
        made = preset.make(settings, asked)
        plate = _worded(made.plate, key)
        with place:
            _preview(plate, look, preset.title)
            for sentence in made.missing:
                st.caption(markdown(sentence))
            _files(plate, look, file_name(key, settings))


def _asked(settings: Settings, key: str, preset: Preset) -> Asked:
    """Radii and thresholds, where the figure has any."""
    radii, thetas = preset.radii or (), preset.thetas or ()
    if preset.radii is not None:
        every = [STEP * k for k in range(int(settings.certify_run.noise * 4.5 / STEP) + 1)]
        options = sorted({*every, *preset.radii})
        radii = tuple(sorted(_several("Radii r, a panel each", options, preset.radii, f"radii_{key}")))
    if preset.thetas is not None:
        of_votes = settings.choice.by_votes
        options = [*(round(0.5 + 0.05 * k, 2) for k in range(1, 10))] if of_votes else [*THETAS]
        begun = (0.6, 0.7, 0.8, 0.9) if of_votes else preset.thetas
        name = f"Thresholds {settings.symbol}"
        thetas = tuple(sorted(_several(name, options, begun, f"thresholds_{key}_{settings.symbol}")))
    return Asked(radii, thetas)


def _several(label: str, options: list[float], begun: tuple[float, ...], key: str) -> list[float]:
    return st.multiselect(label, options, begun, format_func=lambda value: f"{value:g}", key=key)


def _look(key: str, preset: Preset) -> Look:
    named = next(name for name, width in WIDTHS.items() if width in (preset.width, None))
    chosen = st.segmented_control("Width", list(WIDTHS), default=named, key=f"width_{key}", required=True)
    left, right = st.columns(2)
    fixed = WIDTHS[chosen or named]
    width = left.number_input(
        "Width [in]", 1.5, 20.0, fixed or preset.width, 0.25, key=f"inches_{key}_{chosen}", disabled=fixed is not None
    )
    height = right.number_input("Height [in]", 1.0, 20.0, preset.height, 0.1, key=f"height_{key}")
    family = left.segmented_control("Font", list(FONTS), default="serif", key="font", required=True)
    size = right.number_input("Size [pt]", 5.0, 20.0, 8.0, 0.5, key="size")
    return Look(width, height, FONTS[family or "serif"], size)


def _worded(plate: Plate, key: str) -> Plate:
    """The plate in the reader's words, which stand beside its own in a table."""
    own = vector.texts(plate)
    with st.expander("Words: axes, legend, marks", icon=":material/edit:"):
        edited = st.data_editor(
            pd.DataFrame({"text": own, "in the figure": own}), key=f"words_{key}", hide_index=True, disabled=["text"],
            width="stretch", alt="Texts of the figure, and what stands there instead",
        )  # fmt: skip
        st.caption("An empty cell leaves its text, or its legend entry, out.")
    said = edited["in the figure"].fillna("").astype(str)
    return vector.relabelled(plate, dict(zip(own, said, strict=True)))


def _preview(plate: Plate, look: Look, alt: str) -> None:
    drawn = b64encode(vector.svg(plate, look).encode()).decode()
    st.image(f"data:image/svg+xml;base64,{drawn}", width=min(round(SHOWN_AT * look.width), WIDEST))
    st.caption(f"{markdown(alt)}, {look.width:g} × {look.height:g} in: this is the SVG itself.")


def _files(plate: Plate, look: Look, name: str) -> None:
    with st.container(horizontal=True):
        _download("SVG", f"{name}.svg", "image/svg+xml", partial(vector.svg, plate, look))
        _download("PDF", f"{name}.pdf", "application/pdf", partial(vector.pdf, plate, look))


def _download(label: str, file: str, mime: str, made: Callable[[], str | bytes]) -> None:
    st.download_button(
        label, made, file, mime, key=f"download-{label}", on_click="ignore", icon=":material/download:"
    )  # fmt: skip


def file_name(key: str, settings: Settings) -> str:
    """What a file is called without its ending: figure, dataset, training and sigma, in letters that any disk takes.

    >>> plain("CIFAR 10/../x"), plain("..")
    ('CIFAR-10-x', 'run')
    """
    run = settings.certify_run
    parts = (key.lower(), run.dataset, settings.choice.training, f"sigma{run.noise:g}")
    return "-".join(plain(part) for part in parts)


def plain(name: str) -> str:
    """A part of a file's name: letters, digits, dots and dashes, and no dot in front."""
    return re.sub(r"[^A-Za-z0-9]*[^A-Za-z0-9.]+[^A-Za-z0-9]*", "-", name).strip(".-")[:40] or "run"
