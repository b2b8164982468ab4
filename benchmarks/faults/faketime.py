"""The clock jumps between the interruption of a command and its being called again: an hour back, or a year on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.faults.children import FIXED, PATIENCE, Child, FaultError, command
from benchmarks.faults.commands import COMMANDS, DisturbedCommand
from benchmarks.faults.trials import Scene, Survival, scenes, tried
from tests import ROOT

JUMPS = {"an hour back": "-1h", "a year on": "+1y"}
JUMPED = ("precompute", "certify", "train")
TOY = "from benchmarks.faults.children import command; from tests import toy; import sys, torch; toy.register(); \
torch.set_num_threads(1); command(*sys.argv[1:])"


def resumptions(seed: str, seconds: float, commands: Iterable[DisturbedCommand] = COMMANDS) -> Iterator[Survival]:
    """Killed at a random instant, and called again by another clock; where there is no ``faketime`` that is said."""
    chosen = [one for one in commands if one.name in JUMPED]
    if shutil.which("faketime") is None:
        yield Survival("the clock jumps", note="skipped: faketime is not installed here")
        return
    share = seconds / max(len(JUMPS) * len(chosen), 1)
    for scene in scenes(chosen):
        for name, jump in JUMPS.items():
            what = f"the clock jumps {name} between the end and the resumption of `{scene.command.name}`"
            yield tried(what, seed, share, _jumping(scene, jump))


def _jumping(scene: Scene, jump: str) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder = scene.begin()
        child = Child(scene.room / "said", command, *scene.command.words(folder))
        if child.wait(chance.uniform(0.2, 1) * scene.seconds) is None:
            child.end(signal.SIGKILL)
        if not scene.command.is_done(folder):
            resumed(jump, scene.room / "jumped", *scene.command.words(folder))
        scene.check(folder)
        return 1

    return trial


def resumed(jump: str, said: Path, *words: str) -> None:
    """A command to its end, in a process whose clock is set off by ``jump``; its pauses last as long as ever."""
    known = FIXED | {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": str(ROOT)}
    line = ["faketime", "-f", jump, sys.executable, "-c", TOY, *words]
    with said.open("w") as told:
        done = subprocess.run(
            line, env=os.environ | known, stdout=subprocess.DEVNULL, stderr=told, check=False, timeout=PATIENCE
        )
    complaint = " ".join(said.read_text(errors="replace").split())
    if done.returncode or "Traceback" in complaint:
        raise FaultError(f"ended with status {done.returncode} when the clock was at {jump}: {complaint[-300:]}")
