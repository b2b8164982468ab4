"""Steps from the paper's certificate -> the bars of a waterfall, for its figure and for the browser to redraw it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

from engine.statistics.steps import Measured

FIRST, GAINED, LOST = KINDS = ("the first step", "gained", "lost")
Bars = dict[str, list[Any]]


def names(found: Sequence[Measured]) -> list[str]:
    """The steps in their order."""
    return [m.step.name for m in found]


def bars(found: Sequence[Measured]) -> dict[str, Bars]:
    """By kind, which may have none: of each bar its step ``x``, where it begins (``base``), its size ``y``, the
    interval above (``high``) and below (``low``) its end, and what is said of it (``text``).
    """
    by_key = {m.step.key: m for m in found}
    rows = [_bar(m, by_key.get(m.step.before or "")) for m in found]
    columns = ("x", "base", "y", "low", "high", "text")
    return {
        kind: {name: [row[k] for of, row in rows if of == kind] for k, name in enumerate(columns)} for kind in KINDS
    }


def packed(found: Sequence[Measured]) -> bytes:
    """What the browser draws, as deflated JSON: the ``names`` of the steps and their ``bars``."""
    return zlib.compress(json.dumps({"names": names(found), "bars": bars(found)}).encode(), 1)


def _bar(m: Measured, before: Measured | None) -> tuple[str, tuple[str, float, float, float, float, str]]:
    """Kind and columns of a step's bar: the first is whole, others begin where the step ``before`` ends."""
    acr = m.acr
    if before is None:
        said = f"ACR {acr.value:.4f} [{acr.low:.4f}, {acr.high:.4f}]"
        return FIRST, (m.step.name, 0.0, acr.value, acr.value - acr.low, acr.high - acr.value, said)
    gain = m.over(before)
    said = f"ACR {acr.value:.4f}: {gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}] over {before.step.name}"
    ends = gain.value - gain.low, gain.high - gain.value
    return GAINED if gain.value >= 0 else LOST, (m.step.name, before.acr.value, gain.value, *ends, said)
