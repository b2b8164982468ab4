"""Robustness over accuracy, and both over the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from engine.arrays import Array
from engine.escape import plot
from engine.figures.base import ACR, NAC, PERCENT, SELECTED, SHARES, TALL, Sketch, Theme, empty, line, mark, say
from engine.figures.deploy import Deployment, envelope
from engine.figures.short_labels import short_labels
from engine.figures.views import Front
from engine.statistics.metrics import Metrics

MARK_EVERY = 10  # a front can be clicked on at theta = 0, 0.01, ..., 1; of many, the others at every fourth of them
FADED = 0.65
NAMED, SHORT = 8, 18  # more fronts, or longer names, would write over each other: the legend names them
LOW = 212  # of what stands under the question of what to deploy, with its legend below it: above the fold of 800 pixels
LETTER = 0.013  # of the axis: the width of a letter of a name
LONG, NEAR_THE_AXIS = 8, 0.15  # letters; of the accuracies that are drawn, from the least one
CORE = "core"  # what the squares are called
LEGEND_WIDTH, LEGEND_KEY, LEGEND_LETTER, LEGEND_ROW = 460, 48, 5.5, 17  # pixels: room, a line, a letter, a row
ROUGHLY = 800  # steps of each axis below which a front's bends are not seen
SYMBOLS = ("circle", "square", "diamond", "triangle-down", "pentagon", "hexagon")


def trade_off(
    fronts: Sequence[Front],
    current: int,
    theta: float,
    measure: str,
    theme: Theme,
    best: Deployment | None = None,
    pinned: tuple[float, float] | None = None,
    of_acr: bool = True,
) -> Sketch:
    """Robustness over NAC: a front for every composition, their networks alone, and the operating points.

    ``current``: the position of the composition that the reader stands on. The marks of the fronts carry ``customdata``
    (theta, *address), and t behind them where it is the best one, by which a click is understood. ``best`` is circled;
    ``pinned``, a NAC and robustness, is A. ``of_acr``: robustness is the ACR, not a certified accuracy.
    """
    figure = empty("Robustness over accuracy", "NAC: natural accuracy [%]", measure, theme, TALL)
    follows = "acr" if of_acr else "accuracy"
    if not of_acr:
        figure.live.append({"is": "axis", "title": "certified accuracy at r {r} [%]"})
    named = len(fronts) <= NAMED and all(len(front.label) <= SHORT for front in fronts)
    _draw_envelope(figure, fronts, theme, follows)
    short = short_labels(front.label for front in fronts)
    for front in sorted(fronts, key=lambda front: front.position == current):  # the current one on top
        _draw_front(figure, front, short[front.label], front.position == current, not named, theme, follows)
    _draw_alone(figure, fronts, named, theme, follows)
    _draw_cores(figure, fronts, theme)
    _draw_operating_points(figure, fronts, current, theta, theme, follows)
    if best is not None:
        _draw_best(figure, best, fronts, theme, follows)
    if pinned is not None:
        _draw_pinned(figure, *pinned, theme)
    if not fronts:
        say(figure, "None of these compositions can be read.", theme)
    figure.update_layout(showlegend=not named, yaxis_rangemode="tozero")
    if fronts:
        figure.update_layout(xaxis_autorangeoptions_include=_ends(fronts, named))
    if not named:
        _legend_below(figure, [*short.values()])
    return figure


def _legend_below(figure: Sketch, names: Sequence[str]) -> None:
    """A legend under the axis, where it covers no mark: the figure grows by its rows."""
    columns = max(1, int(LEGEND_WIDTH / (LEGEND_KEY + LEGEND_LETTER * max(map(len, names), default=1))))
    rows = -(-len(names) // columns)
    margin = figure.layout["margin"]
    below = margin["b"] + LEGEND_ROW * rows
    figure.update_layout(
        height=TALL + LEGEND_ROW * rows,
        margin={**margin, "b": below},
        legend={
            "orientation": "h", "x": 0, "xanchor": "left", "y": -margin["b"] / (TALL - margin["t"] - margin["b"]),
            "yanchor": "top", "tracegroupgap": 0, "font": {"size": 10},
        },
    )  # fmt: skip


def _ends(fronts: Sequence[Front], named: bool) -> list[float]:
    """Where the names left of triangles begin and what is right of the squares ends, in natural accuracy."""
    low = min(float(min(front.nac.min(), front.alone[0])) for front in fronts)
    high = max(front.core[0] for front in fronts)
    letter = LETTER * (high - low)
    left = [front.alone[0] - letter * (2 + len(front.label)) for front in fronts if named]
    return [min([low, *left]), high + letter * (3 + len(CORE))]


def _draw_envelope(figure: Sketch, fronts: Sequence[Front], theme: Theme, measure: str) -> None:
    """A broad band under the points that no front beats; with one front that would say nothing."""
    if len(fronts) < 2:
        return
    x, y = _bends(*envelope(fronts))
    figure.add_scatter(
        x=x, y=y, mode="lines", name="best of all", line={"color": theme.grid, "width": 11}, hoverinfo="skip",
        showlegend=False,
    )  # fmt: skip
    if _at_one_share(fronts):
        figure.follows("envelope", of=[front.position for front in fronts], measure=measure)


def _at_one_share(fronts: Sequence[Front]) -> bool:
    """Whether all are at the share of votes that is set: the browser has no best ones."""
    return all(front.ts is None for front in fronts)


def _draw_front(
    figure: Sketch, front: Front, name: str, is_current: bool, in_legend: bool, theme: Theme, measure: str
) -> None:
    """A line through all thresholds, and marks to click on where the line moves."""
    color, opacity = theme.color(front.position), 1 if is_current else FADED
    dash = theme.dash(front.position)
    x, y = _bends(front.nac, front.robustness)
    line(
        figure, x, y, color, dash, 3 if is_current else 1.5,
        opacity=opacity, hoverinfo="skip", name=plot(name), legendgroup=plot(front.label), showlegend=in_legend,
    )  # fmt: skip
    if front.ts is None:
        figure.follows("front", of=front.position, measure=measure)
    with_t = "" if front.ts is None else f", t %{{customdata[{1 + len(front.address)}]:.2f}}"
    every = MARK_EVERY if is_current or not in_legend else 4 * MARK_EVERY  # a thousand marks are slow
    at = _marks(front, every)
    figure.add_scatter(
        x=front.nac[at].astype(np.float32),
        y=front.robustness[at].astype(np.float32),
        mode="markers",
        name=plot(front.label),
        legendgroup=plot(front.label),
        showlegend=False,
        customdata=np.array(_places(front, at), object),
        meta={} if front.ts is None else {SHARES: 1 + len(front.address)},
        marker={
            "color": color,
            "size": 6 if is_current else 5,
            "opacity": opacity,
            "symbol": SYMBOLS[front.position % len(SYMBOLS)],
        },
        unselected={"marker": {"opacity": opacity}},
        hovertemplate=f"{front.symbol} %{{customdata[0]:.3f}}{with_t}<br>NAC %{{x:.1f}} %<br>%{{y:.3f}}",
    )
    if front.ts is None:
        step = _step(front, every)
        figure.follows("marks", of=front.position, measure=measure, every=step, address=list(front.address))


def _places(front: Front, at: Array) -> list[tuple[object, ...]]:
    """Where a click on each mark leads."""
    if front.ts is None:
        return [(round(float(theta), 6), *front.address) for theta in front.thetas[at]]
    both = zip(front.thetas[at], front.ts[at], strict=True)
    return [(round(float(theta), 6), *front.address, round(float(t), 4)) for theta, t in both]


def _bends(x: Array, y: Array) -> tuple[Array, Array]:
    """The points of a line without those that no eye can tell from the one before: a browser draws fewer faster."""
    if not len(x):
        return x, y
    step = np.stack([_scaled(x), _scaled(y)])
    moved = np.any(np.diff(step, prepend=np.nan) != 0, axis=0)
    moved[-1] = True
    return x[moved].astype(np.float32), y[moved].astype(np.float32)


def _scaled(values: Array) -> Array:
    extent = float(values.max() - values.min()) or 1.0
    return np.round(values / extent * ROUGHLY)


def _marks(front: Front, every: int) -> Array:
    """Every so-many-th of 1001 thresholds, without those at which the front has not moved."""
    at = np.arange(0, len(front.thetas), _step(front, every))
    moved = np.diff(front.nac[at], prepend=np.nan) != 0
    moved |= np.diff(front.robustness[at], prepend=np.nan) != 0
    kept: Array = at[moved]
    return kept


def _step(front: Front, every: int) -> int:
    return max(1, every * (len(front.thetas) - 1) // 1000)


def _draw_alone(figure: Sketch, fronts: Sequence[Front], named: bool, theme: Theme, measure: str) -> None:
    """The certification networks without ACES: triangles that name the fronts, those of one network joined by dots."""
    for _, group in groupby(sorted(fronts, key=lambda f: (f.network, f.noise)), key=lambda f: f.network):
        found = list(group)
        if len({front.noise for front in found}) > 1:
            x, y = zip(*dict.fromkeys(front.alone for front in found), strict=True)
            line(figure, np.array(x), np.array(y), theme.muted, "dot", 1.5, hoverinfo="skip", showlegend=False)
            figure.follows("alone", of=[front.position for front in found], measure=measure)
    figure.add_scatter(
        x=[front.alone[0] for front in fronts],
        y=[front.alone[1] for front in fronts],
        mode="markers+text" if named else "markers",
        text=[plot(front.label) for front in fronts],
        textposition=_beside(fronts),
        textfont={"color": theme.ink},
        cliponaxis=False,
        showlegend=False,
        hovertemplate="%{text}, without ACES<br>NAC %{x:.1f} %<br>%{y:.3f}<extra></extra>",
        marker={
            "symbol": "triangle-up",
            "size": 11,
            "color": [theme.color(front.position) for front in fronts],
            "line": {"color": theme.paper, "width": 1},
        },
    )
    figure.follows("alone", of=[front.position for front in fronts], measure=measure)


def _beside(fronts: Sequence[Front]) -> list[str]:
    """Where the names of the triangles stand: left of the fronts; long ones above, where a narrow page has the axis."""
    drawn = [x for front in fronts for x in (front.alone[0], front.core[0])]
    least, most = min(drawn, default=0), max(drawn, default=0)
    near = least + NEAR_THE_AXIS * (most - least)
    return ["top center" if front.alone[0] < near and len(front.label) > LONG else "bottom left" for front in fronts]


def _draw_cores(figure: Sketch, fronts: Sequence[Front], theme: Theme) -> None:
    """The core networks as squares: without a radius, so on the axis."""
    cores = sorted(dict.fromkeys((*front.core, front.address[2]) for front in fronts))
    said = CORE if len(cores) == 1 else f"{CORE}s"
    figure.add_scatter(
        x=[x for x, _, _ in cores],
        y=[y for _, y, _ in cores],
        mode="markers+text",
        text=[*[""] * (len(cores) - 1), said] if cores else [],
        textposition="top right",  # fronts come from the left
        textfont={"color": theme.muted},
        cliponaxis=False,
        showlegend=False,
        customdata=np.array([plot(name) for _, _, name in cores], object),
        hovertemplate="%{customdata}, core network only<br>NAC %{x:.1f} %<extra></extra>",
        marker={"symbol": "square", "size": 12, "color": theme.muted, "line": {"color": theme.paper, "width": 2}},
    )


def _draw_operating_points(
    figure: Sketch, fronts: Sequence[Front], current: int, theta: float, theme: Theme, measure: str
) -> None:
    """Where every front stands at theta: a diamond, the reader's own named."""
    standing = [
        (front, front.standing(_stands(front, theta)))
        for front in sorted(fronts, key=lambda front: front.position == current)
    ]
    figure.add_scatter(
        x=[nac for _, (nac, _) in standing],
        y=[robustness for _, (_, robustness) in standing],
        mode="markers+text",
        text=[
            f"<b>{front.symbol} {_stands(front, theta):.3f}</b>" if front.position == current else ""
            for front, _ in standing
        ],
        textposition="bottom left",
        textfont={"color": theme.ink},
        cliponaxis=False,
        showlegend=False,
        customdata=np.array(
            [f"{plot(front.label)}, {front.symbol} {_stands(front, theta):.3f}" for front, _ in standing], object
        ),
        hovertemplate="%{customdata}<br>NAC %{x:.1f} %<br>%{y:.3f}<extra></extra>",
        marker={
            "symbol": "diamond",
            "size": [13 if front.position == current else 9 for front, _ in standing],
            "color": [theme.ink if front.position == current else theme.color(front.position) for front, _ in standing],
            "line": {"color": theme.paper, "width": 2},
        },
    )
    of = {front.position: plot(front.label) for front, _ in standing}
    figure.follows("points", of=[*of], names=[*of.values()], measure=measure)


def _stands(front: Front, theta: float) -> float:
    return theta if front.theta is None else front.theta


def _draw_best(figure: Sketch, best: Deployment, fronts: Sequence[Front], theme: Theme, measure: str) -> None:
    with_t = "" if best.t is None else f", t {best.t:.2f}"
    figure.add_scatter(
        x=[best.nac.value], y=[best.robustness], mode="markers", showlegend=False, name="to deploy", cliponaxis=False,
        hovertemplate=(
            f"deploy {plot(best.front.label)}, {best.front.symbol} {best.theta:.3f}{with_t}<extra></extra>"
        ),
        marker={"symbol": "circle-open", "size": 22, "color": theme.ink, "line": {"width": 2}},
    )  # fmt: skip
    if _at_one_share(fronts):
        of = [front.position for front in fronts]
        figure.follows("best", of=of, measure=measure, floor=best.floor, confident=best.confident)


def _draw_pinned(figure: Sketch, nac: float, robustness: float, theme: Theme) -> None:
    figure.add_scatter(
        x=[nac], y=[robustness], mode="markers+text", text=["<b>A</b>"], textposition="top right", showlegend=False,
        name="pinned", cliponaxis=False, textfont={"color": theme.ink},
        hovertemplate="A, pinned<br>NAC %{x:.1f} %<br>%{y:.3f}<extra></extra>",
        marker={"symbol": "diamond-open", "size": 15, "color": theme.ink, "line": {"width": 2}},
    )  # fmt: skip


def over_theta(m: Metrics, theta: float, radius: float, theme: Theme, symbol: str = "θ") -> Sketch:
    """NAC and the selection rate at the first radius of ``m`` (left axis), and ACR (right axis), over theta."""
    figure = empty("Over the threshold", f"selection threshold {symbol}", "images [%]", theme, LOW)
    rate, selected = "%{y:.1f} %", m.certified_selection[:, 0]
    line(figure, m.thetas, m.nac, theme.series[NAC], "solid", name="NAC", hovertemplate=rate)
    figure.follows("over", what="nac")
    name = f"selected at r {radius:.9g}"
    line(figure, m.thetas, selected, theme.series[SELECTED], "dash", name=name, hovertemplate=rate)
    figure.follows("over", what="selected")
    line(figure, m.thetas, m.acr, theme.series[ACR], "dot", name="ACR (right)", hovertemplate="%{y:.3f}", yaxis="y2")
    figure.follows("over", what="acr", measure="acr")
    figure.update_layout(
        margin_r=46,
        hovermode="x unified",
        xaxis_range=[0 if symbol == "θ" else 0.5, 1],
        yaxis_range=PERCENT,
        yaxis2={"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "tickmode": "auto"},
    )
    mark(figure, theta, f"{symbol} {theta:.3f}", theme.ink, "solid", theme, ("theta", symbol))
    return figure
