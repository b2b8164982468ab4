"""Commands that are killed at random instants and called again, until they end: with what an undisturbed one leaves."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.faults.children import Child, FaultError, command
from benchmarks.faults.commands import COMMANDS, DisturbedCommand
from benchmarks.faults.trials import Scene, Survival, scenes, tried

MOST_KILLS = 4  # of one command that is called again and again
WRITERS = 3


def kills(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """SIGKILL and SIGTERM, half of the time each, for every command."""
    chosen = tuple(commands)
    share = seconds / max(2 * len(chosen), 1)
    for scene in scenes(chosen):
        for number in (signal.SIGKILL, signal.SIGTERM):
            what = f"{number.name} at a random instant of `{scene.command.name}`"
            yield tried(what, seed, share, _killing(scene, number))


def _killing(scene: Scene, number: signal.Signals) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder, times = scene.begin(), 0
        for _ in range(chance.randint(1, MOST_KILLS)):
            if scene.command.is_done(folder):
                break
            child = Child(scene.room / "said", command, *scene.command.words(folder))
            if child.wait(chance.uniform(0, scene.seconds)) is None:
                status = child.end(number)
                times += 1
                if status not in (-number, 0):
                    raise FaultError(f"ended with status {status} at {number.name}: {child.words[-200:]}")
            child.check_said()
        finish(scene, folder)
        return times

    return trial


def finish(scene: Scene, folder: Path) -> None:
    """Call the command once more, undisturbed, and compare what it leaves."""
    if not scene.command.is_done(folder):
        child = Child(scene.room / "said", command, *scene.command.words(folder))
        if child.ended() != 0:
            raise FaultError(f"does not go on: {child.words[-200:]}")
    scene.check(folder)


def writers(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """Three of one command at once, in one store."""
    chosen = [one for one in commands if one.name in ("precompute", "import")]
    for scene in scenes(chosen):
        what = f"{WRITERS} times `{scene.command.name}` at once into one store"
        yield tried(what, seed, seconds / len(chosen), _writing(scene))


def _writing(scene: Scene) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder = scene.begin()
        words = scene.command.words(folder)
        children = [Child(scene.room / f"said-{k}", command, *words) for k in range(WRITERS)]
        for child in children:
            if child.ended() != 0:
                raise FaultError(f"one of {WRITERS} at once: {child.words[-200:]}")
        scene.check(folder)
        return 1

    return trial
