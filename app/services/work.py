"""How much of each kind of work one session, and all together, may have at a time. No Streamlit in here.

Jobs and attacks wait in a queue, which says their place; whatever else finds no room is refused in a sentence.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from app.services.limits import PICTURES, Limits
from engine.errors import AcesError

HOUR = 3600.0  # seconds


class Kind(StrEnum):
    """What is limited."""

    CERTIFY = "certify"  # jobs, and attacks on their answers
    ESTIMATE = "estimate"  # of what sampling a config would take: a process with torch
    PRECOMPUTE = "precompute"
    PICTURES = "pictures"  # of a run, taken from its dataset's files: a process with torch
    UPLOAD = "upload"  # megabytes in memory


@dataclass(frozen=True)
class Room:
    """What ``session`` and ``everyone`` may have at a time, and all together begin in an ``hour`` (None: any number).

    ``busy`` and ``full``: the sentences that refuse one more.
    """

    session: int
    everyone: int
    busy: str
    full: str
    hour: int | None = None

    def refuse(self, mine: int, all_of_them: int) -> None:
        """Raises ``AcesError`` where so many leave no room for one more."""
        if mine >= self.session:
            raise AcesError(self.busy)
        if all_of_them >= self.everyone:
            raise AcesError(self.full)


def rooms(limits: Limits) -> dict[Kind, Room]:
    """The table: what there is room for."""
    sent = PICTURES * limits.upload_mb
    return {
        Kind.CERTIFY: Room(
            1,
            limits.jobs,
            "one job at a time: stop or cancel the one that is under way",
            f"{limits.jobs} jobs are waiting already; try again in a minute",
        ),
        Kind.ESTIMATE: Room(
            1,
            1,
            "one estimate at a time: wait for the one that is under way",
            "an estimate is being made for somebody else; try again in some seconds",
            hour=120,
        ),
        Kind.PRECOMPUTE: Room(
            2,
            2,
            "2 configs are being sampled already: wait for one of them, or cancel it first",
            "2 configs are being sampled already: wait for one of them, or cancel it first",
        ),
        Kind.PICTURES: Room(
            1,
            1,
            "pictures are being taken already; try again in some seconds",
            "pictures of another run are being taken; try again in some seconds",
        ),
        Kind.UPLOAD: Room(
            sent,
            3 * sent,
            f"your files take more than {sent} MB: remove some of them first",
            "this server holds as many files as it can; try again in some minutes",
        ),
    }


class Places:
    """Who does what in this process, beside what the queue of jobs knows of its own. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: list[tuple[Kind, str]] = []
        self._begun: dict[Kind, deque[float]] = {work: deque() for work in Kind}

    @contextmanager
    def held(self, work: Kind, session: str, limits: Limits) -> Iterator[None]:
        """A place as long as the block runs. Raises ``AcesError`` where there is none."""
        with self._lock:
            self._admit(work, session, rooms(limits)[work])
            self._held.append((work, session))
        try:
            yield
        finally:
            with self._lock:
                self._held.remove((work, session))

    def _admit(self, work: Kind, session: str, room: Room) -> None:
        room.refuse(self._held.count((work, session)), sum(of is work for of, _ in self._held))
        if room.hour is None:
            return
        begun, now = self._begun[work], time.monotonic()
        while begun and begun[0] <= now - HOUR:
            begun.popleft()
        if len(begun) >= room.hour:
            raise AcesError(f"{room.hour} {work.value}s were made within an hour, which is all that this server makes")
        begun.append(now)


PLACES = Places()
