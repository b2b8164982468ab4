"""Corrections: how alpha is spent on the selection's and the certification network's bounds. One card each.

``CORRECTIONS`` is the registry, and an entry is all that another correction needs: ``aces.certify`` asks the card which
level a bound gets and which stored thresholds an answer may rest on, the pages ask it what it promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from engine.errors import AcesError
from engine.statistics.bounds import check_level

if TYPE_CHECKING:
    from typing import Self

CORE, CERTIFY = 0, 1  # the two answers of the selection
SIMULTANEOUS_THETAS = 101  # 0.00, 0.01, ..., 1.00: the thresholds that `simultaneous` holds for at once


@dataclass(frozen=True)
class Levels:
    """Failure probabilities of the two bounds: ``select_s`` and ``certify_s`` where the selection's guess is s."""

    select_1: float
    certify_1: float
    select_0: float
    certify_0: float

    def of(self, s_hat: int) -> tuple[float, float]:
        """The levels of the selection's and the certification network's bound where the guess is ``s_hat``."""
        return (self.select_1, self.certify_1) if s_hat == CERTIFY else (self.select_0, self.certify_0)


def _evenly(parts: int) -> Levels:
    return Levels(parts, parts, parts, parts)


@dataclass(frozen=True)
class CorrectionCard:
    """A correction by ``name``: ``parts``, alpha over which is the level of each bound, and what it ``promises``.

    Each level is alpha divided by a constant, so that levels scale with alpha: the proof of looks (section 14 of
    docs/statistics.md) shares alpha among them and needs that. ``thetas_at_once``: so many evenly spaced thresholds,
    0 and 1 among them, for all of which the promise holds at once and on which alone an answer rests; None where it
    holds at each threshold fixed in advance. ``of_chain``: the parts for so many stages, so many of them without
    draws that guess whether they select (``Composition.undirected``); None where it says nothing of such systems.
    """

    name: str
    parts: Levels
    promises: str
    thetas_at_once: int | None = None
    of_chain: Callable[[int, int], Levels] | None = None

    def levels(self, alpha: float, stages: int = 1, undirected: int = 0) -> Levels:
        """Split alpha. Chosen by s_hat, which the n0 draws decide alone: the n draws do not know of it."""
        check_level(alpha)
        usual = stages == 1 and not undirected
        if not usual and self.of_chain is None:
            what = "chains" if stages > 1 else "votes that a log tells"
            raise AcesError(f"the correction '{self.name}' says nothing of {what}: choose another")
        parts = self.parts if usual or self.of_chain is None else self.of_chain(stages, undirected)
        return Levels(*(alpha / getattr(parts, field.name) for field in fields(Levels)))


CORRECTIONS: dict[str, CorrectionCard] = {
    card.name: card
    for card in (
        CorrectionCard(
            "bonferroni",
            Levels(2, 2, 2, 2),
            "For one image, networks, σ and θ fixed beforehand, an answer is not the system's with probability at most "
            "α, half of which goes to each bound: the paper's choice. Whether the system is right is not said.",
            # One selection each, and the class. An undirected stage is bounded from both sides, of which the lower
            # bound is that of its class as well.
            of_chain=lambda stages, undirected: _evenly(stages + undirected + (undirected < stages)),
        ),
        CorrectionCard(
            "intersection-union",
            # s_hat = 1: a wrong answer needs the one component that truly falls short to be over-estimated, and which
            # one that is the draws do not choose, so each may use all of alpha. s_hat = 0: the selection's test and
            # the consensus test can each give the same wrong answer, their errors add up, and alpha is halved.
            Levels(1, 1, 2, 2),
            "For one image, networks, σ and θ fixed beforehand, an answer is not the system's with probability at most "
            "α; whether the system is right is not said. Each bound of a certificate may spend all of α, because only "
            "the weaker network can break it.",
            # A chain has no consensus: an answer is one conjunction, which only its weakest part can break. Which of
            # the conjunctions is claimed the guesses decide; where a stage has none, the estimating draws choose among
            # one more, and the errors of all that may be claimed add up.
            of_chain=lambda stages, undirected: _evenly(1 + undirected),
        ),
        CorrectionCard(
            "simultaneous",
            Levels(2 * SIMULTANEOUS_THETAS, 2, 2 * SIMULTANEOUS_THETAS, 2),
            "For one image, and networks and σ fixed beforehand, the answers at θ = 0.00, 0.01, …, 1.00 hold all at "
            "once with probability at least 1 − α, so θ may be chosen after looking at them.",
            thetas_at_once=SIMULTANEOUS_THETAS,
            # Each stage pays its own: an undirected one's two directions are a selection's bound and its class's.
            of_chain=lambda stages, undirected: Levels(*2 * (2 * SIMULTANEOUS_THETAS * stages, 2 * stages)),
        ),
    )
}


class _Registered(type):
    """A class whose members are the names of the registry, whenever they came."""

    def __iter__(cls) -> Iterator[Correction]:
        return map(Correction, CORRECTIONS)

    def __len__(cls) -> int:
        return len(CORRECTIONS)

    def __contains__(cls, name: object) -> bool:
        return name in CORRECTIONS


class Correction(str, metaclass=_Registered):
    """The name of a correction of ``CORRECTIONS``, over which the class iterates. Raises ``AcesError`` for any other.

    >>> Correction("bonferroni") == Correction.BONFERRONI, Correction("bonferroni").card.parts.select_1
    (True, 2)
    """

    __slots__ = ()
    BONFERRONI: ClassVar[Correction]
    INTERSECTION_UNION: ClassVar[Correction]
    SIMULTANEOUS: ClassVar[Correction]
    _members: ClassVar[dict[str, Self]] = {}

    def __new__(cls, name: str) -> Self:
        if name not in CORRECTIONS:
            raise AcesError(f"unknown correction {name!r}; known: {', '.join(CORRECTIONS)}")
        return cls._members.setdefault(name, super().__new__(cls, name))  # one object a name: `is` tells them apart

    @property
    def card(self) -> CorrectionCard:
        """Which levels it gives and what it promises."""
        return CORRECTIONS[self]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: Any) -> dict[str, Any]:
        """What pydantic reads: a text that names a correction."""
        return {"type": "function-after", "function": {"type": "no-info", "function": cls}, "schema": handler(str)}


Correction.BONFERRONI = Correction("bonferroni")
Correction.INTERSECTION_UNION = Correction("intersection-union")
Correction.SIMULTANEOUS = Correction("simultaneous")


def levels(correction: str, alpha: float, stages: int = 1, undirected: int = 0) -> Levels:
    """The levels of a correction, by its name, for a chain of so many stages, so many of them ``undirected``.

    Raises ``AcesError`` for an unknown one and alpha outside (0, 1).
    """
    return Correction(correction).card.levels(alpha, stages, undirected)
