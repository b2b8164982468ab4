"""The Trade-off page: where a composition stands between accuracy and robustness, and what moves it."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from app import data, figures, images, overlay, state
from app.notices import caveats, errors_in_place, rests_on, show_error
from app.settings import Settings
from app.views import Estimate, Summary
from engine.errors import AcesError

TILE_WIDTH = 150
CHART = {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": "aces"}}


def show(settings: Settings) -> None:
    """Tiles above a grid of four linked figures, the images below."""
    theme = figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
    try:
        rests_on(settings, data.composition(settings))
    except AcesError as error:
        show_error(error)
        _trade_off(settings, theme)  # the other noise levels live on
        return
    tiles = st.grid(5, min_column_width=TILE_WIDTH)
    cells = [*st.columns(2), *st.columns(2)]
    for cell, draw in zip(cells, (_trade_off, _accuracy_over_radius, _over_theta, _entropies), strict=True):
        with cell, errors_in_place():
            draw(settings, theme)
    with tiles, errors_in_place():
        _tiles(data.summary(settings), settings)  # after the figures, which do not wait for the bootstrap
    caveats(settings.correction)
    images.section(settings, theme)


def _tiles(s: Summary, settings: Settings) -> None:
    r = f"r {settings.radius:g}"
    _tile("NAC", s.nac, "%", s.images, "Natural accuracy: images that PREDICT (Algorithm 4) answers right.")
    _tile("ACR", s.acr, "", s.images, "Average certified radius; wrong and uncertified images count 0.")
    _tile(
        f"Certified, {r}",
        s.certified_accuracy,
        "%",
        s.images,
        "Answered right with a certificate that reaches r; at r = 0, answered right.",
    )
    _tile(
        f"Selected, {r}", s.certified_selection, "%", s.images, "Certainly sent to the certification network up to r."
    )
    _tile("Abstained", s.abstained, "%", s.images, "CERTIFY (Algorithm 1) gives no answer at this α. That is no error.")


def _tile(label: str, e: Estimate, unit: str, images: int, about: str) -> None:
    digits = 1 if unit else 3
    st.metric(
        label,
        f"{e.value:.{digits}f} {unit}".strip(),
        delta=f"{e.low:.{digits}f}–{e.high:.{digits}f}",
        delta_color="off",
        delta_arrow="off",
        delta_description=f"n {images:,}",
        border=True,
        help=f"{about} Below: its 95 % interval over {images:,} images.",
    )


def _trade_off(settings: Settings, theme: figures.Theme) -> None:
    fronts, problems = data.fronts(settings)
    figure = figures.trade_off(fronts, settings.label, settings.theta, theme)
    overlay.on_trade_off(figure, _beside(settings), theme)
    st.plotly_chart(
        figure,
        theme=None,
        key=state.FRONT,
        config=CHART,
        on_select=state.go_to_clicked_point,
        selection_mode="points",
        alt="Average certified radius over natural accuracy, one front for every noise level, operating point marked",
    )
    for label, problem in problems.items():
        if label != settings.label:
            show_error(f"σ {label} is not drawn: {problem}")


def _accuracy_over_radius(settings: Settings, theme: figures.Theme) -> None:
    curves = data.radius_curves(settings)
    figure = figures.accuracy_over_radius(curves, settings.theta, settings.radius, settings.position, theme)
    overlay.on_radii(figure, _beside(settings), settings.theta, theme)
    _chart(figure, "figure_radius", "Certified accuracy over radius, of ACES and of its certification network alone")


def _over_theta(settings: Settings, theme: figures.Theme) -> None:
    figure = figures.over_theta(data.over_theta(settings), settings.theta, settings.radius, theme)
    overlay.on_thetas(figure, _beside(settings), settings.radius, theme)
    _chart(figure, "figure_theta", "Natural accuracy, selection rate and average certified radius over the threshold")


def _entropies(settings: Settings, theme: figures.Theme) -> None:
    figure = figures.entropies(data.entropy_histogram(settings), settings.theta, settings.radius, theme)
    _chart(figure, "figure_entropy", "Images by median entropy, certifiably right or not, with the threshold")


def _beside(settings: Settings) -> list[overlay.Series]:
    series = overlay.available()
    return [series[label] for label in settings.paper]


def _chart(figure: go.Figure, key: str, alt: str) -> None:
    st.plotly_chart(figure, theme=None, key=key, config=CHART, alt=alt)
