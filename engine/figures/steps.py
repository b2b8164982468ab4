"""From the paper's certificate to larger ones: a bar a step."""

from __future__ import annotations

from collections.abc import Sequence

from engine.figures.bars import FIRST, GAINED, LOST, bars, names
from engine.figures.base import ACR, OTHER, Sketch, Theme, empty, fill
from engine.statistics.steps import Measured

HEIGHT = 380
GAIN = 2  # the place among the series
LOOKS = {FIRST: (ACR, ""), GAINED: (GAIN, ""), LOST: (OTHER, "/")}


def waterfall(found: Sequence[Measured], floor: float, theme: Theme) -> Sketch:
    """ACR by step: the whole bar of the first, of others what they add to the step before or, hatched, take from it.

    The whisker is the 95 % interval of that difference, paired by image. All of it follows alpha.
    """
    figure = empty(f"ACR at a held-out NAC of {floor:.1f} %", "", "average certified radius", theme, HEIGHT)
    for kind, bar in bars(found).items():  # also those of which there are none now: another level may have some
        series, shape = LOOKS[kind]
        figure.add_bar(
            x=bar["x"], y=bar["y"], base=bar["base"], name=kind, marker=fill(series, shape, theme),
            hovertext=bar["text"], hovertemplate="%{hovertext}<extra></extra>",
            error_y={
                "type": "data", "symmetric": False, "array": bar["high"], "arrayminus": bar["low"],
                "color": theme.ink, "thickness": 1.5, "width": 5,
            },
        )  # fmt: skip
        figure.follows("steps", kind=kind)
    figure.live.append({"is": "names"})
    figure.update_layout(
        barmode="overlay",
        bargap=0.35,
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names(found),
            "automargin": True,
            "autotickangles": [0, -45],
        },
        yaxis_rangemode="tozero",
    )
    return figure
