"""A kind of fault, tried until its time is over: how often, and what did not survive."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.children import FaultError, run
from benchmarks.faults.commands import DisturbedCommand, Result

SHOWN = 5  # faults that are told


@dataclass
class Survival:
    """A line of the table: of ``tries`` so many ``survived``; ``faults``: what did not, and how to repeat it."""

    what: str
    tries: int = 0
    survived: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    note: str = ""

    @property
    def is_sound(self) -> bool:
        return not self.faults and self.survived == self.tries

    @property
    def line(self) -> str:
        """As a row of Markdown."""
        what = f"{self.what} ({self.note})" if self.note else self.what
        return f"| {what} | {self.tries:,} | {self.survived:,} | {self.seconds:,.0f} |"


@dataclass(frozen=True, eq=False)
class Scene:
    """A command that can be disturbed again and again: the folder it begins in, copied for every try; what is
    ``expected`` at its end; how many ``seconds`` it takes undisturbed.
    """

    command: DisturbedCommand
    room: Path
    expected: Result
    seconds: float

    @classmethod
    def of(cls, command: DisturbedCommand, room: Path) -> Scene:
        """Prepared in ``room`` and done once, without any disturbance."""
        from benchmarks.faults.children import command as called

        (room / "begin").mkdir(parents=True)
        run(room / "said", command.prepare, room / "begin")
        folder = room / "undisturbed"
        shutil.copytree(room / "begin", folder)
        seconds = run(room / "said", called, *command.words(folder))
        return cls(command, room, command.result(folder), seconds)

    def begin(self) -> Path:
        """A folder to begin in, in which nothing has been done."""
        folder = self.room / "try"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.room / "begin", folder)
        return folder

    def check(self, folder: Path) -> None:
        """Raises ``FaultError`` where the folder holds anything else than an undisturbed command leaves."""
        found = self.command.result(folder)
        wrong = sorted(name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name))
        if wrong:
            raise FaultError(f"ended in other results than an undisturbed {self.command.name}: {', '.join(wrong[:5])}")


Try = Callable[[random.Random], int]  # one trial: how many faults were injected; raises FaultError


def tried(what: str, seed: str, seconds: float, trial: Try, note: str = "") -> Survival:
    """``trial`` again and again for so many seconds, at least once, each by a chance of its own."""
    found, start = Survival(what, note=note), time.monotonic()
    number = 0
    while number == 0 or time.monotonic() - start < seconds:
        chance = random.Random(f"{seed}-{what}-{number}")
        try:
            times = trial(chance)
        except (FaultError, AssertionError) as error:
            found.tries += 1
            if len(found.faults) < SHOWN:
                found.faults.append(f"{what}, try {number} of seed {seed}: {error}")
        else:
            found.tries += times
            found.survived += times
        number += 1
    found.seconds = time.monotonic() - start
    return found


def scenes(commands: Iterable[DisturbedCommand]) -> Iterator[Scene]:
    """Each command in a room of its own, which is removed behind it."""
    for command in commands:
        with tempfile.TemporaryDirectory(prefix="aces-faults-") as room:
            yield Scene.of(command, Path(room))
