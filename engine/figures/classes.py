"""A system class by class: rates with intervals, what is routed where, what is mistaken; and how far images reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array
from engine.escape import plot
from engine.figures.base import (
    CERTIFIABLE,
    COUNTS,
    NAC,
    OTHER,
    PERCENT,
    RADII,
    SELECTED,
    Sketch,
    Theme,
    empty,
    fill,
    mark,
    rule,
    say,
)
from engine.figures.image import OUTCOME_SERIES
from engine.figures.views import Spread
from engine.statistics.aces import Outcome
from engine.statistics.by_class import ByClass, ClassRates

HEIGHT, SQUARES = 330, 430
HATCHED = {Outcome.CORE: "/", Outcome.ABSTAIN: "x"}
MOST = 40  # classes that are drawn by name: of more, those that are answered worst
LONGEST = 14  # letters of a class on an axis


def rates_by_class(found: ByClass, names: Sequence[str], radius: float, theme: Theme) -> Sketch:
    """Natural accuracy and certified accuracy at the first radius of ``found`` by class, with 95 % intervals."""
    figure = empty("Accuracy by class", "", "images of the class [%]", theme, HEIGHT)
    rows, shown = _shown(found), _names(found, names)
    series = (
        (found.natural, "NAC", NAC, "circle", -0.12),
        (_column(found.certified, 0), f"certified at r {radius:.9g}", SELECTED, "diamond", 0.12),
    )
    for rates, name, color, symbol, aside in series:
        value, low, high = rates.value[rows], rates.low[rows], rates.high[rows]
        figure.add_scatter(
            x=np.arange(len(rows)) + aside, y=value, mode="markers", name=name,
            error_y={
                "type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low,
                "color": theme.series[color], "thickness": 1.5, "width": 3,
            },
            customdata=[
                [shown[k], int(found.images[row]), f"{found_low:.1f} to {found_high:.1f}"]
                for k, (row, found_low, found_high) in enumerate(zip(rows, low, high, strict=True))
            ],
            hovertemplate="%{customdata[0]}: %{y:.1f} % [%{customdata[2]}] of %{customdata[1]}",
            marker={"color": theme.series[color], "symbol": symbol, "size": 9},
        )  # fmt: skip
    _classes(figure, [f"{name} ({found.images[row]})" for name, row in zip(shown, rows, strict=True)])
    figure.update_layout(yaxis_range=PERCENT)
    return figure


def routing_by_class(found: ByClass, names: Sequence[str], theme: Theme) -> Sketch:
    """How CERTIFY ends on the images of each class, stacked to 100 %."""
    figure = empty("Who answers, by class", "", "images of the class [%]", theme, HEIGHT)
    rows, shown = _shown(found), _names(found, names)
    for outcome in (Outcome.CERTIFIED, Outcome.CONSENSUS, Outcome.CORE, Outcome.ABSTAIN):
        figure.add_bar(
            x=np.arange(len(rows)), y=found.outcomes.value[rows, outcome], name=outcome.label,
            marker=fill(OUTCOME_SERIES[outcome.label], HATCHED.get(outcome, ""), theme), customdata=shown,
            hovertemplate=f"%{{customdata}}: %{{y:.1f}} % {outcome.label}<extra></extra>",
        )  # fmt: skip
    _classes(figure, shown)
    figure.update_layout(barmode="stack", bargap=0.25, yaxis_range=[0, 100])
    return figure


def confusion(found: ByClass, names: Sequence[str], theme: Theme) -> Sketch:
    """A square for every label (row) and answer (column) that occurs, darker the larger its share of the row; its
    number of images where there is room.
    """
    figure = empty("Answers by class", "answer", "label", theme, SQUARES)
    rows, shown = _shown(found), _names(found, names)
    wide = [*found.label[rows].tolist(), found.confusion.shape[1] - 1]
    columns = [*shown, "none"]
    share = found.confusion[rows][:, wide] / found.images[rows, None]
    size = min(24.0, 200 / max(len(columns), 1))  # apart also on a telephone
    for right, name, color in ((True, "right", CERTIFIABLE), (False, "wrong or none", OTHER)):
        i, j = np.nonzero((share > 0) & (np.eye(*share.shape, dtype=np.bool_) == right))
        counts = found.confusion[rows][:, wide][i, j]
        tints = [_tinted(theme.series[color], theme.paper, one) for one in share[i, j].tolist()]
        figure.add_scatter(
            x=j.astype(float), y=i.astype(float), mode="markers", name=name,
            meta={COUNTS: 2},
            customdata=[[shown[a], columns[b], int(count)] for a, b, count in zip(i, j, counts, strict=True)],
            hovertemplate="label %{customdata[0]}, answer %{customdata[1]}: %{customdata[2]}<extra></extra>",
            marker={
                "symbol": "square", "size": size, "color": tints,
                "line": {"color": theme.grid, "width": 1},
            },
        )  # fmt: skip
        if size > 12:
            for a, b, count in zip(i, j, counts, strict=True):
                ink = theme.paper if share[a, b] > 0.6 else theme.ink
                figure.add_annotation(
                    x=float(b), y=float(a), text=str(count), showarrow=False, font={"color": ink, "size": 10}
                )
    _classes(figure, columns)
    ends = [len(rows) - 0.5, -0.5]
    figure.update_layout(
        xaxis_range=[-0.5, len(columns) - 0.5],
        yaxis={
            "range": ends,
            "tickmode": "array",
            "tickvals": [*range(len(rows))],
            "ticktext": [plot(n) for n in shown],
            "automargin": True,
        },
    )
    return figure


def reach(spread: Spread, radius: float, theme: Theme) -> Sketch:
    """Images by their certified radius, answered rightly or wrongly; those without a certificate are said."""
    figure = empty("Certified radii", f"certified radius ({spread.norm}, pixel units)", "images", theme, HEIGHT)
    _bars(figure, spread.radius_edges, spread.radius_right, spread.radius_wrong, theme, RADII)
    figure.update_layout(xaxis_range=[0, float(spread.radius_edges[-1])])
    mark(figure, radius, f"r {radius:.9g}", theme.ink, "dot", theme)
    if not (spread.radius_right.any() or spread.radius_wrong.any()):
        say(figure, "No image has a certificate here.", theme)
    return figure


def shares(spread: Spread, theme: Theme) -> Sketch:
    """Images by the lower bound p_A of their class's share of the noisy votes."""
    figure = empty("Shares of the class", "lower bound p_A of its share of the votes", "images", theme, HEIGHT)
    _bars(figure, spread.share_edges, spread.share_right, spread.share_wrong, theme)
    figure.update_layout(xaxis_range=[0, 1])
    rule(figure, 0.5, theme.ink, "dot")
    return figure


def _bars(figure: Sketch, edges: Array, right: Array, wrong: Array, theme: Theme, meta: str = "") -> None:
    centres = (edges[:-1] + edges[1:]) / 2
    for counts, name, series, shape in ((right, "right class", CERTIFIABLE, ""), (wrong, "wrong class", OTHER, "/")):
        figure.add_bar(
            x=centres, y=counts, name=name, marker=fill(series, shape, theme),
            hovertemplate="%{y} images near %{x:.2f}", **({"meta": {RADII: "x"}} if meta else {}),
        )  # fmt: skip
    figure.update_layout(barmode="stack", bargap=0)


def _column(rates: ClassRates, k: int) -> ClassRates:
    return ClassRates(rates.value[:, k], rates.low[:, k], rates.high[:, k])


def _shown(found: ByClass) -> Array:
    """The rows of the classes that are drawn, in their order: of many, those that are answered worst."""
    if len(found.label) <= MOST:
        return np.arange(len(found.label))
    return np.sort(np.argsort(found.natural.value, kind="stable")[:MOST])


def _names(found: ByClass, names: Sequence[str]) -> list[str]:
    cut = (names[label] for label in found.label[_shown(found)].tolist())
    return [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in cut]


def _classes(figure: Sketch, names: Sequence[str]) -> None:
    """Classes along the axis below, turned where they would meet."""
    figure.update_layout(
        xaxis={
            "range": [-0.6, len(names) - 0.4], "tickmode": "array", "tickvals": [*range(len(names))],
            "ticktext": [plot(name) for name in names], "automargin": True, "autotickangles": [0, -45, -90],
        }
    )  # fmt: skip


def _tinted(color: str, paper: str, share: float) -> str:
    """Between the ground and the colour, by the share."""
    ends = [[int(text[k : k + 2], 16) for k in (1, 3, 5)] for text in (paper, color)]
    mixed = (round(a + (0.15 + 0.85 * share) * (b - a)) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)
