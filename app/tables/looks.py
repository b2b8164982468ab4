"""Which colour and which dash each of the compositions drawn has. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from app.settings import COLOURS, Choice

COMPOSITION, NOISE, TRAINING = COLOURS


def looks(choices: Sequence[Choice], by: str) -> tuple[tuple[int, int], ...]:
    """The numbers of colour and dash, in the order of ``choices``; none where every composition has its own of both.

    By σ or by training: a colour for each of these, in rising order, and a dash for each core network; where there is
    one of these, a dash for the other of σ and training.
    """
    if by == COMPOSITION:
        return ()
    by_colour = [choice.certify_run.noise if by == NOISE else choice.training for choice in choices]
    by_dash = [choice.core_run.name for choice in choices]
    if len(set(by_dash)) == 1:
        by_dash = [choice.training if by == NOISE else choice.noise for choice in choices]
    colours, dashes = _numbers(sorted(set(by_colour))), _numbers(by_dash)
    return tuple((colours[colour], dashes[dash]) for colour, dash in zip(by_colour, by_dash, strict=True))


def _numbers(values: Sequence[Hashable]) -> dict[Hashable, int]:
    return {value: k for k, value in enumerate(dict.fromkeys(values))}
