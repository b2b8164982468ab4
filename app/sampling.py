"""Precomputing in a process of its own, started by one browser and found by every other: its state is a folder.

A folder ``sampling/<id>`` beside the store's runs holds the command (``job.json``), what it said (``progress.jsonl``,
``errors.txt``) and, once somebody cancelled it, a file ``cancelled``. Nothing is lost with a process: the same command
goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import AcesError

FOLDER, JOB, SAID, ERRORS, CANCELLED = "sampling", "job.json", "progress.jsonl", "errors.txt", "cancelled"
TAIL = 1 << 16  # bytes of what was said that are looked at: the last event of each run is near the end


class State(StrEnum):
    """Where a precompute stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Sampling:
    """A precompute as it stood when it was looked at; ``progress`` is its last event, empty before the first draws."""

    id: str
    config: str
    n: int | None
    state: State
    progress: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    message: str = ""

    @property
    def share(self) -> float:
        """Of the run that is being sampled, in [0, 1]."""
        if self.state is State.DONE:
            return 1.0
        total = self.progress.get("total", 0)
        return min(1.0, self.progress["draws"] / total) if total else 0.0


@dataclass(frozen=True)
class Planned:
    """A run that a config asks for: ``cached`` of its ``draws`` are stored, the others take about ``seconds``."""

    name: str
    kind: str
    images: int
    draws: int
    cached: int
    seconds: float


def plan(store: Path, config: Path, n: int | None = None) -> tuple[Planned, ...]:
    """What a precompute would do, by a short probe of every network that has draws to make.

    Raises ``AcesError`` for what a precompute would refuse.
    """
    command = [*_command(store, config, n), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AcesError(_last(done.stderr) or f"the estimate ended with status {done.returncode}")
    fields = Planned.__dataclass_fields__
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return tuple(Planned(**{name: line[name] for name in fields}) for line in lines)


def _last(complaints: str) -> str:
    """The line that says what was wrong; warnings stand before it."""
    return complaints.strip().rpartition("\n")[2]


def start(store: Path, config: Path, n: int | None = None) -> str:
    """Begin, or go on with, what a config asks for; the id of the precompute.

    Raises ``AcesError`` where one of the same config is running.
    """
    if any(one.state is State.RUNNING and one.config == str(config) for one in every(store)):
        raise AcesError(f"{config.name} is being sampled already: wait for it, or cancel it first")
    id = f"{time.time_ns():x}"
    folder = store / FOLDER / id
    folder.mkdir(parents=True, mode=0o700)
    with (folder / SAID).open("wb") as said, (folder / ERRORS).open("wb") as errors:
        # A session of its own: neither a reload nor the end of the server ends it.
        process = subprocess.Popen(
            _command(store, config, n), stdout=said, stderr=errors, stdin=subprocess.DEVNULL, start_new_session=True
        )
    threading.Thread(target=process.wait, daemon=True).start()  # whoever started a process must take note of its end
    job = {"pid": process.pid, "born": _born(process.pid), "config": str(config), "n": n}
    (folder / JOB).write_text(json.dumps(job))
    return id


def _command(store: Path, config: Path, n: int | None) -> list[str]:
    command = [sys.executable, "-m", "engine", "precompute", str(config), "--progress", "json", "--cache", str(store)]
    return command if n is None else [*command, "--n", str(n)]


def every(store: Path) -> list[Sampling]:
    """All that were started and not dismissed, newest first."""
    folders = sorted((store / FOLDER).glob(f"*/{JOB}"), reverse=True)
    return [_look(path.parent) for path in folders]


def cancel(store: Path, id: str) -> None:
    """End a running precompute; what it has drawn stays."""
    folder = _folder(store, id)
    job = _read(folder)
    (folder / CANCELLED).touch()
    if _alive(job):
        os.killpg(job["pid"], signal.SIGTERM)


def resume(store: Path, id: str) -> str:
    """Go on with a precompute that has ended: the same command again."""
    job = _read(_folder(store, id))
    new = start(store, Path(job["config"]), job["n"])
    dismiss(store, id)
    return new


def dismiss(store: Path, id: str) -> None:
    """Forget a precompute that has ended; its runs stay."""
    folder = _folder(store, id)
    if _alive(_read(folder)):
        raise AcesError("this precompute is running: cancel it first")
    shutil.rmtree(folder)


def _folder(store: Path, id: str) -> Path:
    folder = store / FOLDER / Path(id).name
    if not (folder / JOB).is_file():
        raise AcesError("this precompute is gone: it was dismissed elsewhere")
    return folder


def _read(folder: Path) -> dict[str, Any]:
    job: dict[str, Any] = json.loads((folder / JOB).read_text())
    return job


def _look(folder: Path) -> Sampling:
    job = _read(folder)
    events = _events(folder / SAID)
    progress = [event for event in events if event["event"] == "progress"]
    runs = tuple(event["meta"]["name"] for event in events if event["event"] == "run")
    errors = (folder / ERRORS).read_text(errors="replace").strip()
    state = _state(folder, job, bool(runs), bool(errors))
    message = _last(errors) if state is State.FAILED else ""
    return Sampling(folder.name, job["config"], job["n"], state, progress[-1] if progress else {}, runs, message)


def _state(folder: Path, job: Mapping[str, Any], made: bool, complained: bool) -> State:
    """Runs are named when all are made, so a process that named any and ended has done what it was asked."""
    if _alive(job):
        return State.RUNNING
    if (folder / CANCELLED).exists() and not made:
        return State.CANCELLED
    return State.FAILED if complained and not made else State.DONE


def _events(path: Path) -> list[dict[str, Any]]:
    """The last events, each a line of JSON; a line that is being written is not yet one."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        lines = file.read().split(b"\n")[:-1]
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue  # the first line may be cut
        if isinstance(event, dict) and event.get("event") in ("progress", "run"):
            found.append(event)
    return found


def _alive(job: Mapping[str, Any]) -> bool:
    """Whether the process is the one that was started, and not a later one of the same number."""
    born = _born(job["pid"])
    return born is not None and born == job["born"]


def _born(pid: int) -> int | None:
    """When a living process was started, in clock ticks since the machine was; None if there is none (Linux)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])
