"""What the numbers of a page rest on, as a row of chips that unfolds into the whole sentence. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from engine.escape import terminal

LONGEST = 600  # letters of a sentence with names


@dataclass(frozen=True)
class Chip:
    """A few ``words``, and the ``whole`` of it, with full names, for who points at it or unfolds the row."""

    words: str
    whole: str


def row(chips: Sequence[Chip]) -> str:
    """One HTML element: chips that wrap, and behind them, folded away, what each says in full.

    A summary is a button to keyboards and screen readers, which read its chips; the full names are in the list.
    """
    short = "".join(f'<span class="chip" title="{_text(chip.whole)}">{_text(chip.words)}</span>' for chip in chips)
    whole = "".join(f"<li>{_text(chip.whole)}</li>" for chip in chips)
    return (
        f'<details class="rests-on"><summary>{short}<span class="chip-more">details</span></summary>'
        f"<ul>{whole}</ul></details>"
    )


def _text(said: str) -> str:
    """Letters, whatever they are: names come from files of others."""
    said = terminal(said)
    return html.escape(said if len(said) <= LONGEST else f"{said[:LONGEST]} …")
