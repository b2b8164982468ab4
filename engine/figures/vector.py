"""A figure for print: panels of lines, marks and bars -> SVG or PDF, drawn by matplotlib.

Every text is set letter for letter, whatever a stranger named his run: no ``$`` begins a formula. The same plate gives
the same bytes: no dates, one salt for the ids, and only the fonts that matplotlib brings along. Matplotlib is imported
when the first figure is drawn, as it takes a third of a second; nothing of its global state outlives a drawing.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.arrays import Array
from engine.escape import terminal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

COLUMN, TEXT_WIDTH = 3.25, 6.75  # inches: a column and the text width of most conferences' styles
NARROWEST = 1.55  # inches that a panel needs: where there are fewer, panels stand below each other
FONTS = {False: ["DejaVu Sans"], True: ["STIXGeneral", "DejaVu Serif", "DejaVu Sans"]}  # by Look.serif; all embedded
DASHES: dict[str, Any] = {
    "solid": "-",
    "dashed": (0, (5, 2)),
    "dotted": (0, (1, 1.5)),
    "dashdot": (0, (5, 1.5, 1, 1.5)),
}
INK, GRID = "#1b2430", "#d9dee4"
FITS = 0.95  # of the width a legend may take: letters of a file are a little wider than those that are measured
ONE_AT_A_TIME = threading.Lock()  # matplotlib's settings are of the whole process, and sessions are threads of it
METADATA: dict[str, dict[str, str | None]] = {
    "svg": {"Date": None, "Creator": "ACES Explorer"},
    "pdf": {"CreationDate": None, "Creator": "ACES Explorer", "Producer": None},
    "png": {"Software": None},
}
SETTINGS: dict[Any, Any] = {
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
    "svg.fonttype": "path",  # looks the same where the font is not installed
    "svg.hashsalt": "aces",
    "pdf.fonttype": 42,  # TrueType, which submission systems ask for
    "path.simplify": False,
    "axes.linewidth": 0.6,
    "hatch.linewidth": 0.5,
}


@dataclass(frozen=True, eq=False)
class Curve:
    """A line through ``x`` and ``y`` [P] (``dash`` "" for none) with marks (``marker`` "" for none) at the points
    ``at``, all if None. ``name`` is its legend entry, "" for none; a curve without points is an entry alone.
    """

    name: str
    x: Array
    y: Array
    color: str
    dash: str = "solid"
    marker: str = ""
    at: Array | None = None
    width: float = 1.2
    size: float = 2.2


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of ``counts`` [B] between ``edges`` [B + 1], upon ``base`` [B]; hatched, they are told apart in grey."""

    name: str
    edges: Array
    counts: Array
    base: Array
    color: str
    hatch: str = ""


@dataclass(frozen=True)
class Callout:
    """A text beside a point."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes; ``low`` and ``high`` are the ends of an axis (x, y), None where the data say. ``radii``: the
    letters of the axes on which certified radii stand, which round down as numbers.
    """

    x: str
    y: str
    parts: tuple[Curve | Bars, ...]
    title: str = ""
    low: tuple[float | None, float | None] = (None, None)
    high: tuple[float | None, float | None] = (None, None)
    notes: tuple[Callout, ...] = ()
    radii: str = ""


@dataclass(frozen=True, eq=False)
class Plate:
    """Panels side by side under one legend."""

    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Look:
    """Width and height in inches, and the font with its size in points."""

    width: float = COLUMN
    height: float = 2.6
    serif: bool = True
    size: float = 8.0


def texts(plate: Plate) -> list[str]:
    """Every text on the plate that a person may want to word otherwise, once, in reading order."""
    return list(dict.fromkeys(text for text in _texts(plate) if text))


def _texts(plate: Plate) -> Iterator[str]:
    for panel in plate.panels:
        yield from (panel.title, panel.x, panel.y)
    for panel in plate.panels:
        yield from (part.name for part in panel.parts)
        yield from (note.text for note in panel.notes)


def relabelled(plate: Plate, said: Mapping[str, str]) -> Plate:
    """The plate with other words for some of its ``texts``; an empty one leaves its text, or legend entry, out."""

    def word(text: str) -> str:
        return said.get(text, text)

    def panel(old: Panel) -> Panel:
        parts = tuple(replace(part, name=word(part.name)) for part in old.parts)
        notes = tuple(replace(note, text=word(note.text)) for note in old.notes)
        return replace(old, title=word(old.title), x=word(old.x), y=word(old.y), parts=parts, notes=notes)

    return Plate(tuple(map(panel, plate.panels)))


def svg(plate: Plate, look: Look) -> str:
    """The plate as an SVG whose letters are outlines."""
    return saved(partial(draw, plate, look), look, "svg").decode()


def pdf(plate: Plate, look: Look) -> bytes:
    """The plate as a PDF with its fonts embedded."""
    return saved(partial(draw, plate, look), look, "pdf")


def png(plate: Plate, look: Look, dpi: int = 200) -> bytes:
    """The plate as pixels, to look at."""
    return saved(partial(draw, plate, look), look, "png", dpi)


def saved(drawn: Callable[[Figure], None], look: Look, form: str, dpi: int = 72) -> bytes:
    """What ``drawn`` puts into an empty figure, as a file of the ``form`` svg, pdf or png."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    out, settings = io.BytesIO(), SETTINGS | _sizes(look)
    with ONE_AT_A_TIME, matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that no font of these has, and panels too small for their texts
        figure = Figure((look.width, look.height), layout="constrained")
        FigureCanvasAgg(figure)
        drawn(figure)
        figure.savefig(out, format=form, metadata=dict(METADATA[form]), dpi=dpi)
    return out.getvalue()


def _sizes(look: Look) -> dict[Any, Any]:
    small = max(look.size - 1, 4)
    return {
        "font.family": FONTS[look.serif],
        "font.size": look.size,
        "axes.labelsize": look.size,
        "axes.titlesize": look.size,
        "xtick.labelsize": small,
        "ytick.labelsize": small,
        "legend.fontsize": small,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
    }


def draw(plate: Plate, look: Look, figure: Figure) -> None:
    """The panels and their legend, into an empty figure."""
    columns = max(1, min(len(plate.panels), int(look.width / NARROWEST)))
    rows = -(-len(plate.panels) // columns)
    for k, panel in enumerate(plate.panels):
        _panel(figure.add_subplot(rows, columns, k + 1), panel, look)
    legend(figure, _entries(plate), look)


def _panel(axes: Axes, panel: Panel, look: Look) -> None:
    for part in panel.parts:
        if isinstance(part, Curve):
            _curve(axes, part)
        else:
            _bars(axes, part)
    for note in panel.notes:
        axes.annotate(
            _plain(note.text), (note.x, note.y), (2.5, 2.5), textcoords="offset points",
            fontsize=max(look.size - 1.5, 4), color=INK,
        )  # fmt: skip
    axes.set_xlabel(_plain(panel.x))
    axes.set_ylabel(_plain(panel.y))
    axes.set_title(_plain(panel.title))
    axes.set_xlim(panel.low[0], panel.high[0])
    axes.set_ylim(panel.low[1], panel.high[1])
    axes.grid(color=GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, part: Curve) -> None:
    if not len(part.x):
        return
    axes.plot(
        part.x, part.y, color=part.color, linestyle=DASHES[part.dash] if part.dash else "none", linewidth=part.width,
        marker=part.marker or "none", markersize=part.size, markeredgewidth=_edge(part),
        markevery=None if part.at is None else part.at.tolist(),
        clip_on=not (part.marker and not part.dash),  # a mark on the edge of the axes is seen whole
        zorder=3 if part.marker and not part.dash else 2,
    )  # fmt: skip


def _edge(part: Curve) -> float:
    """Marks of strokes alone are nothing but edge."""
    return 0.6 if part.marker in ("x", "+", "1") else 0.0


def _bars(axes: Axes, part: Bars) -> None:
    axes.bar(
        part.edges[:-1], part.counts, part.edges[1:] - part.edges[:-1], part.base, align="edge", color=part.color,
        hatch=part.hatch or None, edgecolor="white", linewidth=0.3,
    )  # fmt: skip


def legend(figure: Figure, entries: Mapping[str, Any], look: Look) -> None:
    """Handles by their names above the panels, where they cover nothing, in as many columns as fit the figure."""
    if not entries:
        return
    for columns in range(len(entries), 0, -1):
        made = figure.legend(
            list(entries.values()), list(map(_plain, entries)), loc="outside upper center", ncols=columns,
            frameon=False, handlelength=2.2, columnspacing=1.0, handletextpad=0.5, borderaxespad=0.1,
        )  # fmt: skip
        if columns == 1 or _width(made, figure) <= FITS * look.width:
            return
        made.remove()


def _entries(plate: Plate) -> dict[str, Any]:
    """A handle for every name, once."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {}
    for part in (part for panel in plate.panels for part in panel.parts):
        if not part.name or part.name in found:
            continue
        if isinstance(part, Bars):
            found[part.name] = Patch(facecolor=part.color, hatch=part.hatch or None, edgecolor="white", linewidth=0.3)
        else:
            found[part.name] = Line2D(
                [], [], color=part.color, linestyle=DASHES[part.dash] if part.dash else "none", linewidth=part.width,
                marker=part.marker or "none", markersize=max(part.size, 3), markeredgewidth=_edge(part),
            )  # fmt: skip
    return found


def _width(legend: Legend, figure: Figure) -> float:
    """In inches."""
    return float(legend.get_window_extent(figure.canvas.get_renderer()).width / figure.dpi)  # type: ignore[attr-defined]


def _plain(text: str) -> str:
    """Letters that a figure can set: nothing that a terminal, a PDF or an XML file would obey."""
    return terminal(text)
