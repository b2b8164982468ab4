"""From the paper's certificate to larger ones: a bar a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.figures.base import ACR, OTHER, Sketch, Theme, empty, fill
from engine.statistics.steps import Measured

HEIGHT = 380
GAIN = 2  # the place among the series


def waterfall(found: Sequence[Measured], floor: float, theme: Theme) -> Sketch:
    """ACR by step: the whole bar of the first, of others what they add to the step before or, hatched, take from it.

    The whisker is the 95 % interval of that difference, paired by image.
    """
    figure = empty(f"ACR at a held-out NAC of {floor:.1f} %", "", "average certified radius", theme, HEIGHT)
    by_key = {m.step.key: m for m in found}
    names = [m.step.name for m in found]
    for kind in ("the first step", "gained", "lost"):
        rows = [row for m in found for row in [_bar(m, by_key.get(m.step.before or ""))] if row[0] == kind]
        if not rows:
            continue
        at = [k for k, m in enumerate(found) if _bar(m, by_key.get(m.step.before or ""))[0] == kind]
        series, shape = {"the first step": (ACR, ""), "gained": (GAIN, ""), "lost": (OTHER, "/")}[kind]
        base, size, low, high, text = (np.array(column) for column in zip(*(row[1:] for row in rows), strict=True))
        figure.add_bar(
            x=[names[k] for k in at], y=size, base=base, name=kind, marker=fill(series, shape, theme),
            hovertext=text.tolist(), hovertemplate="%{hovertext}<extra></extra>",
            error_y={
                "type": "data", "symmetric": False, "array": high, "arrayminus": low, "color": theme.ink,
                "thickness": 1.5, "width": 5,
            },
        )  # fmt: skip
    figure.update_layout(
        barmode="overlay",
        bargap=0.35,
        xaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names,
            "automargin": True,
            "autotickangles": [0, -45],
        },
        yaxis_rangemode="tozero",
    )
    return figure


def _bar(m: Measured, before: Measured | None) -> tuple[str, float, float, float, float, str]:
    """Kind, where the bar begins, its size, the interval below and above its end, and what is said of it."""
    acr = m.acr
    if before is None:
        said = f"ACR {acr.value:.4f} [{acr.low:.4f}, {acr.high:.4f}]"
        return "the first step", 0.0, acr.value, acr.value - acr.low, acr.high - acr.value, said
    gain = m.over(before)
    said = f"ACR {acr.value:.4f}: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] over {before.step.name}"
    kind = "gained" if gain.value >= 0 else "lost"
    return kind, before.acr.value, gain.value, gain.value - gain.low, gain.high - gain.value, said
