"""The Images page: CERTIFY's answers as a map, a table and a gallery, with filters; on top the image that is open."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from app import actions, data, figures, keys
from app.components.chart import chart
from app.content import image
from app.escape import markdown
from app.services.pictures import Pictures
from app.settings import Settings
from app.tables.views import ImageRows
from app.widgets import downloads, filters, following
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import picked, theme
from engine.arrays import ABSTAIN
from engine.mechanisms import Words
from engine.statistics import explain
from engine.statistics.aces import Outcome

TABLE_HEIGHT, ON_A_PAGE = 300, 60
VIEWS = ("Table", "Gallery")
NO_ANSWER = "—"
COLUMNS = {
    "picture": st.column_config.ImageColumn("", width=44),
    "index": st.column_config.NumberColumn("index", width=52),
    "answer is": st.column_config.TextColumn("verdict", width=66, help="Whether the answer is the label."),
    "outcome": st.column_config.TextColumn("outcome", width=72),
    "stage": st.column_config.TextColumn("stage", width=56, help="Which stage was guessed to answer."),
    "radius": st.column_config.NumberColumn("radius", format="%.4f", width=60, help="Certified radius, rounded down."),
}


def show(settings: Settings) -> None:
    """Which images, and what each is answered."""
    with errors_in_place():
        rests_on(settings, data.composition(settings))
        names, pictures = data.class_names(settings.certify_run), _pictures(settings)
        opened = st.container()
        listed = _choose(settings, names, pictures)
        with opened, errors_in_place():
            index = image.bar(listed)
            if index is not None:
                image.show(settings, index, names, pictures)
    caveats(settings)
    following.show(settings, ())


def _pictures(settings: Settings) -> Pictures:
    with errors_in_place():
        return data.pictures(settings.certify_run)
    return Pictures({})


def _choose(settings: Settings, names: tuple[str, ...], pictures: Pictures) -> list[int]:
    """Filters, map and list; the images that are listed, by rising index."""
    rows = data.image_rows(settings)
    chosen = filters.filters(names, data.largest_radius(settings))
    shown = rows.where(chosen.keep(rows))
    left, right = st.columns([2, 3])
    with left:
        drawn = _map(shown, settings)
        picked("A click on a mark, a box or a lasso picks images.", is_list=True)
    with right:
        said, view = st.columns([3, 2], vertical_alignment="center")
        said.caption(
            f"{len(shown):,} of {len(rows):,} images at {settings.symbol} {settings.theta:.3f}. Click one to open it."
        )
        look = VIEWS[0]
        if pictures.images:
            look = view.segmented_control(
                "View",
                VIEWS,
                key="view",
                bind=keys.URL,
                default=look,
                required=True,
                label_visibility="collapsed",
                help="One row an image, or their pictures.",
            )
        if not len(shown):
            st.info("No image passes these filters.")
        elif look == VIEWS[1]:
            _gallery(shown, names, pictures)
        else:
            _table(shown, names, pictures, settings.mechanism)
    downloads.menu("images", settings, {"map": drawn}, lambda: downloads.image_table(settings))
    return sorted(shown.index.tolist())


def _map(shown: ImageRows, settings: Settings) -> figures.Sketch:
    score = settings.mechanism.score
    figure = figures.images(shown, None if settings.choice.by_votes else settings.theta, score, theme())
    alt = f"Every image by median {score} and certified radius, a shape per outcome; a lasso picks images"
    chart(figure, keys.MAP, alt, partial(actions.pick_marked, keys.MAP), "lasso", at=settings.turned)
    return figure


def _table(shown: ImageRows, names: tuple[str, ...], pictures: Pictures, selection: Words) -> None:
    about = f"The draws' {selection.median}: a draw selects the certification network where it is at most θ."
    score = st.column_config.NumberColumn(selection.short, format="%.3f", width=56, help=about)
    st.dataframe(
        _frame(shown, names, pictures.thumbnails),
        column_config={**COLUMNS, "score": score},
        hide_index=True,
        placeholder="missing",
        height=TABLE_HEIGHT,
        key=keys.ROWS,
        on_select=partial(actions.open_clicked_row, shown),
        selection_mode="single-row",
        alt=f"One row per image: label, answer, outcome, certified radius and {selection.median}",
    )


def _frame(rows: ImageRows, names: tuple[str, ...], thumbnails: dict[int, str]) -> pd.DataFrame:
    pictures = {"picture": [thumbnails.get(i) for i in rows.index.tolist()]} if thumbnails else {}
    return pd.DataFrame(
        pictures
        | {
            "index": rows.index,
            "label": [names[k] for k in rows.label],
            "answer": [NO_ANSWER if k == ABSTAIN else names[k] for k in rows.answer],
            "answer is": rows.verdict,
            "outcome": [Outcome(k).label for k in rows.outcome],
            "radius": [float(explain.round_down(r)) for r in rows.radius],
            **({"stage": rows.stage} if rows.stage is not None else {}),
            "score": rows.score_median,
        }
    )


def _gallery(shown: ImageRows, names: tuple[str, ...], pictures: Pictures) -> None:
    """Pictures to click on, a page at a time."""
    pages = -(-len(shown) // ON_A_PAGE)
    page = st.pagination(pages, key="gallery_page") if pages > 1 else 1
    part = shown.index[ON_A_PAGE * (page - 1) : ON_A_PAGE * page].tolist()
    label = dict(zip(shown.index.tolist(), shown.label.tolist(), strict=True))
    st.pills(
        "Gallery",
        [i for i in part if i in pictures.images],
        format_func=lambda i: f"![{i}: {markdown(names[label[i]])}]({pictures.thumbnails[i]})",
        key=keys.GALLERY,
        on_change=actions.open_clicked_picture,
        help="A click opens the image.",
        label_visibility="collapsed",
        wrap=True,
    )
