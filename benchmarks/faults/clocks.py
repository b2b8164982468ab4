"""Commands under whose feet the clock jumps: the moments that they note are others, and nothing else is."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from benchmarks.faults.children import Child, FaultError, command
from benchmarks.faults.commands import COMMANDS, DisturbedCommand
from benchmarks.faults.kills import finish
from benchmarks.faults.trials import Scene, Survival, scenes, tried

HOUR = 3600.0
JUMPS = (-HOUR, HOUR, -365 * 24 * HOUR, 365 * 24 * HOUR)


def jumps(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """The clock jumps at a random instant by an hour or a year, back or ahead; then the command is called once more."""
    chosen = tuple(commands)
    for scene in scenes(chosen):
        what = f"the clock jumps while `{scene.command.name}` runs"
        yield tried(what, seed, seconds / max(len(chosen), 1), _jumping(scene))


def _jumping(scene: Scene) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder = scene.begin()
        by, after = chance.choice(JUMPS), chance.uniform(0, scene.seconds)
        child = Child(scene.room / "said", command_while_the_clock_jumps, by, after, *scene.command.words(folder))
        if child.ended() != 0:
            raise FaultError(f"a jump of {by:+.0f} s after {after:.1f} s: {child.words[-200:]}")
        scene.check(folder)
        finish(scene, folder)  # by a clock that is right again
        return 1

    return trial


def command_while_the_clock_jumps(by: float, after: float, *words: str) -> None:
    """A command in this process, whose clock is off by so many seconds from some seconds on."""
    set_off = threading.Timer(after, _shift, [by])
    set_off.daemon = True
    set_off.start()
    command(*words)


def _shift(by: float) -> None:
    told, told_ns = time.time, time.time_ns
    time.time = lambda: told() + by  # what everybody asks who asks for the time and not for a date to write down
    time.time_ns = lambda: told_ns() + int(by * 1e9)
