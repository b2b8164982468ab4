"""The paper's printed tables, drawn beside one's own runs: hollow marks, a shape for every series. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.arrays import Array
from engine.figures import ACR, NAC, SELECTED, Sketch, Theme
from engine.published.paper import AcesSeries, SmoothedSeries, aces_series, smoothed_series
from engine.records.counts import nearest

Series = AcesSeries | SmoothedSeries
PAPER_ALPHA = 0.001  # of all its tables
SHAPES = ("circle-open", "square-open", "diamond-open", "cross-open", "star-open", "hexagon-open")


def available() -> dict[str, Series]:
    """Every series of the paper's tables 2 to 17 by its label, without the word "paper"."""
    every: tuple[Series, ...] = (*aces_series(), *smoothed_series())
    return {series.label.removeprefix("paper: "): series for series in every}


def on_trade_off(figure: Sketch, chosen: Sequence[Series], theme: Theme, radius: float | None = None) -> None:
    """ACR, or certified accuracy at ``radius``, over NAC as printed; named at the most robust point.

    ACES by theta, smoothed networks by their noise. ``notes`` says which series print nothing at this radius.
    """
    said = "ACR %{y:.3f}" if radius is None else f"certified at r {radius:.9g} %{{y:.1f}} %"
    for k, series in enumerate(chosen):
        robustness = _robustness(series, radius)
        if robustness is None:
            continue
        symbol, parameter = ("θ", series.thetas) if isinstance(series, AcesSeries) else ("σ", series.sigma)
        figure.add_scatter(
            x=series.nac,
            y=robustness,
            customdata=parameter,
            mode="lines+markers+text",
            line={"color": theme.muted, "width": 1, "dash": "dot"},
            text=["" if at != robustness.argmax() else series.label for at in range(len(robustness))],
            textposition="top right",
            cliponaxis=False,
            textfont={"color": theme.muted, "size": 11},
            hovertemplate=f"{symbol} %{{customdata}}<br>NAC %{{x:.1f}} %<br>{said}",
            **_mark(series.label, k, theme.ink),
        )


def _robustness(series: Series, radius: float | None) -> Array | None:
    """A series' ACR, or its certified accuracy at ``radius``; None where the table prints none."""
    if radius is None:
        return series.acr
    at = np.flatnonzero(np.abs(series.radii - radius) < 1e-9)
    return series.certified_accuracy[:, at[0]] if len(at) else None


def printed(chosen: Sequence[Series], radius: float | None = None) -> dict[str, tuple[Array, Array]]:
    """NAC and ACR, or certified accuracy at ``radius``, as printed, by label: of those series that print it."""
    found = {series.label: (series.nac, _robustness(series, radius)) for series in chosen}
    return {label: (nac, rate) for label, (nac, rate) in found.items() if rate is not None}


def notes(chosen: Sequence[Series], alpha: float, radius: float | None = None) -> list[str]:
    """What of the chosen tables a page cannot draw, and where they mean another thing.

    ``radius``: of the front, if it is of certified accuracy.
    """
    found = []
    absent = [series for series in chosen if _robustness(series, radius) is None]
    if absent:
        printed = ", ".join(f"{r:g}" for r in sorted({float(r) for series in absent for r in series.radii}))
        found.append(f"{_named(absent)} print no certified accuracy at r {radius:.9g} (but at {printed}): not drawn.")
    alone = [series for series in chosen if not isinstance(series, AcesSeries)]
    if alone:
        found.append(f"{_named(alone)} have no threshold: drawn as fronts only.")
    if chosen and alpha != PAPER_ALPHA:
        found.append(f"The paper's tables are at α {PAPER_ALPHA}.")
    return found


def _named(several: Sequence[Series]) -> str:
    return "; ".join(series.label for series in several)


def on_radii(figure: Sketch, chosen: Sequence[Series], theta: float, theme: Theme) -> None:
    """Certified accuracy at the printed radii, at the printed threshold nearest to theta."""
    for k, series in _of_aces(chosen):
        at = nearest(series.thetas, theta)
        name = f"{series.label}, θ {series.thetas[at]:g}"
        _points(figure, series.radii, series.certified_accuracy[at], name, k, theme.ink)


def on_thetas(figure: Sketch, chosen: Sequence[Series], radius: float, theme: Theme) -> None:
    """NAC, the selection rate at the printed radius nearest to ``radius``, and ACR (right axis), as printed."""
    for k, series in _of_aces(chosen):
        at = nearest(series.radii, radius)
        selected = f"{series.label}, selected at r {series.radii[at]:g}"
        _points(figure, series.thetas, series.nac, f"{series.label}, NAC", k, theme.series[NAC])
        _points(figure, series.thetas, series.certified_selection[:, at], selected, k, theme.series[SELECTED])
        _points(figure, series.thetas, series.acr, f"{series.label}, ACR", k, theme.series[ACR], yaxis="y2")


def _of_aces(chosen: Sequence[Series]) -> list[tuple[int, AcesSeries]]:
    return [(k, series) for k, series in enumerate(chosen) if isinstance(series, AcesSeries)]


def _points(figure: Sketch, x: Array, y: Array, name: str, k: int, color: str, yaxis: str = "y") -> None:
    mark = _mark(name, k, color)
    figure.add_scatter(x=x, y=y, yaxis=yaxis, mode="markers", hovertemplate="%{x:g}: %{y:g}", **mark)


def _mark(name: str, k: int, color: str) -> dict[str, Any]:
    """Hollow marks without a legend entry: they are named where one points at them."""
    marker = {"symbol": SHAPES[k % len(SHAPES)], "size": 7, "color": color}
    return {"name": name, "marker": marker, "showlegend": False}


def matching(dataset: str) -> list[str]:
    """The labels, those of ``dataset`` first: what one compares with stands on top of the list."""
    return sorted(available(), key=lambda label: available()[label].dataset != dataset)


def chosen(labels: Sequence[str]) -> list[Series]:
    """The series of these labels."""
    series = available()
    return [series[label] for label in labels]
