"""The Images page: CERTIFY's answers as cards with pictures, a table and a map; on top the image that is open."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import actions, data, keys, run_pictures
from app.components.chart import chart
from app.content import image
from app.escape import markdown
from app.services.pictures import Pictures
from app.settings import Choice, Settings
from app.widgets import downloads, filters, following
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import picked, theme
from engine import figures
from engine.arrays import ABSTAIN
from engine.figures.image import MANY
from engine.figures.views import ImageRows
from engine.mechanisms import Words
from engine.statistics import explain
from engine.statistics.aces import Outcome

TABLE_HEIGHT, ON_A_PAGE = 430, 20
VIEWS = ("Gallery", "Table")
NO_ANSWER = "—"
COLUMNS: dict[str, Any] = {
    "picture": st.column_config.ImageColumn("", width=44),
    "index": st.column_config.NumberColumn("index", width=52),
    "answer is": st.column_config.TextColumn("verdict", width=66, help="Whether the answer is the label."),
    "outcome": st.column_config.TextColumn("outcome", width=72),
    "stage": st.column_config.TextColumn("stage", width=56, help="Which stage was guessed to answer."),
    "radius": st.column_config.NumberColumn("radius", format="%.4f", width=60, help="Certified radius, rounded down."),
}


def show(settings: Settings) -> None:
    """Which images, and what each is answered."""
    followed: tuple[Choice, ...] = ()
    index = None
    with errors_in_place():
        c = data.composition(settings)
        rests_on(settings, c)
        names, pictures = data.class_names(settings.certify_run), _pictures(settings)
        opened = st.container(key="opened")
        listed = _choose(settings, names, pictures)
        with opened, errors_in_place():
            index = image.bar(listed)
            if index is not None:
                image.show(settings, index, names, pictures)
        if len(c) <= MANY or index is not None:  # else only the map would follow, which waits for the server then
            followed = tuple(settings.compositions[at] for at in following.noises(settings).values())
    caveats(settings)
    following.show(settings, followed, image=image.followed(settings, index))


def _pictures(settings: Settings) -> Pictures:
    with errors_in_place():
        return run_pictures.pictures(settings.certify_run)
    return Pictures({})


def _choose(settings: Settings, names: tuple[str, ...], pictures: Pictures) -> list[int]:
    """Filters, map and list; the images that are listed, by rising index."""
    rows = data.image_rows(settings)
    chosen = filters.filters(names, data.largest_radius(settings))
    shown = rows.where(chosen.keep(rows))
    pinned = _of_a(settings)
    left, right = st.columns([3, 2])
    with right:
        drawn = _map(shown, settings, follows=chosen.stay)
        picked("A click on a mark, a box or a lasso picks images.", is_list=True)
    with left, st.container(key="listed"):
        said, view = st.columns([3, 2], vertical_alignment="center")
        passed = "images pass the filters" if len(shown) < len(rows) else "images"
        said.caption(
            f"{len(shown):,} of {len(rows):,} {passed} at {settings.symbol} {settings.theta:.3f}. Click one to open it."
        )
        look = VIEWS[1]
        if pictures.images:
            look = view.segmented_control(
                "View",
                VIEWS,
                key="view",
                bind=keys.URL,
                default=VIEWS[0],
                required=True,
                label_visibility="collapsed",
                help="Pictures with their answers, or one row an image.",
            )
        if not len(shown):
            st.info("No image passes these filters.")
        elif look == VIEWS[0]:
            _gallery(shown, names, pictures, pinned)
        else:
            _table(shown, names, pictures, settings.mechanism, pinned)
    downloads.menu("images", settings, {"map": drawn}, lambda: downloads.image_table(settings))
    return sorted(shown.index.tolist())


def _of_a(settings: Settings) -> ImageRows | None:
    """The answers of what is pinned, by the terms of this view; None where nothing is."""
    if settings.pin is not None:
        with errors_in_place():
            return data.image_rows(settings.at(settings.pin.choice, settings.pin.theta))
    return None


def _map(shown: ImageRows, settings: Settings, *, follows: bool) -> figures.Sketch:
    theta = None if settings.choice.by_votes else settings.theta
    figure = figures.images(shown, theta, settings.mechanism.score, theme(), follows=follows and theta is not None)
    alt = f"Every image by median {settings.mechanism.score} and certified radius, a shape per outcome; a lasso picks"
    chart(figure, keys.MAP, alt, partial(actions.pick_marked, keys.MAP), "lasso", at=settings.turned)
    return figure


def _table(
    shown: ImageRows, names: tuple[str, ...], pictures: Pictures, selection: Words, pinned: ImageRows | None
) -> None:
    about = f"The draws' {selection.median}: a draw selects the certification network where it is at most θ."
    score = st.column_config.NumberColumn(selection.short, format="%.3f", width=56, help=about)
    of_both: dict[str, Any] = {
        f"{whose} {name}": {**column, "label": f"{whose} {column['label']}", "width": None}
        for whose in "AB"
        for name, column in COLUMNS.items()
    }
    st.dataframe(
        _frame(shown, names, pictures.thumbnails, pinned),
        column_config={**COLUMNS, **of_both, "score": score},
        hide_index=True,
        placeholder="missing",
        height=TABLE_HEIGHT,
        key=keys.ROWS,
        on_select=partial(actions.open_clicked_row, shown),
        selection_mode="single-row",
        alt=f"One row per image: label, answer, outcome, certified radius and {selection.median}",
    )


def _frame(
    rows: ImageRows, names: tuple[str, ...], thumbnails: dict[int, str], pinned: ImageRows | None = None
) -> pd.DataFrame:
    """A row an image; with something pinned, its answers (A) before those of this view (B)."""
    pictures = {"picture": [thumbnails.get(i) for i in rows.index.tolist()]} if thumbnails else {}
    known = pictures | {"index": rows.index, "label": [names[k] for k in rows.label]}
    frame = pd.DataFrame(known | {"score": rows.score_median}, index=rows.index)
    if pinned is None:
        return frame.join(_answers(rows, names))[[*known, *_answers(rows, names), "score"]]
    a, b = (_answers(of, names).add_prefix(f"{whose} ") for whose, of in (("A", pinned), ("B", rows)))
    return frame.join(a).join(b)[[*known, *a, *b, "score"]]


def _answers(rows: ImageRows, names: tuple[str, ...]) -> pd.DataFrame:
    """What each image is answered, by its index."""
    stage = {"stage": rows.stage} if rows.stage is not None else {}
    columns = {
        "answer": [NO_ANSWER if k == ABSTAIN else names[k] for k in rows.answer],
        "answer is": rows.verdict,
        "outcome": [Outcome(k).label for k in rows.outcome],
        "radius": [float(explain.round_down(r)) for r in rows.radius],
    }
    return pd.DataFrame(columns | stage, index=rows.index)


def _gallery(shown: ImageRows, names: tuple[str, ...], pictures: Pictures, pinned: ImageRows | None) -> None:
    """Cards to click on, a page at a time: picture, label, answer, outcome and radius."""
    pages = -(-len(shown) // ON_A_PAGE)
    page = st.pagination(pages, key="gallery_page") if pages > 1 else 1
    part = shown.index[ON_A_PAGE * (page - 1) : ON_A_PAGE * page]
    now = _answers(shown, names).to_dict("index")
    before = None if pinned is None else _answers(pinned, names).to_dict("index")
    label = dict(zip(shown.index.tolist(), shown.label.tolist(), strict=True))

    def card(i: int) -> str:
        picture = f"![]({pictures.thumbnails[i]}) " if i in pictures.images else ""
        said = f"{picture}**{i}: {markdown(names[label[i]])}** {_answered(now[i])}"
        if before is None:
            return said
        return f"{said} *A:* {_answered(before[i]) if i in before else NO_ANSWER}"

    st.pills(
        "Gallery",
        part.tolist(),
        format_func=card,
        key=keys.GALLERY,
        on_change=actions.open_clicked_picture,
        help="A click opens the image.",
        label_visibility="collapsed",
        width="stretch",
        wrap=True,
    )


def _answered(one: Mapping[Any, Any]) -> str:
    """An answer, whether it is right, its outcome, and its radius if it has a certificate."""
    answer = "no answer" if one["answer"] == NO_ANSWER else f"{markdown(one['answer'])}, {one['answer is']}"
    kind = Outcome[one["outcome"].upper()]
    radius = f" r {one['radius']}" if kind is Outcome.CERTIFIED else ""
    return f"*{answer}* :{image.BADGES[kind]}-badge[{kind.label}]{radius}"
