"""Rates by threshold and radius as a table for people, whose numbers follow the dials (live.js)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isnan

import streamlit as st

from engine.statistics.intervals import Estimate

MISSING = "missing"
ALONE, OWN = "alone", "own"


@dataclass(frozen=True)
class RateRow:
    """A row: its ``name``; NAC in percent with its interval; ACR; certified accuracy in percent by radius.

    ``follows``: what of the browser's numbers it shows, those at a threshold or ``ALONE``; it stays if that is empty.
    """

    name: str
    nac: Estimate
    acr: float
    certified: Sequence[float]
    follows: str = ""


def table(rows: Sequence[RateRow], radii: Sequence[float], alt: str, *, own: int) -> None:
    """``own``: the row of the threshold that the reader sets."""
    head = ["", "NAC %", "95 % interval", "ACR", *(f"r {radius:g}" for radius in radii)]
    cells = "".join(f"<th scope=col>{text}</th>" for text in head)
    body = "".join(_row(row, OWN if at == own else row.follows) for at, row in enumerate(rows))
    st.html(
        f"<div class=rates role=region tabindex=0 aria-label='{escape(alt)}'>"
        f"<table data-radii='{json.dumps([*radii])}'>"
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(row: RateRow, follows: str) -> str:
    interval = MISSING if isnan(row.nac.low) else f"{_rate(row.nac.low)}–{_rate(row.nac.high)}"
    numbers = [_rate(row.nac.value), interval, f"{row.acr:.3f}", *map(_rate, row.certified)]
    cells = "".join(f"<td>{text}</td>" for text in numbers)
    return f"<tr data-follows='{escape(follows)}'><th scope=row>{escape(row.name)}</th>{cells}</tr>"


def _rate(percent: float) -> str:
    return MISSING if isnan(percent) else f"{percent:.1f}"
