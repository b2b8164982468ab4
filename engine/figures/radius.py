"""Over the radius: certified accuracy and selection rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.arrays import Array
from engine.figures.base import DASHES, PERCENT, Sketch, Theme, empty, line, mark, radii
from engine.figures.views import FanCurve, RadiusCurves
from engine.statistics.bounds import round_down

HOVER = "r %{text}: %{y:.1f} %"
HEIGHT = 380


def accuracy_over_radius(
    curves: RadiusCurves,
    fan: Sequence[FanCurve],
    theta: float,
    radius: float,
    position: int,
    theme: Theme,
    symbol: str = "θ",
) -> Sketch:
    """Certified accuracy over radius at theta and at the thresholds of ``fan``, against the two networks alone."""
    figure = _figure(f"Certified accuracy at {symbol}", theta, curves, theme)
    _fan(figure, curves.radii, [(one.theta, one.aces) for one in fan], "aces", theme, symbol)
    at = _radii(curves.radii)
    line(figure, curves.radii, curves.alone, theme.muted, "dash", 1.5, name="certification network only", **at)
    figure.follows("curve", what="alone")
    line(figure, curves.radii, curves.aces, theme.color(position), "solid", 3, name="ACES", **at)
    figure.follows("curve", what="aces")
    figure.add_scatter(
        x=[0], y=[curves.core], mode="markers", name="core network only", cliponaxis=False,
        hovertemplate="%{y:.1f} %, without a certificate",
        marker={"symbol": "square", "size": 11, "color": theme.muted, "line": {"color": theme.paper, "width": 2}},
    )  # fmt: skip
    _marks(figure, curves, radius, theme)
    return figure


def selection_over_radius(
    curves: RadiusCurves,
    fan: Sequence[FanCurve],
    theta: float,
    radius: float,
    position: int,
    theme: Theme,
    symbol: str = "θ",
) -> Sketch:
    """Share of images that certainly go to the certification network up to r, at theta and over the ``fan``."""
    figure = _figure(f"Certified selection rate at {symbol}", theta, curves, theme)
    _fan(figure, curves.radii, [(one.theta, one.selected) for one in fan], "selected", theme, symbol)
    at = _radii(curves.radii)
    line(figure, curves.radii, curves.selected, theme.color(position), "solid", 3, name="ACES", **at)
    figure.follows("curve", what="selected")
    _marks(figure, curves, radius, theme)
    return figure


def _radii(at: Array) -> dict[str, Any]:
    """Texts that name no larger radius than that whose rate they tell."""
    return {"hovertemplate": HOVER, **radii(at, 3, axes="x")}


def _figure(title: str, theta: float, curves: RadiusCurves, theme: Theme) -> Sketch:
    figure = empty(f"{title} {theta:.3f}", f"radius r ({curves.norm}, pixel units)", "images [%]", theme, HEIGHT)
    figure.update_layout(yaxis_range=PERCENT, xaxis_range=[0, float(curves.radii[-1])])
    figure.live.append({"is": "title", "before": title})
    return figure


def _fan(
    figure: Sketch, at: Array, curves: Sequence[tuple[float, Array]], what: str, theme: Theme, symbol: str
) -> None:
    """Thin lines, each with a dash of its own and its threshold in the legend."""
    for k, (theta, y) in enumerate(curves):
        line(
            figure, at, y, theme.series[(2 + k) % len(theme.series)], DASHES[(1 + k) % len(DASHES)], 1.5,
            name=f"{symbol} {theta:g}", **_radii(at),
        )  # fmt: skip
        figure.follows("curve", what=what, theta=theta)


def _marks(figure: Sketch, curves: RadiusCurves, radius: float, theme: Theme) -> None:
    mark(figure, radius, f"r {radius:.9g}", theme.ink, "dot", theme, ("radius", "r"))
    ceiling = round_down(curves.ceiling, decimals=2)
    mark(figure, curves.ceiling, f"ceiling {ceiling}", theme.muted, "longdash", theme)
