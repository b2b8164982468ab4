"""Commands of the project in processes of their own, which begin with everything loaded: a second each, not ten."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
import types
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from engine import cli
from tests import toy

LOADED = (
    *("benchmarks.faults.commands", "engine.sampling.config", "engine.training.fit", "engine.single_image.results"),
    *("engine.cli.progress", "engine.published", "engine.deposits", "cache.repair"),
)
PATIENCE = 300.0  # seconds until a command counts as one that hangs
FIXED = {"SOURCE_DATE_EPOCH": "1700000000"}  # else runs say when they were made


class FaultError(Exception):
    """Something did not survive; the message says what, in a line."""


class Child:
    """A function in a process of its own, begun at once; what it says on stderr is in ``said``."""

    def __init__(self, said: Path, function: Callable[..., None], *arguments: object) -> None:
        self.said = said
        self._process = _process(said, function, arguments)

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, seconds: float = PATIENCE) -> int | None:
        """The exit status, negative where a signal ended it; None where it still runs after so many seconds."""
        self._process.join(seconds)
        return self._process.exitcode

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal and wait; the exit status."""
        if self._process.is_alive():
            os.kill(self.pid, number)
        status = self.wait()
        if status is None:
            self._process.kill()
            raise FaultError(f"goes on {PATIENCE:.0f} s after {number.name}")
        return status

    def ended(self) -> int:
        """The exit status of one that ends by itself. Raises ``FaultError`` where it does not, or dies at a fault."""
        status = self.wait()
        if status is None:
            self._process.kill()
            raise FaultError(f"hangs: it went on for {PATIENCE:.0f} s")
        self.check_said()
        if status not in (0, 2):
            raise FaultError(f"ended with status {status}: {self.words[-200:]}")
        if status == 2 and len(self.errors) != 1:
            raise FaultError(f"status 2 and {len(self.errors)} lines of error: {self.words[-200:]}")
        return status

    @property
    def words(self) -> str:
        """Everything on stderr, in one line."""
        return " ".join(self.said.read_text(errors="replace").split())

    @property
    def errors(self) -> list[str]:
        """The lines of error on stderr."""
        return [line for line in self.said.read_text(errors="replace").splitlines() if line.startswith("error: ")]

    def check_said(self) -> None:
        """Raises ``FaultError`` where a traceback or a library's warning was printed."""
        for sign in ("Traceback", "Warning:"):
            if sign in self.words:
                raise FaultError(f"printed a {sign.rstrip(':').lower()}: {self.words[-300:]}")


def _process(said: Path, function: Callable[..., None], arguments: Sequence[object]) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    process = context.Process(target=_child, args=(said, function, arguments))
    main = sys.modules["__main__"]  # which the new process would run again
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
    return process


def _child(said: Path, function: Callable[..., None], arguments: Sequence[object]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(FIXED)
    nothing, told = os.open(os.devnull, os.O_RDWR), os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for to, into in ((nothing, 0), (nothing, 1), (told, 2)):
        os.dup2(to, into)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    toy.register()
    torch.set_num_threads(1)
    function(*arguments)


def command(*words: str) -> None:
    """What a child does that is to be a command: ``python -m engine WORDS``, on the toy dataset as well."""
    sys.argv = ["engine", *words]
    cli.main()


def run(said: Path, function: Callable[..., None], *arguments: object) -> float:
    """Run a function in a child to its end, which must be a good one; how many seconds that took."""
    start, child = time.monotonic(), Child(said, function, *arguments)
    status = child.wait()
    if status != 0:
        raise FaultError(f"ended with status {status}: {child.words[-300:]}")
    child.check_said()
    return time.monotonic() - start
