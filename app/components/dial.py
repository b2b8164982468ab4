"""A number that is turned by a slider or typed into a box: one control, whose value the browser owns (dial.js).

The two sides may not overtake each other. Every change in the browser has a time, of which the server keeps the last
that it has seen; what it says of the value counts in the browser only if that was the last one there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__)
_mount = st.components.v2.component(
    "aces_dial",
    js=HERE.with_suffix(".js").read_text(encoding="utf-8"),
    css=HERE.with_suffix(".css").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Dial:
    """What a dial offers: values from ``low`` to ``high``, of which arrow keys stop at the multiples of ``step``.

    With ``stops`` they stop at these instead, and the slider gives each the same room. ``digits``: as many decimals are
    kept, and at least ``shown`` are shown. ``key`` names it in the address, ``symbol`` is the name of its box.
    """

    key: str
    label: str
    symbol: str
    default: float
    low: float
    high: float
    step: float = 0.0
    stops: tuple[float, ...] = ()
    digits: int = 9
    shown: int = 0
    about: str = ""

    def read(self, value: object) -> float | None:
        """A value as it came, from the address or the browser; None if it is none of this dial's."""
        try:
            number = round(float(value), self.digits)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            return None
        return number if isfinite(number) and self.low <= number <= self.high else None


@dataclass(frozen=True)
class Turned:
    """What the browser says of a dial: its value, and when it was last changed there, in milliseconds of its page."""

    value: float
    at: float


def turned(dial: Dial, state: object) -> Turned | None:
    """Read what the browser sent; None if it sent nothing, or nothing that this dial can show."""
    sent = state.get("chosen") if isinstance(state, dict) else None
    if not isinstance(sent, dict) or (value := dial.read(sent.get("value"))) is None:
        return None
    return Turned(value, float(sent["at"]))


def show(dial: Dial, key: str, known: Mapping[str, Any]) -> Any:
    """Draw it under ``key``; returns what the browser sent: ``chosen`` and ``clicked``, whose fields dial.js names.

    ``known``: what the server knows, its ``value``; ``seen``, the time of the last change in the browser that this
    includes; ``session``, as after a restart of the server the browser's value stands; ``puts``, the number of
    controls that callbacks have set, of which the next change will say that the browser has heard.
    """
    said = {**asdict(dial), **known}
    # As bytes: what is sent as JSON reaches the browser only when it differs from the last time.
    return _mount(
        key=key, data=json.dumps(said).encode(), on_chosen_change=_nothing, on_clicked_change=_nothing
    )  # fmt: skip


def _nothing() -> None:
    """State is kept under names that have a callback."""
