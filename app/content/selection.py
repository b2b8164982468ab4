"""The Selection page: which images go to the certification network, how certainly, and how well that separates."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from app import actions, data, keys
from app.components.chart import chart
from app.settings import Choice, Settings
from app.widgets import downloads, following
from app.widgets.notices import caveats, errors_in_place, rests_on
from app.widgets.panels import picked, theme
from engine import figures
from engine.figures.views import by_rank
from engine.records.compose import Composition
from engine.statistics.separation import Separation
from engine.tables import Rows

LINES = (0.1, 0.3, 0.5, 0.7, 0.9)  # thresholds whose radii stand beside the reader's


def show(settings: Settings) -> None:
    """The paper's Figs. 3, 6 and, as a receiver operating curve, 8."""
    with errors_in_place():
        _show(settings)
    caveats(settings)
    following.show(settings, settings.compositions)


def _show(settings: Settings) -> None:
    c = data.composition(settings)
    rests_on(settings, c)
    if settings.choice.by_votes:
        st.info(
            "Here the votes for the class select: no score does, so there is no threshold of a score to draw. The "
            "selection rate over p₀ and over the radius is on Trade-off and Certified accuracy."
        )
        return
    if settings.choice.then is not None:
        st.info("This page is of the first stage alone, as if the core network came right behind it.")
        settings = _first_stage(settings)
        c = data.composition(settings)
    left, right = st.columns(2)
    with left:
        histogram = _scores(settings)
    with right:
        radii = _signed(settings, c)
    picked("A click on a bar or mark, a box or a lasso picks images.")
    left, right = st.columns(2)
    choices = _mechanisms(settings)
    curves = list(
        zip(
            settings.labels(choices),
            map(settings.compositions.index, choices),
            data.separations(settings, choices),
            strict=True,
        )
    )
    receiver = figures.receiver(curves, settings.position, settings.theta, settings.radius, theme(settings))
    with left:
        alt = "Selected of the certifiable images over selected of the others"
        chart(receiver, "figure_receiver", alt, at=settings.turned)
    with right:
        _areas(curves)
    drawn = {"histogram": histogram, "radii": radii, "receiver": receiver}
    downloads.menu("selection", settings, drawn, lambda: _rows(curves))


def _first_stage(settings: Settings) -> Settings:
    """The view of the composition without its second stage."""
    first = replace(settings.choice, then=None)
    drawn = tuple(one for one in settings.drawn if one.then is None)
    return replace(settings, choice=first, drawn=drawn if first in drawn else (*drawn, first))


def _scores(settings: Settings) -> figures.Sketch:
    found = data.entropy_histogram(settings)
    score = settings.mechanism.score
    figure = figures.entropies(found, settings.theta, settings.radius, score, theme())
    images = {k: part.tolist() for k, part in enumerate(found.images)}
    alt = f"Images by median {score}, certifiably correct or not, with the threshold; a lasso picks images"
    pick = partial(actions.pick_marked, keys.ENTROPIES, images)
    chart(figure, keys.ENTROPIES, alt, pick, "lasso", at=settings.turned)
    return figure


def _signed(settings: Settings, c: Composition) -> figures.Sketch:
    thetas = (*LINES, settings.theta)  # all of them wherever the reader's is: no line comes or goes under the thumb
    radii = data.signed_radii(settings, thetas)
    figure = figures.signed_radii(radii, thetas, theme())
    images = {k: part.tolist() for k, part in enumerate(by_rank(c.index, radii[:, -1]))}
    alt = "Signed certified radius of the selection over the images, one line per threshold; a lasso picks images"
    pick = partial(actions.pick_marked, keys.SIGNED, images)
    chart(figure, keys.SIGNED, alt, pick, "lasso", at=settings.turned)
    return figure


def _mechanisms(settings: Settings) -> list[Choice]:
    """Of the compositions drawn, one for each certification run and selection: the core network has no part in it."""
    found: dict[tuple[str, str], Choice] = {}
    for choice in (settings.choice, *settings.compositions):
        if choice.by_votes or choice.then is not None:  # no score selects, or it is of the first stage alone
            continue
        found.setdefault((choice.certify_run.name, choice.selection), choice)
    return sorted(found.values(), key=settings.compositions.index)


def _rows(curves: list[tuple[str, int, Separation]]) -> Rows:
    return [
        {
            "composition": label,
            "area": s.area,
            "low": s.low,
            "high": s.high,
            "certifiable": s.positives,
            "images": s.images,
        }
        for label, _, s in curves
    ]


def _areas(curves: list[tuple[str, int, Separation]]) -> None:
    st.dataframe(
        _rows(curves),
        hide_index=True,
        placeholder="missing",
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in ("area", "low", "high")},
        alt="Area under each curve with its interval",
    )
    st.caption(
        "The area is the chance that, of one image that the certification network alone certifies at r and one that it "
        "does not, the first is selected at the lower θ: 1 separates them wholly, ½ not at all. With its 95 % interval "
        "over the images. It is missing where no image is certifiable at r, or all are. An image counts as selected "
        "where most of its draws say so."
    )
