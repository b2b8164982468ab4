"""The Paper page: figures and tables fit for a paper, of the sidebar's compositions; what is seen is what is saved."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from zlib import crc32

import pandas as pd
import streamlit as st

from app import data, keys
from app.content.paper_tables import CORE, SMOOTHED, TABLES, PaperTable, written
from app.escape import markdown
from app.settings import Settings, alpha_text
from app.widgets import following
from app.widgets.notices import caveats, errors_in_place, rests_on
from engine import latex
from engine.figures import vector
from engine.figures.presets import PRESETS, PaperFigure, Wanted
from engine.figures.vector import COLUMN, TEXT_WIDTH, Look, Plate
from engine.tables import Format, render

THETAS = tuple(round(0.05 * k, 2) for k in range(21))
SHARES = tuple(round(0.5 + 0.05 * k, 2) for k in range(1, 10))  # p0, where votes select
STEP = 0.25  # of the radii on offer
FONTS = {"serif": True, "sans": False}
SHOWN_AT = 144  # pixels an inch: half as large again as in print
WIDEST = 1100  # pixels
TABLE_DIALS = ("votes", "alpha")  # that tables depend on, beside the noise
WORDS = "paper_words"  # in the session: the reader's, by the figures' own
WIDTHS = {"column": COLUMN, "text width": TEXT_WIDTH, "other": None}


def show(settings: Settings) -> None:
    """A preset, its look and its words, the figure, and files of it."""
    with errors_in_place():
        rests_on(settings, data.composition(settings))
        key = st.selectbox(
            "Figure or table of the paper", [*PRESETS, *TABLES], key="preset", bind=keys.URL,
            help="Which one to make, of the runs and at the settings of the sidebar.",
        )  # fmt: skip
        preset = TABLES[key] if key in TABLES else PRESETS[key]
        st.caption(
            f"**{preset.title}.** {preset.shows} From the stored counts, at the sidebar's α, correction, bound and t."
        )
        if isinstance(preset, PaperTable):
            _table(settings, key, preset)
        else:
            _figure(settings, key, preset)
    caveats(settings)
    following.show(settings, ())


def _figure(settings: Settings, key: str, preset: PaperFigure) -> None:
    asked = _asked(settings, key, preset)
    look = _look(key, preset)
    place = st.container()
    made = preset.make(data, settings, asked)
    plate = _worded(made.plate, key)
    with place:
        with following.waits("preview", *preset.dials, "sigma"):
            _preview(plate, look, preset.title)
        for sentence in made.missing:
            st.caption(markdown(sentence))
        _files(plate, look, file_name(key, settings))


def _asked(settings: Settings, key: str, preset: PaperFigure) -> Wanted:
    """Radii and thresholds, where the figure has any."""
    radii, thetas = preset.radii or (), preset.thetas or ()
    if preset.radii is not None:
        offered = _radii(settings, preset.radii)
        radii = tuple(sorted(_several("Radii r, a panel each", offered, preset.radii, f"radii_{key}")))
    if preset.thetas is not None:
        thetas = _thetas(settings, key, preset.thetas)
    return Wanted(radii, thetas)


def _table(settings: Settings, key: str, preset: PaperTable) -> None:
    """The table as it will print, and files of it."""
    left, right = st.columns(2)
    with left:
        radii = tuple(sorted(_several("Radii r", _radii(settings, preset.radii), preset.radii, f"radii_{key}")))
        with_selection = st.toggle(
            "Certified selection rate", preset.with_selection, key=f"selection_{key}",
            help="Its rows too: how many images are certainly sent to the certification network at each radius.",
        )  # fmt: skip
    with right:
        thetas = _thetas(settings, key, preset.thetas)
        alone = st.multiselect(
            "Networks alone", (SMOOTHED, CORE), (SMOOTHED, CORE), key=f"alone_{key}",
            help="Rows of the networks by themselves, without ACES.",
        )  # fmt: skip
    made = written(settings, preset.of_all, radii, thetas, alone, with_selection)
    name = file_name(key, settings)
    caption = st.text_area(
        "Caption", _caption(settings, with_selection), key=f"caption_{key}", height=80, help="Stands above the table."
    )
    table = replace(made.table, caption=caption, label=name)
    rows = latex.plain_rows(table)
    narrow = {name: st.column_config.TextColumn(_narrow(name), help=name) for name in rows[0]}
    with following.waits("preview", *TABLE_DIALS, "sigma"):
        st.dataframe(rows, hide_index=True, column_config=narrow, alt=f"{key}: {preset.title}")
    for sentence in made.missing:
        st.caption(markdown(sentence))
    st.caption("Bold in the LaTeX: the largest of its column among the rows of one σ, as printed.")
    with st.container(horizontal=True):
        _download("LaTeX", f"{name}.tex", "text/plain", partial(latex.render, table))
        _download("CSV", f"{name}.csv", "text/csv", partial(render, rows, Format.CSV))
    with st.expander("LaTeX", icon=":material/code:"):
        st.code(latex.render(table), language="latex")


def _narrow(name: str) -> str:
    """A column's name as short as the page needs it: the whole one is its help."""
    return name.replace("certified accuracy at", "cert.").replace("selected at", "sel.")


def _caption(settings: Settings, with_selection: bool) -> str:
    run = settings.certify_run
    rates = "certified accuracy and selection rate" if with_selection else "certified accuracy"
    return (
        f"Natural accuracy (NAC, %), average certified radius (ACR), and {rates} (%) at various radii on {run.dataset} "
        f"with σ = {run.noise:g}, α = {alpha_text(settings.alpha)} ({settings.correction}, {settings.bound_used}), "
        f"over {len(data.composition(settings)):,} images. Certification network: {run.name}; core network: "
        f"{settings.core_run.name}."
    )


def _radii(settings: Settings, begun: tuple[float, ...]) -> list[float]:
    """The radii on offer."""
    return sorted({*(STEP * k for k in range(int(data.largest_radius(settings) / STEP) + 1)), *begun})


def _thetas(settings: Settings, key: str, begun: tuple[float, ...]) -> tuple[float, ...]:
    of_votes = settings.choice.by_votes
    options = [*(SHARES if of_votes else THETAS)]
    name = f"Thresholds {settings.symbol}"
    chosen = _several(name, options, SHARES[1::2] if of_votes else begun, f"thresholds_{key}_{settings.symbol}")
    return tuple(sorted(chosen))


def _several(label: str, options: list[float], begun: tuple[float, ...], key: str) -> list[float]:
    return st.multiselect(
        label, options, begun, format_func=lambda value: f"{value:g}", key=key, help="Those that are drawn or printed."
    )


def _look(key: str, preset: PaperFigure) -> Look:
    named = next(name for name, width in WIDTHS.items() if width in (preset.width, None))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Width", list(WIDTHS), default=named, key=f"width_{key}", required=True,
            help="A column or the whole width of a page of text, or a width of your own.",
        )  # fmt: skip
        fixed = WIDTHS[chosen or named]
        width = fixed or st.number_input(
            "Width [in]", 1.5, 20.0, preset.width, 0.25, key=f"inches_{key}", width=130, help="Of the file, in inches."
        )
        height = st.number_input(
            "Height [in]", 1.0, 20.0, preset.height, 0.1, key=f"height_{key}", width=130, help="Of the file, in inches."
        )
        family = st.segmented_control(
            "Font",
            list(FONTS),
            default="serif",
            key="paper_font",
            required=True,
            help="The family; the file embeds it.",
        )
        size = st.number_input(
            "Size [pt]", 5.0, 20.0, 8.0, 0.5, key="paper_size", width=130, help="Of its letters, in points."
        )
    return Look(width, height, FONTS[family or "serif"], size)


def _worded(plate: Plate, key: str) -> Plate:
    """The plate in the reader's words, which stand beside its own in a table and are kept for the session."""
    own = vector.texts(plate)
    known: dict[str, str] = st.session_state.setdefault(WORDS, {})
    table = f"words_{key}_{crc32(repr(own).encode()):x}"  # another table where the figure has other texts
    begun = st.session_state.setdefault(f"{table}_begun", [known.get(text, text) for text in own])
    with st.expander("Words: axes, legend, marks", icon=":material/edit:"):
        edited = st.data_editor(
            pd.DataFrame({"text": own, "in the figure": begun}), key=table, hide_index=True, disabled=["text"],
            width="stretch", alt="Texts of the figure, and what stands there instead",
        )  # fmt: skip
        st.caption("An empty cell leaves its text, or its legend entry, out.")
    said = dict(zip(own, edited["in the figure"].fillna("").astype(str), strict=True))
    known |= said
    return vector.relabelled(plate, said)


def _preview(plate: Plate, look: Look, alt: str) -> None:
    drawn = b64encode(vector.svg(plate, look).encode()).decode()
    width = min(round(SHOWN_AT * look.width), WIDEST)
    st.image(f"data:image/svg+xml;base64,{drawn}", width=width, alt=f"{alt}, as it will print")
    st.caption(f"{markdown(alt)}, {look.width:g} × {look.height:g} in: this is the SVG itself.")


def _files(plate: Plate, look: Look, name: str) -> None:
    with st.container(horizontal=True):
        _download("SVG", f"{name}.svg", "image/svg+xml", partial(vector.svg, plate, look))
        _download("PDF", f"{name}.pdf", "application/pdf", partial(vector.pdf, plate, look))


def _download(label: str, file: str, mime: str, made: Callable[[], str | bytes]) -> None:
    st.download_button(
        label, made, file, mime, key=f"download-{label}", on_click="ignore", icon=":material/download:", help=file
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
