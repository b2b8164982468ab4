"""Who is selected: by score, over the threshold, and how well that separates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array
from engine.escape import plot
from engine.figures.base import (
    CERTIFIABLE,
    DASHES,
    OTHER,
    PERCENT,
    RADII,
    Sketch,
    Theme,
    empty,
    fill,
    line,
    mark,
    radii,
    say,
)
from engine.figures.short_labels import short_labels
from engine.figures.views import EntropyHistogram, by_rank
from engine.records.counts import nearest
from engine.statistics.separation import Separation

HEIGHT = 330


def entropies(h: EntropyHistogram, theta: float, radius: float, score: str, theme: Theme) -> Sketch:
    """Images by median ``score``, split by whether the certification network alone certifies the label (Fig. 3).

    The bars carry their places in ``h.images``.
    """
    figure = empty("Who is selected", f"median {score} of an image", "images", theme, HEIGHT)
    hover = "%{y} images near %{x:.2f}"
    centres = (h.edges[:-1] + h.edges[1:]) / 2
    correct = f"certifiably correct at r {radius:.9g}"
    parts = ((h.certifiable, correct, CERTIFIABLE, ""), (h.other, "not", OTHER, "/"))
    for k, (counts, name, series, shape) in enumerate(parts):
        places = [*range(k * len(centres), (k + 1) * len(centres))]
        figure.add_bar(
            x=centres, y=counts, name=name, hovertemplate=hover, marker=fill(series, shape, theme), customdata=places
        )
        figure.follows("bars", certifiable=not k, edges=h.edges.tolist())
    figure.update_layout(barmode="stack", bargap=0, xaxis_range=[0, 1], dragmode="select")
    if not h.recorded:
        say(figure, "This run records no scores of single images.", theme)
    mark(figure, theta, f"θ {theta:.3f}", theme.ink, "solid", theme, ("theta", "θ"))
    return figure


def signed_radii(signed: Array, thetas: Sequence[float], theme: Theme) -> Sketch:
    """``signed`` radii [N, T] of the selection over the images' percentile, a line per threshold (Fig. 6).

    Each threshold sorts the images anew. The last one is the reader's: its line is thick and has marks, which carry
    their places in ``by_rank`` of its radii.
    """
    figure = empty(
        "Radius of the selection", "images, by rising radius [%]", "← core   radius   certification →", theme, HEIGHT
    )
    percentile = 100 * (np.arange(len(signed)) + 0.5) / max(len(signed), 1)
    for k, value in enumerate(thetas):
        is_current, rising = k == len(thetas) - 1, np.sort(signed[:, k])
        line(
            figure, percentile, rising, theme.ink if is_current else theme.series[k % len(theme.series)],
            "solid" if is_current else DASHES[k % len(DASHES)], 3 if is_current else 1.5,
            name=f"<b>θ {value:.3f}</b>" if is_current else f"θ {value:g}", hovertemplate="%{x:.1f} %: %{text}",
            **radii(rising, 3),
        )  # fmt: skip
        figure.follows("signed", **({} if is_current else {"theta": value}))
        if is_current and len(signed):
            _marks(figure, percentile, rising, f"θ {value:.3f}, marks", theme)
    figure.update_layout(
        xaxis_range=[0, 100], yaxis={"zeroline": True, "zerolinecolor": theme.muted}, dragmode="select"
    )
    return figure


def _marks(figure: Sketch, x: Array, y: Array, name: str, theme: Theme) -> None:
    """Marks in the middle of each part of a line over the ranks, by which a lasso picks images."""
    middle = np.array([part[len(part) // 2] for part in by_rank(np.arange(len(y)), y)])
    figure.add_scatter(
        x=x[middle],
        y=y[middle],
        mode="markers",
        name=name,
        showlegend=False,
        hoverinfo="skip",
        meta={RADII: "y"},
        marker={"color": theme.ink, "size": 5},
        customdata=list(range(len(middle))),
    )
    figure.follows("signed", ranks=middle.tolist())


def receiver(
    curves: Sequence[tuple[str, int, Separation]], current: int, theta: float, radius: float, theme: Theme
) -> Sketch:
    """Selected of those that should be over selected of the others, a line a composition (label, position, curve)."""
    figure = empty(
        "How well it separates", "others selected [%]", f"certifiable at r {radius:.9g} selected [%]", theme, HEIGHT
    )
    figure.live.append({"is": "axis", "title": "certifiable at r {r} selected [%]"})
    line(figure, np.array([0, 100]), np.array([0, 100]), theme.grid, "dot", 1.5, hoverinfo="skip", showlegend=False)
    short = short_labels(label for label, _, _ in curves)
    for label, position, curve in curves:
        hover = f"{plot(label)}, θ %{{customdata:.3f}}: %{{y:.1f}} % against %{{x:.1f}} %<extra></extra>"
        moved = np.diff(curve.true + 1e3 * curve.false, prepend=-1.0) != 0
        line(
            figure, curve.false[moved], curve.true[moved], theme.color(position), theme.dash(position),
            3 if position == current else 1.5, name=f"{plot(short[label])}: {_area(curve)}", legendgroup=plot(label),
            customdata=curve.thetas[moved], hovertemplate=hover,
        )  # fmt: skip
        figure.follows("receiver", of=position, name=plot(short[label]))
        if position == current:
            at = nearest(curve.thetas, theta)
            _here(figure, curve.false[at], curve.true[at], theta, theme)
            figure.follows("here", of=position)
    figure.update_layout(
        xaxis_range=[-1, 101], yaxis_range=PERCENT,
        legend={"orientation": "v", "x": 1, "xanchor": "right", "y": 0.02, "yanchor": "bottom"},
    )  # fmt: skip
    return figure


def _area(curve: Separation) -> str:
    """The area in a legend; where there is none, why."""
    if not curve.positives:
        return "none is certifiable"
    return "all are certifiable" if curve.positives == curve.images else f"{curve.area:.3f}"


def _here(figure: Sketch, x: float, y: float, theta: float, theme: Theme) -> None:
    figure.add_scatter(
        x=[x], y=[y], mode="markers+text", text=[f"<b>θ {theta:.3f}</b>"], textposition="bottom right",
        textfont={"color": theme.ink}, showlegend=False, cliponaxis=False, hoverinfo="skip",
        marker={"symbol": "diamond", "size": 13, "color": theme.ink, "line": {"color": theme.paper, "width": 2}},
    )  # fmt: skip
