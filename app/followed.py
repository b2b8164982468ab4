"""What a browser needs to follow the dials without the server: names of packs, which are made meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from functools import lru_cache, partial
from typing import Any

from app import data
from app.compositions import composition_key, joined
from app.services import packs
from app.settings import ALPHAS, Choice, Settings
from app.tables import live
from engine.errors import AcesError
from engine.figures import bars
from engine.statistics.metrics import Convention

MOST_FOLLOWED = 25_000_000  # images x thresholds of all that a browser follows: some 100 MB there
NEAR_LEVELS = 7  # that waterfalls are made for: with chains each takes the server a second at 500 images


def followed(settings: Settings, choices: Sequence[Choice]) -> dict[str, Any]:
    """What a browser needs to follow the dials by itself, of the compositions ``choices``: the names of their packs.

    These are made meanwhile: for the level that is set first, then for those next to it on the dial.
    """
    alphas, near = _levels(settings)
    asked: dict[str, packs.Make] = {}
    named, room = {}, MOST_FOLLOWED
    for choice in sorted(choices, key=lambda choice: choice != settings.choice):  # the reader's own first
        position = settings.compositions.index(choice)
        named[position], taken = _packs(settings.at(choice), alphas, near, asked, room)
        room -= taken
    packs.SHARED.ask(dict(sorted(asked.items(), key=lambda one: _rank(one[0], near))))
    return {
        "compositions": [named.get(position) for position in range(len(settings.compositions))],
        "current": settings.position,
        "levels": alphas,
    }


def _levels(settings: Settings) -> tuple[list[float], list[int]]:
    """The levels that the dial stops at and the one that is set; and their places, the nearest first."""
    alphas = sorted({*ALPHAS, settings.alpha})
    return alphas, sorted(range(len(alphas)), key=lambda level: abs(level - alphas.index(settings.alpha)))


def followed_steps(settings: Settings, floor: float, before: str) -> dict[str, Any]:
    """What a browser needs for the waterfall to follow alpha: the name of its packs, and the levels that have one.

    ``before``: the name that the session had last, of whose packs none is made any more that is not yet.
    """
    alphas, near = _levels(settings)
    key, others = composition_key(settings.choice), data.neighbours_in_noise(settings)
    name = f"steps-{_digest(key, others, floor, *alphas)}"
    if before and before != name:
        packs.SHARED.drop(before)
    near = near[:NEAR_LEVELS]
    makes = {level: partial(_packed_steps, key, others, alphas[level], settings.radius, floor) for level in near}
    packs.SHARED.ask({f"{name}-{level}": make for level, make in makes.items()})
    return {"steps": name, "near": near}


def _packed_steps(*measured: Any) -> bytes:
    return bars.packed([*data.measured_steps(*measured)[0].values()])


def _rank(name: str, near: Sequence[int]) -> int:
    """Counts come first, then the levels as they are near."""
    _, _, level = name.rpartition("-")
    return -1 if name.startswith("counts") else near.index(int(level))


def _packs(
    settings: Settings, alphas: Sequence[float], near: Sequence[int], asked: dict[str, packs.Make], room: int
) -> tuple[dict[str, str] | None, int]:
    """The names of a composition's packs, which are asked for, and how many votes they hold; None and 0 if the browser
    cannot follow it or has no ``room`` for it.
    """
    if settings.convention is Convention.PAPER:
        return None, 0
    try:
        key = composition_key(settings.choice)
        c = joined(key)
    except AcesError:  # its figures say so
        return None, 0
    if c.select_counts.size > room or not live.can_be_live(c):
        return None, 0
    terms, link = settings.terms, c.smoothing_select.link
    of_votes = c.n_select, c.smoothing_select.name, terms.correction
    names = {
        "counts": f"counts-{_digest(key)}",
        "classes": f"classes-{_digest(key, terms.correction, terms.bound, *alphas)}",
        "votes": f"votes-{_digest(*of_votes, *alphas)}",
    }
    asked[names["counts"]] = partial(live.of_counts, c)
    for level in near:
        at = terms._replace(alpha=alphas[level])
        asked[f"{names['classes']}-{level}"] = partial(live.of_classes, c, at)
        asked[f"{names['votes']}-{level}"] = partial(live.of_votes, c.n_select, link, at.alpha, terms.correction)
    return names, c.select_counts.size


@lru_cache(maxsize=4096)  # asked at every key
def _digest(*what: Hashable) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:24]
