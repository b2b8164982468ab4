"""Plot-ready tables -> plotly figures. Pure: the same table gives the same JSON, so that the browser redraws nothing.

Colour says which network or quantity; what the reader sets (theta, radius) is drawn in ink. Nothing is told by colour
alone: every line has its dash, every mark its shape, every bar its hatching.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.explain import Explanation
from app.views import EntropyHistogram, Front, RadiusCurves
from engine.aces import Certificates, Outcome
from engine.metrics import Metrics
from engine.runs import Array

HEIGHT, DETAIL_HEIGHT = 276, 250
FONT = "Source Sans, sans-serif"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARK_EVERY = 10  # a front can be clicked on at theta = 0, 0.01, ..., 1
SHOWN_CLASSES = 10
PERCENT = [0, 101]  # an axis on which a line at 100 % is seen whole
FADED = 0.65


@dataclass(frozen=True)
class Theme:
    """Colours of one scheme: text and what the reader sets, lesser text, grid, background, and ten series colours.

    The series follow Okabe and Ito (2008) and Tol (2021), which people with colour blindness tell apart.
    """

    ink: str
    muted: str
    grid: str
    paper: str
    series: tuple[str, str, str, str, str, str, str, str, str, str]

    def color(self, position: int) -> str:
        """The colour of the run at this position of its experiment."""
        return self.series[position % len(self.series)]


LIGHT = Theme(
    "#1b2430", "#5c6773", "#e3e7ec", "#ffffff",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#3a9bd1", "#882255", "#117733", "#332288", "#7f7f1f"),
)  # fmt: skip
DARK = Theme(
    "#eef2f6", "#9aa7b4", "#2b3644", "#10161f",
    ("#4ba6e0", "#f0883e", "#2bc79a", "#e09ac4", "#e6b93c", "#8fd0f5", "#d1679b", "#6cc082", "#9d94ee", "#c6c65f"),
)  # fmt: skip
STRIP = 0.22  # height of the strip of outcomes, in largest radii
OUTCOME_SERIES = {"certified": 0, "core": 2, "consensus": 8, "abstain": 1}  # the outcomes' places among the series
CERTIFIABLE, OTHER, NAC, ACR, SELECTED = 2, 1, 6, 8, 9  # the quantities' places among the series


def trade_off(fronts: Sequence[Front], current: str, theta: float, theme: Theme) -> go.Figure:
    """ACR over NAC: a front for every composition, its networks alone, and the operating point on ``current``.

    The marks of the fronts carry ``customdata`` (theta, label), by which a click is understood.
    """
    figure = _figure("Robustness over accuracy", "NAC: natural accuracy [%]", "ACR: average certified radius", theme)
    for front in sorted(fronts, key=lambda front: front.label == current):  # the current one on top
        _draw_front(figure, front, front.label == current, theme)
    _draw_alone(figure, fronts, theme)
    for front in fronts:
        if front.label == current:
            m, at = front.metrics, nearest(front.metrics.thetas, theta)
            _draw_point(figure, front.core_accuracy, 0.0, "core", "square", theme.muted, theme)
            _draw_point(figure, m.nac[at], m.acr[at], f"<b>θ {theta:.3f}</b>", "diamond", theme.ink, theme)
    if not fronts:
        _say(figure, "No run of this experiment can be read.", theme)
    figure.update_layout(showlegend=False, yaxis_rangemode="tozero")
    return figure


def _draw_front(figure: go.Figure, front: Front, is_current: bool, theme: Theme) -> None:
    """A line through all thresholds, and marks to click on where the line moves."""
    m, color, opacity = front.metrics, theme.color(front.position), 1 if is_current else FADED
    line, marks = _moving(m, 1), _moving(m, MARK_EVERY)
    dash = DASHES[front.position % len(DASHES)]
    _line(figure, m.nac[line], m.acr[line], color, dash, 3 if is_current else 1.5, opacity=opacity, hoverinfo="skip")
    figure.add_scatter(
        x=m.nac[marks],
        y=m.acr[marks],
        mode="markers",
        name=f"σ {front.label}",
        customdata=np.array([(round(float(theta), 6), front.label) for theta in m.thetas[marks]], object),
        marker={"color": color, "size": 6 if is_current else 4, "opacity": opacity},
        unselected={"marker": {"opacity": opacity}},
        hovertemplate="θ %{customdata[0]:.3f}<br>NAC %{x:.1f} %<br>ACR %{y:.3f}",
    )


def _moving(m: Metrics, every: int) -> Array:
    """Every so-many-th of 1001 thresholds, without those at which neither NAC nor ACR has moved."""
    at = np.arange(0, len(m.thetas), max(1, every * (len(m.thetas) - 1) // 1000))
    moved = np.diff(m.nac[at], prepend=np.nan) != 0
    moved |= np.diff(m.acr[at], prepend=np.nan) != 0
    kept: Array = at[moved]
    return kept


def _draw_alone(figure: go.Figure, fronts: Sequence[Front], theme: Theme) -> None:
    """The certification networks without ACES, as triangles that also name the fronts."""
    figure.add_scatter(
        x=[front.alone.nac for front in fronts],
        y=[front.alone.acr for front in fronts],
        mode="markers+text",
        text=[f"σ {front.label}" for front in fronts],
        textposition="bottom left",
        textfont={"color": theme.ink},
        cliponaxis=False,
        hovertemplate="%{text}, without ACES<br>NAC %{x:.1f} %<br>ACR %{y:.3f}<extra></extra>",
        marker={
            "symbol": "triangle-up",
            "size": 11,
            "color": [theme.color(front.position) for front in fronts],
            "line": {"color": theme.paper, "width": 1},
        },
    )


def _draw_point(figure: go.Figure, x: float, y: float, text: str, symbol: str, color: str, theme: Theme) -> None:
    """One large mark with its name beneath to the left, where no front runs."""
    figure.add_scatter(
        x=[x],
        y=[y],
        mode="markers+text",
        text=[text],
        textposition="bottom left" if y > 0 else "top left",
        textfont={"color": color},
        cliponaxis=False,
        hovertemplate="%{text}<br>NAC %{x:.1f} %<br>ACR %{y:.3f}<extra></extra>",
        marker={"symbol": symbol, "size": 13, "color": color, "line": {"color": theme.paper, "width": 2}},
    )


def accuracy_over_radius(curves: RadiusCurves, theta: float, radius: float, position: int, theme: Theme) -> go.Figure:
    """Certified accuracy over radius at theta, against the certification network alone; radius and ceiling marked."""
    figure = _figure(f"Certified accuracy at θ {theta:.3f}", "radius r (ℓ2, pixel units)", "images [%]", theme)
    hover = "r %{x:.3f}: %{y:.1f} %"
    _line(figure, curves.radii, curves.alone, theme.muted, "dash", 1.5, name="smoothed alone", hovertemplate=hover)
    _line(figure, curves.radii, curves.aces, theme.color(position), "solid", 3, name="ACES", hovertemplate=hover)
    figure.update_layout(yaxis_range=PERCENT, xaxis_range=[0, float(curves.radii[-1])])
    _mark(figure, radius, f"r {radius:g}", theme.ink, "dot", theme)
    _mark(figure, curves.ceiling, f"ceiling {curves.ceiling:.2f}", theme.muted, "longdash", theme)
    return figure


def over_theta(m: Metrics, theta: float, radius: float, theme: Theme) -> go.Figure:
    """NAC and the selection rate at the first radius of ``m`` (left axis), and ACR (right axis), over theta."""
    figure = _figure("Over the threshold", "selection threshold θ", "images [%]", theme)
    rate, selected = "%{y:.1f} %", m.certified_selection[:, 0]
    _line(figure, m.thetas, m.nac, theme.series[NAC], "solid", name="NAC", hovertemplate=rate)
    _line(
        figure, m.thetas, selected, theme.series[SELECTED], "dash", name=f"selected at r {radius:g}", hovertemplate=rate
    )
    _line(figure, m.thetas, m.acr, theme.series[ACR], "dot", name="ACR (right)", hovertemplate="%{y:.3f}", yaxis="y2")
    figure.update_layout(
        margin_r=46,
        hovermode="x unified",
        xaxis_range=[0, 1],
        yaxis_range=PERCENT,
        yaxis2={"overlaying": "y", "side": "right", "rangemode": "tozero", "showgrid": False, "tickmode": "auto"},
    )
    _mark(figure, theta, f"θ {theta:.3f}", theme.ink, "solid", theme)
    return figure


def entropies(h: EntropyHistogram, theta: float, radius: float, theme: Theme) -> go.Figure:
    """Images by median entropy, split by whether the certification network alone is certifiably right at the radius."""
    figure = _figure("Who is selected", "median entropy of an image", "images", theme)
    hover = "%{y} images near %{x:.2f}"
    centres = (h.edges[:-1] + h.edges[1:]) / 2
    right = f"certifiably right at r {radius:g}"
    figure.add_bar(x=centres, y=h.certifiable, name=right, hovertemplate=hover, marker=_fill(CERTIFIABLE, "", theme))
    figure.add_bar(x=centres, y=h.other, name="not", hovertemplate=hover, marker=_fill(OTHER, "/", theme))
    figure.update_layout(barmode="stack", bargap=0, xaxis_range=[0, 1])
    if not h.recorded:
        _say(figure, "This run records no entropies.", theme)
    _mark(figure, theta, f"θ {theta:.3f}", theme.ink, "solid", theme)
    return figure


def class_votes(e: Explanation, names: Sequence[str], theme: Theme) -> go.Figure:
    """Estimation draws by class, the most frequent on top; the guess c_hat hatched, the label in bold."""
    top = np.argsort(-e.class_counts, kind="stable")[:SHOWN_CLASSES][::-1]
    figure = _figure("Votes for the classes", f"of {e.certify.n:,} draws; half dotted", "", theme, DETAIL_HEIGHT)
    figure.add_bar(
        x=e.class_counts[top],
        y=np.array([f"<b>{names[k]}</b>" if k == e.label else names[k] for k in top]),
        orientation="h",
        hovertemplate="%{y}: %{x:,} draws<extra></extra>",
        marker=_fill(0, ["/" if k == e.c_hat else "" for k in top], theme),
    )
    figure.update_layout(xaxis_range=[0, e.certify.n], yaxis={"showgrid": False, "automargin": True})
    _rule(figure, e.certify.n / 2, theme.ink, "dot")
    return figure


def selection_share(e: Explanation, theme: Theme) -> go.Figure:
    """Share of the estimation draws that select the certification network, over theta: the entropies' distribution."""
    figure = _figure("Draws with entropy ≤ θ", "θ", "share of draws [%]", theme, DETAIL_HEIGHT)
    _line(
        figure, e.thetas, 100 * e.select_share, theme.series[SELECTED], "solid",
        fill="tozeroy", hovertemplate="θ %{x:.3f}: %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    figure.add_shape(type="line", x0=0, x1=1, y0=50, y1=50, line={"color": theme.muted, "width": 1, "dash": "dot"})
    figure.update_layout(xaxis_range=[0, 1], yaxis_range=PERCENT)
    _mark(figure, e.theta, f"θ {e.theta:.3f}", theme.ink, "solid", theme)
    return figure


def answer_over_theta(answer: Certificates, theta: float, theme: Theme) -> go.Figure:
    """One image's radius over theta, above a strip that names the outcome of every theta."""
    figure = _figure("The same for every θ", "selection threshold θ", "certified radius", theme, DETAIL_HEIGHT)
    labels = [Outcome(k).label for k in answer.outcome[0]]
    _line(
        figure, answer.thetas, answer.radius[0], theme.series[ACR], "solid",
        customdata=labels, hovertemplate="θ %{x:.3f}: %{customdata}, radius %{y:.4f}<extra></extra>",
    )  # fmt: skip
    top = float(answer.radius.max()) or 1.0
    figure.update_layout(xaxis_range=[0, 1], yaxis_range=[-STRIP * top, 1.15 * top])
    changes = np.flatnonzero(np.diff(answer.outcome[0])) + 1
    edges = [0.0, *answer.thetas[changes].tolist(), 1.0]
    for start, end, at in zip(edges[:-1], edges[1:], [0, *changes.tolist()], strict=True):
        _band(figure, start, end, -STRIP * top, labels[at], theme)
    _mark(figure, theta, f"θ {theta:.3f}", theme.ink, "solid", theme)
    return figure


def _band(figure: go.Figure, start: float, end: float, bottom: float, label: str, theme: Theme) -> None:
    """A stretch of the strip, named where there is room."""
    color = theme.series[OUTCOME_SERIES[label]]
    figure.add_shape(
        type="rect", x0=start, x1=end, y0=bottom, y1=bottom / 3, fillcolor=color, opacity=0.85, line={"width": 0}
    )
    if end - start > 0.012 * len(label):
        figure.add_annotation(
            x=(start + end) / 2, y=2 * bottom / 3, showarrow=False, text=label, font={"color": theme.paper, "size": 11}
        )


def nearest(thetas: Array, theta: float) -> int:
    """The position of the threshold nearest to theta."""
    return int(np.abs(thetas - theta).argmin())


def _figure(title: str, x: str, y: str, theme: Theme, height: int = HEIGHT) -> go.Figure:
    """An empty figure of fixed height, with a template far smaller than plotly's own."""
    axis = {"gridcolor": theme.grid, "linecolor": theme.grid, "zeroline": False}
    transparent = "rgba(0,0,0,0)"
    template = go.Layout(
        font={"family": FONT, "size": 12, "color": theme.muted},
        paper_bgcolor=transparent,
        plot_bgcolor=transparent,
        xaxis=axis,
        yaxis=axis,
        hoverlabel={"font": {"family": FONT}},
    )
    return go.Figure(
        layout={
            "template": go.layout.Template(layout=template),
            "height": height,
            "margin": {"l": 52, "r": 14, "t": 34, "b": 40},
            "title": {"text": f"<b>{title}</b>", "x": 0, "y": 0.98, "yanchor": "top"},
            "title_font": {"size": 14, "color": theme.ink},
            "xaxis_title": {"text": x, "standoff": 6},
            "yaxis_title": {"text": y, "standoff": 6},
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        }
    )


def _line(figure: go.Figure, x: Array, y: Array, color: str, dash: str, width: float = 2, **trace: Any) -> None:
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": color, "width": width, "dash": dash}, **trace)


def _fill(series: int, shape: str | list[str], theme: Theme) -> dict[str, Any]:
    """Bars in a series colour, hatched with the background where ``shape`` says so."""
    pattern = {"shape": shape, "size": 6, "solidity": 0.3, "fillmode": "overlay", "fgcolor": theme.paper}
    return {"color": theme.series[series], "line": {"width": 0}, "pattern": pattern}


def _mark(figure: go.Figure, x: float, text: str, color: str, dash: str, theme: Theme) -> None:
    """A vertical line with its name at the top, on the side where there is room."""
    near_end = x > 0.75 * figure.layout.xaxis.range[1]
    _rule(figure, x, color, dash)
    figure.add_annotation(
        x=x,
        y=1,
        yref="paper",
        xanchor="right" if near_end else "left",
        yanchor="top",
        showarrow=False,
        text=text,
        font={"color": color},
        bgcolor=theme.paper,
    )


def _rule(figure: go.Figure, x: float, color: str, dash: str) -> None:
    line = {"color": color, "width": 1.5, "dash": dash}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)


def _say(figure: go.Figure, text: str, theme: Theme) -> None:
    """A sentence in the middle of an empty figure."""
    figure.add_annotation(
        x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, text=text, font={"color": theme.muted, "size": 14}
    )
