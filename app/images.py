"""The per-image section: CERTIFY's answers as a table with filters, and one image with what its answer rests on."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from app import data, explain, figures, state
from app.notices import errors_in_place
from app.pictures import Pictures
from app.settings import Settings
from app.views import ImageRows
from engine.aces import Outcome
from engine.runs import ABSTAIN

TABLE_HEIGHT = 320
NO_ANSWER = "—"
COLUMNS = {
    "picture": st.column_config.ImageColumn("", width=56),
    "index": st.column_config.NumberColumn("index", width=70),
    "entropy": st.column_config.ProgressColumn("median entropy", format="%.3f", min_value=0, max_value=1, width=130),
    "radius": st.column_config.NumberColumn("radius", format="%.4f", help="Certified ℓ2 radius, rounded down."),
}
BADGES = {Outcome.CERTIFIED: "blue", Outcome.CORE: "green", Outcome.CONSENSUS: "violet", Outcome.ABSTAIN: "orange"}


@st.fragment
def section(settings: Settings, theme: figures.Theme) -> None:
    """A fragment: filters and rows redraw the table and the image, not the figures above."""
    st.subheader("Images", anchor=False)
    names = data.class_names(settings.certify)
    pictures = _pictures(settings)
    with errors_in_place():
        _table(settings, names, pictures)
    left, right = st.columns([1, 3])
    with left:
        index = state.image()
    if index is not None:
        with errors_in_place():
            e = data.explanation(settings, index)
            with left:
                _verdict(e, names, pictures)
            with right:
                _figures(e, names, theme)
            _formulas(e, names)


def _pictures(settings: Settings) -> Pictures:
    with errors_in_place():
        return data.pictures(settings.certify.dataset)
    return Pictures({})


def _table(settings: Settings, names: tuple[str, ...], pictures: Pictures) -> None:
    rows = data.image_rows(settings)
    chosen = state.filters(names)
    shown = rows.where(chosen.keep(rows))
    st.caption(f"{len(shown):,} of {len(rows):,} images at θ {settings.theta:.3f}. A click on a row opens its image.")
    if not len(shown):
        st.info("No image passes these filters.")
        return
    st.dataframe(
        _frame(shown, names, pictures.thumbnails),
        column_config=COLUMNS,
        hide_index=True,
        height=TABLE_HEIGHT,
        key=state.ROWS,
        on_select=partial(state.open_clicked_row, shown),
        selection_mode="single-row",
        alt="One row an image: label, answer, outcome, certified radius and median entropy",
    )


def _frame(rows: ImageRows, names: tuple[str, ...], thumbnails: dict[int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "picture": [thumbnails.get(i) for i in rows.index.tolist()],
            "index": rows.index,
            "label": [names[k] for k in rows.label],
            "answer": [NO_ANSWER if k == ABSTAIN else names[k] for k in rows.answer],
            "answer is": rows.verdict,
            "outcome": [Outcome(k).label for k in rows.outcome],
            "radius": [float(explain.round_down(r)) for r in rows.radius],
            "entropy": rows.score_median,
        }
    )


def _verdict(e: explain.Explanation, names: tuple[str, ...], pictures: Pictures) -> None:
    png = pictures.large(e.index)
    if png is not None:
        st.image(png, alt=f"Image {e.index}, {names[e.label]}")
    answer = "no answer" if e.prediction == ABSTAIN else f"**{names[e.prediction]}**, {e.verdict}"
    st.markdown(
        f":{BADGES[e.outcome]}-badge[{e.outcome.label}] {answer}  \nlabel {names[e.label]}, core {names[e.core]}"
    )


def _figures(e: explain.Explanation, names: tuple[str, ...], theme: figures.Theme) -> None:
    _bounds(e)
    votes, share = st.columns(2)
    votes.plotly_chart(
        figures.class_votes(e, names, theme), theme=None, key="figure_votes", alt="Draws of this image by class"
    )
    share.plotly_chart(
        figures.selection_share(e, theme),
        theme=None,
        key="figure_share",
        alt="Share of the draws of this image with entropy at most θ, over θ",
    )


def _bounds(e: explain.Explanation) -> None:
    chosen = "certification" if e.chose_certify else "core"
    with st.grid(4, min_column_width=140):
        st.metric("p_S", explain.floor(e.select.p), border=True, help=f"Lower bound: the {chosen} network is selected.")
        st.metric("Radius of selection", str(explain.round_down(e.select.radius)), border=True)
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
