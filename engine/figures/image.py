"""One image: its votes, its scores, its answer over the threshold; and many images as marks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.arrays import ABSTAIN
from engine.escape import plot
from engine.figures.base import (
    ACR,
    DETAIL_HEIGHT,
    PERCENT,
    SELECTED,
    Sketch,
    Theme,
    empty,
    fill,
    line,
    mark,
    radii,
    rule,
    say,
)
from engine.figures.views import ImageRows
from engine.statistics.aces import Certificates, Outcome
from engine.statistics.explain import Explanation, StageNumbers

SHOWN_CLASSES = 10
SHAPES = {"certified": "circle", "core": "square", "consensus": "diamond", "abstain": "x"}
MAP_HEIGHT = 300
MANY = 2000  # marks above which the graphics processor draws them
STRIP = 0.22  # height of the strip of outcomes, in largest radii
OUTCOME_SERIES = {"certified": 0, "core": 2, "consensus": 8, "abstain": 1}  # the outcomes' places among the series


def class_votes(e: StageNumbers, names: Sequence[str], theme: Theme) -> Sketch:
    """Estimation draws by class, the most frequent on top; the guess c_hat hatched, the label, if known, in bold."""
    label = e.label if isinstance(e, Explanation) else ABSTAIN
    top = np.argsort(-e.class_counts, kind="stable")[:SHOWN_CLASSES][::-1]
    figure = empty("Votes for the classes", f"of {e.certify.n:,} draws; half dotted", "", theme, DETAIL_HEIGHT)
    figure.add_bar(
        x=e.class_counts[top],
        y=np.array([f"<b>{plot(names[k])}</b>" if k == label else plot(names[k]) for k in top]),
        orientation="h",
        hovertemplate="%{y}: %{x:,} draws<extra></extra>",
        marker=fill(0, ["/" if k == e.c_hat else "" for k in top], theme),
    )
    figure.update_layout(
        xaxis_range=[0, e.certify.n], yaxis={"type": "category", "showgrid": False, "automargin": True}
    )
    rule(figure, e.certify.n / 2, theme.ink, "dot")
    return figure


def selection_share(e: StageNumbers, theme: Theme) -> Sketch:
    """Share of the estimation draws that select the certification network, over theta: the scores' distribution."""
    figure = empty(f"Draws with {e.words.score} ≤ θ", "θ", "share of draws [%]", theme, DETAIL_HEIGHT)
    line(
        figure, e.thetas, 100 * e.select_share, theme.series[SELECTED], "solid",
        fill="tozeroy", hovertemplate="θ %{x:.3f}: %{y:.1f} %<extra></extra>",
    )  # fmt: skip
    least = 100 * e.t  # of the draws, for the certification network to be selected
    figure.add_shape(
        type="line", x0=0, x1=1, y0=least, y1=least, line={"color": theme.muted, "width": 1, "dash": "dot"}
    )
    figure.live.append({"is": "level", "shape": len(figure.shapes) - 1})
    figure.update_layout(xaxis_range=[0, 1], yaxis_range=PERCENT)
    mark(figure, e.theta, f"θ {e.theta:.3f}", theme.ink, "solid", theme, ("theta", "θ"))
    return figure


def answer_over_theta(answer: Certificates, theta: float, theme: Theme, symbol: str = "θ") -> Sketch:
    """One image's radius over theta, above a strip that names the outcome of every theta."""
    return _answer(f"The same for every {symbol}", answer, theta, theme, symbol)


def _answer(
    title: str, answer: Certificates, theta: float, theme: Theme, symbol: str = "θ", *, follows: bool = False
) -> Sketch:
    figure = empty(title, f"selection threshold {symbol}", "certified radius", theme, DETAIL_HEIGHT)
    labels = [Outcome(k).label for k in answer.outcome[0]]
    line(
        figure, answer.thetas, answer.radius[0], theme.series[ACR], "solid",
        customdata=labels, hovertemplate=f"{symbol} %{{x:.3f}}: "
        "%{customdata}, radius %{text}<extra></extra>",
        **radii(answer.radius[0]),
    )  # fmt: skip
    if follows:
        _follows(figure, answer, "radius", labels=[outcome.label for outcome in Outcome])
    top = float(answer.radius.max()) or 1.0
    start = 0.0 if symbol == "θ" else 0.5
    figure.update_layout(xaxis_range=[start, 1], yaxis_range=[-STRIP * top, 1.15 * top])
    changes = np.flatnonzero(np.diff(answer.outcome[0])) + 1
    edges = [start, *answer.thetas[changes].tolist(), 1.0]
    begins = [0, *changes.tolist()]
    for begin, end, at in zip(edges[:-1], edges[1:], begins, strict=True):
        _band(figure, begin, end, -STRIP * top, labels[at], theme)
    shown = [int(answer.outcome[0, at]) for at in begins]
    if follows and len(set(shown)) == len(shown):  # as of any one stage, whose votes are monotone
        _strip_follows(figure, answer, shown, start, -STRIP * top, theme)
    mark(figure, theta, f"{symbol} {theta:.3f}", theme.ink, "solid", theme, ("theta", symbol))
    return figure


def _strip_follows(
    figure: Sketch, answer: Certificates, shown: list[int], start: float, bottom: float, theme: Theme
) -> None:
    """The bands move with the dials: also those of the outcomes that no threshold has now, which have no width."""
    for outcome in Outcome:
        if outcome not in shown:
            _band(figure, start, start, bottom, outcome.label, theme)
            shown.append(int(outcome))
    shapes = [shown.index(outcome) for outcome in Outcome]
    rooms = [_room(outcome.label) for outcome in Outcome]
    facts = {"shapes": shapes, "notes": shapes, "rooms": rooms, "height": STRIP}
    figure.live.append({"is": "strip", "image": int(answer.index[0]), **facts})


def _follows(figure: Sketch, answer: Certificates, what: str, **facts: object) -> None:
    figure.follows("image", image=int(answer.index[0]), what=what, **facts)


def _room(label: str) -> float:
    """How wide a band is for its name to fit."""
    return 0.012 * len(label)


def _band(figure: Sketch, start: float, end: float, bottom: float, label: str, theme: Theme) -> None:
    """A stretch of the strip, whose name is seen where there is room."""
    color = theme.series[OUTCOME_SERIES[label]]
    figure.add_shape(
        type="rect", x0=start, x1=end, y0=bottom, y1=bottom / 3, fillcolor=color, opacity=0.85, line={"width": 0}
    )
    figure.add_annotation(
        x=(start + end) / 2, y=2 * bottom / 3, showarrow=False, text=label, font={"color": theme.paper, "size": 11},
        opacity=int(end - start > _room(label)),
    )  # fmt: skip


def bounds_over_theta(
    answer: Certificates, theta: float, theme: Theme, symbol: str = "θ", *, follows: bool = False
) -> Sketch:
    """One image's two radii over theta, the answer the lower of them, above a strip that names the outcomes.

    Of one stage, all of it may follow the dials.
    """
    figure = _answer(f"Radii over {symbol}", answer, theta, theme, symbol, follows=follows)
    of_selection, of_class = answer.radius_select[0], answer.radius_certify[0]
    hover = f"{symbol} %{{x:.3f}}: %{{text}}"
    line(
        figure, answer.thetas, of_selection, theme.series[SELECTED], "dash", 1.5, name="R of selection",
        hovertemplate=hover, **radii(of_selection),
    )  # fmt: skip
    if follows:
        _follows(figure, answer, "select")
    line(
        figure, answer.thetas, of_class, theme.series[0], "dot", 1.5, name="R of class",
        hovertemplate=hover, **radii(of_class),
    )  # fmt: skip
    if follows:
        _follows(figure, answer, "ofClass")
    top = 1.15 * (max(float(answer.radius_select.max()), float(answer.radius_certify.max())) or 1.0)
    figure.update_layout(yaxis_range=[figure.layout["yaxis_range"][0], top])
    figure.traces[0]["name"] = "R, the answer's"
    return figure


def images(rows: ImageRows, theta: float | None, score: str, theme: Theme, *, follows: bool = False) -> Sketch:
    """Every image as a mark: certified radius over median score, a shape and colour an outcome; carry the index.

    Without ``theta`` no score selects. The marks may follow the dials where these decide on no image's being shown.
    """
    follows = follows and len(rows) <= MANY  # WebGL marks hung where a burst of keys had them redrawn
    figure = empty("Images", f"median {score}", "certified radius", theme, MAP_HEIGHT)
    known = ~np.isnan(rows.score_median)
    for outcome in Outcome:
        at = np.flatnonzero((rows.outcome == outcome) & known)
        if not len(at) and not follows:
            continue
        figure.add_scatter(
            type="scattergl" if len(rows) > MANY else "scatter",
            x=rows.score_median[at],
            y=rows.radius[at],
            mode="markers",
            name=outcome.label,
            customdata=rows.index[at].tolist(),
            marker={
                "symbol": SHAPES[outcome.label],
                "size": 7,
                "opacity": 0.75,
                "color": theme.series[OUTCOME_SERIES[outcome.label]],
            },
            hovertemplate="image %{customdata}, %{x:.3f}: radius %{text}",
            **radii(rows.radius[at]),
        )
        if follows:
            figure.follows("outcome", outcome=int(outcome))
    figure.update_layout(xaxis_range=[-0.02, 1.02], yaxis_rangemode="tozero", dragmode="lasso")
    if not known.any():
        say(figure, "This run records no scores of single images.", theme)
    if theta is not None:
        mark(figure, theta, f"θ {theta:.3f}", theme.ink, "solid", theme, ("theta", "θ"))
    return figure
