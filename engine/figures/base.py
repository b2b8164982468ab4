"""The scheme of colours, and the parts that figures are made of."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from engine.arrays import Array
from engine.statistics.bounds import rounded_down

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT, TALL, DETAIL_HEIGHT = 260, 430, 250
FONT = "Source Sans, sans-serif"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
RADII = "radii"  # in a trace's ``meta``: which of its coordinates are certified radii, and round down as text
SHARES = "shares"  # in a trace's ``meta``: where in its ``customdata`` the share of votes of each point is
COUNTS = "counts"  # in a trace's ``meta``: where in its ``customdata`` the number of images of each point is
PERCENT = [0, 101]  # an axis on which a line at 100 % is seen whole


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
    looks: tuple[tuple[int, int], ...] = ()  # of the compositions drawn: the numbers of their colours and dashes

    def color(self, position: int) -> str:
        """The colour of the composition at this position among those drawn."""
        return self.series[(self.looks[position][0] if self.looks else position) % len(self.series)]

    def dash(self, position: int) -> str:
        """The dash of its lines."""
        return DASHES[(self.looks[position][1] if self.looks else position) % len(DASHES)]


LIGHT = Theme(
    "#1b2430", "#5c6773", "#e3e7ec", "#ffffff",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a67c00", "#3a9bd1", "#882255", "#117733", "#332288", "#7f7f1f"),
)  # fmt: skip
DARK = Theme(
    "#eef2f6", "#9aa7b4", "#2b3644", "#10161f",
    ("#4ba6e0", "#f0883e", "#2bc79a", "#e09ac4", "#e6b93c", "#8fd0f5", "#d1679b", "#6cc082", "#9d94ee", "#c6c65f"),
)  # fmt: skip
CERTIFIABLE, OTHER, NAC, ACR, SELECTED = 2, 1, 6, 8, 9  # the quantities' places among the series


@dataclass(frozen=True)
class Sketch:
    """The parts of a figure.

    Its methods are named and take what those of ``go.Figure`` do; a layout's key that is given again replaces. By its
    name the browser knows a trace again, to keep it hidden. A page sends it to the browser as it is (``to_json``): that
    plotly knows its parts (``finish``) is checked in tests and exports, and would cost twelve fronts 30 ms a key.
    ``live``: which parts follow the dials while these are turned, and what live.js has to know of each.
    """

    layout: dict[str, Any]
    traces: list[dict[str, Any]] = field(default_factory=list)
    live: list[dict[str, Any]] = field(default_factory=list)
    shapes: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)

    def add_scatter(self, **trace: Any) -> None:
        self.traces.append({"type": "scatter", "uid": _identity(trace.get("name")), **trace})

    def add_bar(self, **trace: Any) -> None:
        self.traces.append({"type": "bar", "uid": _identity(trace.get("name")), **trace})

    def add_shape(self, **shape: Any) -> None:
        self.shapes.append(shape)

    def add_annotation(self, **note: Any) -> None:
        self.annotations.append(note)

    def follows(self, part: str, /, **facts: Any) -> None:
        """The trace that was added last follows the dials, as this ``part`` of live.js."""
        self.live.append({"is": part, "trace": len(self.traces) - 1, **facts})

    def update_layout(self, **layout: Any) -> None:
        self.layout.update(layout)

    def finish(self) -> go.Figure:
        """The figure, checked. Raises ``ValueError`` for what plotly does not know."""
        import plotly.graph_objects as go  # slow to load, and pages do without

        return go.Figure(self.traces, self._flat_layout())

    def to_json(self) -> str:
        """What ``finish().to_json()`` says, unchecked."""
        try:
            whole = {"data": self.traces, "layout": self.whole_layout()}
            return json.dumps(whole, default=_plain, allow_nan=False)
        except ValueError:  # a number is missing: JSON has no NaN, and plotly knows where null may stand for it
            return str(self.finish().to_json(remove_uids=False))

    def whole_layout(self) -> dict[str, Any]:
        """The layout with shapes and annotations, plotly's short forms written out."""
        return _nested(self._flat_layout())

    def _flat_layout(self) -> dict[str, Any]:
        return {**self.layout, "shapes": self.shapes, "annotations": self.annotations}


def _nested(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Plotly's short form written out: ``xaxis_range`` is the ``range`` of ``xaxis``."""
    whole: dict[str, Any] = {}
    for key, value in layout.items():
        *path, last = key.split("_")
        place = whole
        for name in path:
            place = place.setdefault(name, {})
        if isinstance(value, dict) and last in place:
            place[last] |= value
        else:
            place[last] = dict(value) if isinstance(value, dict) else value
    return whole


def _plain(value: Any) -> Any:
    """Numpy as JSON: numbers in an array as the typed arrays of plotly.js, which it reads without parsing them."""
    if not isinstance(value, np.ndarray):
        return value.item()
    if value.dtype.kind != "f" or value.ndim != 1:
        return value.tolist()
    return {
        "dtype": value.dtype.str[1:],
        "bdata": b64encode(value.astype(value.dtype.newbyteorder("<")).tobytes()).decode(),
    }


def _identity(name: str | None) -> str | None:
    """A name as plotly can use it in the class of an element."""
    return None if name is None else f"n{crc32(name.encode()):x}"


def empty(title: str, x: str, y: str, theme: Theme, height: int = HEIGHT) -> Sketch:
    """A figure of fixed height without traces, with a template far smaller than plotly's own.

    Its revision: zoom and hidden lines are kept for as long as its axes mean the same.
    """
    axis = {"gridcolor": theme.grid, "linecolor": theme.grid, "zeroline": False}
    transparent = "rgba(0,0,0,0)"
    template = {
        "font": {"family": FONT, "size": 12, "color": theme.muted},
        "paper_bgcolor": transparent,
        "plot_bgcolor": transparent,
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {"font": {"family": FONT}},
    }
    return Sketch(
        {
            "template": {"layout": template},
            "uirevision": f"{x}, {y}",
            "height": height,
            "margin": {"l": 52, "r": 14, "t": 34, "b": 40},
            "title": {"text": f"<b>{title}</b>", "x": 0, "y": 0.98, "yanchor": "top"},
            "title_font": {"size": 14, "color": theme.ink},
            "xaxis_title": {"text": x, "standoff": 6},
            "yaxis_title": {"text": y, "standoff": 6},
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        }
    )


def line(figure: Sketch, x: Array, y: Array, color: str, dash: str, width: float = 2, **trace: Any) -> None:
    figure.add_scatter(x=x, y=y, mode="lines", line={"color": color, "width": width, "dash": dash}, **trace)


def fill(series: int, shape: str | list[str], theme: Theme) -> dict[str, Any]:
    """Bars in a series colour, hatched with the background where ``shape`` says so."""
    pattern = {"shape": shape, "size": 6, "solidity": 0.3, "fillmode": "overlay", "fgcolor": theme.paper}
    return {"color": theme.series[series], "line": {"width": 0}, "pattern": pattern}


def radii(values: Array, decimals: int = 4, axes: str = "y") -> dict[str, Any]:
    """What a trace of certified radii brings along: its texts to point at, and that ``axes`` are radii.

    Plotly's own formats would round to nearest and so claim more than was certified. A radius of the core network's
    side is negative; its size rounds down.
    """
    sizes = np.copysign(rounded_down(np.abs(values), decimals), values)
    # Of thousands of images, few radii differ at so many decimals. + 0: no minus before a zero.
    distinct, where = np.unique(sizes + 0.0, return_inverse=True)
    texts = np.array([f"{size:.{decimals}f}" for size in distinct.tolist()], object)
    return {"text": texts[where].tolist(), "meta": {RADII: axes}}


def mark(
    figure: Sketch, x: float, text: str, color: str, dash: str, theme: Theme, dial: tuple[str, str] | None = None
) -> None:
    """A vertical line with its name at the top, on the side where there is room.

    ``dial``: the key of the one that moves it, and what its value is called.
    """
    near_end = x > 0.75 * figure.layout["xaxis_range"][1]
    if dial is not None:
        key, symbol = dial
        at = {"shape": len(figure.shapes), "note": len(figure.annotations)}
        figure.live.append({"is": "rule", **at, "dial": key, "symbol": symbol})
    rule(figure, x, color, dash)
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


def rule(figure: Sketch, x: float, color: str, dash: str) -> None:
    line = {"color": color, "width": 1.5, "dash": dash}
    figure.add_shape(type="line", x0=x, x1=x, y0=0, y1=1, yref="paper", line=line)


def say(figure: Sketch, text: str, theme: Theme) -> None:
    """A sentence in the middle of an empty figure."""
    figure.add_annotation(
        x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, text=text, font={"color": theme.muted, "size": 14}
    )
