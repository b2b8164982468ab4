"""A figure of the pages for print: its traces, lines and words -> SVG, PDF or PNG, by matplotlib, without a browser.

Only what the figures here are made of is known: lines, marks, bars, rules, bands and notes. What a page shows where one
points at something is left out, as is the title: a paper has captions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import Array
from engine.escape import terminal, unplot
from engine.figures import vector
from engine.figures.base import Sketch, Theme
from engine.figures.vector import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS = 0.6  # of print a pixel of the screen: a line of 2 there is one of 1.2 here
DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (5, 2)),
    "dot": (0, (1, 1.5)),
    "dashdot": (0, (5, 1.5, 1, 1.5)),
    "longdash": (0, (8, 2)),
    "longdashdot": (0, (8, 1.5, 1, 1.5)),
}
SYMBOLS = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "triangle-down": "v", "pentagon": "p",
    "hexagon": "h", "cross": "P", "star": "*", "x": "X",
}  # fmt: skip
OPEN = "-open"
HATCHES = {"/": "////"}
ALIGNED = {"left": "right", "right": "left", "center": "center", "top": "bottom", "bottom": "top", "middle": "center"}
ROOM = 0.1  # of an axis: letters are wider here beside names that a page has room for
BAR = 0.8  # of the room between bars, where they may not touch


def save(sketch: Sketch, look: Look, theme: Theme, form: str, dpi: int = 150) -> bytes:
    """The figure as a file of the ``form`` svg, pdf or png, on the ground of the ``theme`` that it was made for."""
    return vector.saved(partial(_draw, sketch, look, theme), look, form, dpi)


def _draw(sketch: Sketch, look: Look, theme: Theme, figure: Figure) -> None:
    layout = sketch.whole_layout()
    figure.set_facecolor(theme.paper)
    axes = figure.add_subplot()
    of = {"y": axes}
    if any(trace.get("yaxis") == "y2" for trace in sketch.traces):
        of["y2"] = axes.twinx()
    _dress(axes, layout, theme)
    places = _categories(layout)
    below: dict[tuple[object, ...], float] = {}
    for trace in sketch.traces:
        if trace["type"] == "bar":
            _bars(axes, trace, layout, places, below, theme)
        else:
            _scatter(of[trace.get("yaxis", "y")], trace, look)
    _ranges(axes, layout)
    if "y2" in of:
        of["y2"].set_ylim(bottom=0)
        of["y2"].tick_params(colors=theme.muted)
        of["y2"].spines[["top", "left"]].set_visible(False)
    for shape in layout.get("shapes", ()):
        _shape(axes, shape)
    for note in layout.get("annotations", ()):
        _note(axes, note, look)
    if layout.get("showlegend", True):
        vector.legend(figure, _entries(sketch), look)
        for made in figure.legends:
            for text in made.get_texts():
                text.set_color(theme.ink)


def _dress(axes: Axes, layout: Mapping[str, Any], theme: Theme) -> None:
    for axis, put in (("xaxis", axes.set_xlabel), ("yaxis", axes.set_ylabel)):
        put(_plain(layout.get(axis, {}).get("title", {}).get("text", "")), color=theme.ink)
    axes.set_facecolor(theme.paper)
    axes.grid(color=theme.grid, linewidth=0.4, visible=True)
    if layout.get("yaxis", {}).get("showgrid") is False:
        axes.grid(visible=False, axis="y")
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.ink)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(theme.muted)
    if "zerolinecolor" in layout.get("yaxis", {}):
        axes.axhline(0, color=layout["yaxis"]["zerolinecolor"], linewidth=0.5)


def _categories(layout: Mapping[str, Any]) -> dict[str, int]:
    """The places of the names on an axis of names."""
    return {name: k for k, name in enumerate(layout.get("xaxis", {}).get("categoryarray", ()))}


def _ranges(axes: Axes, layout: Mapping[str, Any]) -> None:
    x, y = layout.get("xaxis", {}), layout.get("yaxis", {})
    ends = [*x.get("autorangeoptions", {}).get("include", ())]
    if ends:
        low, high = min(axes.get_xlim()[0], *ends), max(axes.get_xlim()[1], *ends)
        axes.set_xlim(low - ROOM * (high - low), high)
    if "range" in x:
        axes.set_xlim(*x["range"])
    if "range" in y:
        axes.set_ylim(*y["range"])
    elif y.get("rangemode") == "tozero":
        axes.set_ylim(bottom=0)
    if y.get("autorange") == "reversed":
        axes.invert_yaxis()
    for ticks, put in ((x, axes.set_xticks), (y, axes.set_yticks)):
        if "tickvals" in ticks:
            turn: dict[str, Any] = (
                {"rotation": 30, "ha": "right"} if put == axes.set_xticks and len(ticks["tickvals"]) > 5 else {}
            )
            put(ticks["tickvals"], list(map(_plain, ticks["ticktext"])), **turn)
    names = _categories(layout)
    if names:
        long = sum(map(len, names)) > 60
        turned: dict[str, Any] = {"rotation": 20, "ha": "right"} if long else {}
        axes.set_xticks([*names.values()], list(map(_plain, names)), **turned)


def _scatter(axes: Axes, trace: Mapping[str, Any], look: Look) -> None:
    x, y = np.asarray(trace["x"], float), np.asarray(trace["y"], float)
    if not len(x):
        return
    opacity = trace.get("opacity", 1.0)
    if "lines" in trace["mode"]:
        axes.plot(x, y, alpha=opacity, zorder=2, **_line(trace))
    if "tozero" in trace.get("fill", ""):
        axes.fill_between(x, y, color=trace["line"]["color"], alpha=0.2, linewidth=0)
    if "markers" in trace["mode"]:
        _marks(axes, x, y, trace["marker"], opacity)
    if "error_y" in trace:
        error = trace["error_y"]
        whiskers = [error["arrayminus"], error["array"]]
        axes.errorbar(x, y, whiskers, fmt="none", ecolor=error["color"], elinewidth=0.8, capsize=2, zorder=2)
    if "text" in trace["mode"]:
        _texts(axes, x, y, trace, look)


def _line(trace: Mapping[str, Any]) -> dict[str, Any]:
    line = trace.get("line", {})
    return {
        "color": line.get("color"),
        "linewidth": POINTS * line.get("width", 2),
        "linestyle": DASHES[line.get("dash", "solid")],
    }


def _marks(axes: Axes, x: Array, y: Array, marker: Mapping[str, Any], opacity: float) -> None:
    colors, sizes = (_each(marker[key], len(x)) for key in ("color", "size"))
    look = _symbol(marker.get("symbol", "circle"))
    for color, size in dict.fromkeys(zip(colors, sizes, strict=True)):  # a mark of one look is drawn once
        at = [k for k, one in enumerate(zip(colors, sizes, strict=True)) if one == (color, size)]
        edge = marker.get("line", {}).get("color", color) if not look["open"] else color
        axes.plot(
            x[at], y[at], look["marker"], color=color, markersize=POINTS * size,
            alpha=opacity * marker.get("opacity", 1), markerfacecolor="none" if look["open"] else color,
            markeredgecolor=edge, markeredgewidth=0.8 if look["open"] else 0.5, zorder=3, clip_on=False,
        )  # fmt: skip


def _symbol(name: str) -> dict[str, Any]:
    return {"marker": SYMBOLS[name.removesuffix(OPEN)], "open": name.endswith(OPEN)}


def _each(value: Any, count: int) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value] * count


def _texts(axes: Axes, x: Array, y: Array, trace: Mapping[str, Any], look: Look) -> None:
    """Beside their marks: ``top right`` of a mark is where its text begins."""
    places = _each(trace.get("textposition", "middle center"), len(trace["text"]))
    away = {"top": 3, "bottom": -3, "middle": 0, "left": -3, "right": 3, "center": 0}
    for at, text in enumerate(trace["text"]):
        up, side = places[at].split()
        if text and np.isfinite(x[at]) and np.isfinite(y[at]):
            axes.annotate(
                _plain(text), (x[at], y[at]), (away[side], away[up]), textcoords="offset points", ha=ALIGNED[side],
                va=ALIGNED[up], fontsize=max(look.size - 1, 4), color=trace.get("textfont", {}).get("color"),
                fontweight="bold" if text.startswith("<b>") else "normal",
            )  # fmt: skip


def _bars(
    axes: Axes, trace: Mapping[str, Any], layout: Mapping[str, Any], places: Mapping[str, int],
    below: dict[tuple[object, ...], float], theme: Theme,
) -> None:  # fmt: skip
    """Upright or lying bars, each upon those before it where they are stacked (``below``)."""
    lying = trace.get("orientation") == "h"
    names, sizes = (trace["y"], trace["x"]) if lying else (trace["x"], trace["y"])
    if not len(names):
        return
    at = [places.get(name, k) if isinstance(name, str) else float(name) for k, name in enumerate(names)]
    base = [float(value) for value in trace.get("base", [0.0] * len(at))]
    if layout.get("barmode") == "stack":
        base = [below.get((place,), 0.0) for place in at]
        below.update({(place,): start + float(size) for place, start, size in zip(at, base, sizes, strict=True)})
    step = float(np.diff(at).min()) if len(at) > 1 and not isinstance(names[0], str) else 1.0
    width = step * (1 - layout.get("bargap", 1 - BAR))
    put = partial(axes.barh, height=width, left=base) if lying else partial(axes.bar, width=width, bottom=base)
    made = put(at, [float(size) for size in sizes], zorder=2, **_filled(trace, theme))
    for bar, shape in zip(made, _each(trace["marker"].get("pattern", {}).get("shape", ""), len(at)), strict=True):
        bar.set_hatch(HATCHES.get(shape))
    if lying:
        axes.set_yticks(at, list(map(_plain, names)))
    if "error_y" in trace:
        error = trace["error_y"]
        ends = [start + float(size) for start, size in zip(base, sizes, strict=True)]
        whiskers = [error["arrayminus"], error["array"]]
        axes.errorbar(at, ends, whiskers, fmt="none", ecolor=error["color"], elinewidth=0.8, capsize=2, zorder=4)


def _filled(trace: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    return {"color": trace["marker"]["color"], "edgecolor": theme.paper, "linewidth": 0}


def _shape(axes: Axes, shape: Mapping[str, Any]) -> None:
    """A rule or a band; one whose ``yref`` is the paper is as high as the axes."""
    x, y = (shape["x0"], shape["x1"]), (shape["y0"], shape["y1"])
    on = axes.get_xaxis_transform() if shape.get("yref") == "paper" else axes.transData
    if shape["type"] == "line":
        axes.plot(x, y, transform=on, zorder=2.5, scalex=False, scaley=False, **_line(shape))
    else:
        from matplotlib.patches import Rectangle

        place = (x[0], min(y)), x[1] - x[0], abs(y[1] - y[0])
        axes.add_patch(Rectangle(*place, color=shape["fillcolor"], alpha=shape.get("opacity", 1), linewidth=0))


def _note(axes: Axes, note: Mapping[str, Any], look: Look) -> None:
    if not note.get("opacity", 1):
        return
    on = {
        (True, True): axes.transAxes,
        (False, True): axes.get_xaxis_transform(),
        (True, False): axes.get_yaxis_transform(),
    }.get((note.get("xref") == "paper", note.get("yref") == "paper"), axes.transData)
    made = axes.text(
        note["x"], note["y"], _plain(note["text"]), transform=on, color=note["font"]["color"],
        ha=note.get("xanchor", "center"), va={"top": "top", "bottom": "bottom"}.get(note.get("yanchor", ""), "center"),
        fontsize=max(look.size - 1, 4), zorder=5,
    )  # fmt: skip
    if "bgcolor" in note:
        made.set_bbox({"facecolor": note["bgcolor"], "edgecolor": "none", "pad": 1})


def _entries(sketch: Sketch) -> dict[str, Any]:
    """A handle for every trace that the page's legend has."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {}
    for trace in sketch.traces:
        name = _plain(trace.get("name") or "")
        if not name or name in found or not trace.get("showlegend", True):
            continue
        if trace["type"] == "bar":
            if len(trace["x"]):
                marker = trace["marker"]
                shape = marker.get("pattern", {}).get("shape", "")
                hatch = HATCHES.get(shape) if isinstance(shape, str) else None
                found[name] = Patch(facecolor=_one(marker["color"]), hatch=hatch, edgecolor="white", linewidth=0)
            continue
        marks: dict[str, Any] = {"linestyle": "none", "linewidth": 0}
        if "lines" in trace["mode"]:
            marks = _line(trace)
        if "markers" in trace["mode"]:
            look = _symbol(trace["marker"].get("symbol", "circle"))
            marks |= {"marker": look["marker"], "markersize": 4, "color": _one(trace["marker"]["color"])}
            marks |= {"markerfacecolor": "none"} if look["open"] else {}
        found[name] = Line2D([], [], **marks)
    return found


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _plain(text: str) -> str:
    return terminal(unplot(str(text)))
