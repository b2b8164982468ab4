"""Precomputing in a process of its own, started by one browser and found by every other: its state is a folder.

A folder ``sampling/<id>`` beside the store's runs holds the command (``job.json``), what it said (``progress.jsonl``,
``errors.txt``), its exit status (``status``, unless the server ended first) and, once somebody cancelled it, a file
``cancelled``. Nothing is lost with a process: the same command goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from app.services.limits import Limits
from app.services.work import Kind, rooms
from cache import Store
from engine import files, processes
from engine.errors import AcesError

FOLDER, JOB, SAID, ERRORS = "sampling", "job.json", "progress.jsonl", "errors.txt"
STATUS, CANCELLED = "status", "cancelled"
COUNTED, TIMED = ("images", "total_images", "draws", "total"), ("draws_per_second", "seconds_left", "saved")
LARGEST = 1e15  # of a number in what was said
MOST_SAID = 10_000_000  # bytes of a job, and of what was said
TAIL = 1 << 16  # bytes of what was said that are looked at: the last event of each run is near the end


class State(StrEnum):
    """Where a precompute stands."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class DrawRule:
    """What gives images their draws: a share of the ACR that may be lost, ``lose`` as 1%, or the radii of a question,
    ``decide`` as r=0.25,0.5; at ``theta``, a threshold, or for a budget a range. Without any what the config says.
    """

    lose: str | None = None
    decide: str | None = None
    theta: str | None = None

    @property
    def options(self) -> list[str]:
        """As the command line has them."""
        return [part for name, value in vars(self).items() if value is not None for part in (f"--{name}", value)]

    def __str__(self) -> str:
        what = f"lose {self.lose}" if self.lose else f"decide {self.decide}" if self.decide else ""
        return f"{what} at θ {self.theta}" if what and self.theta else what


AS_CONFIGURED = DrawRule()


@dataclass(frozen=True)
class ConfigForecast:
    """What all runs of a config would take by one ``rule``: estimating ``draws``, of ``full`` with n for every image,
    in about ``seconds``; ``kept``: the least share of a run's ACR that is expected to be left, None of a question.
    """

    rule: str
    draws: int
    full: int
    seconds: float
    kept: float | None


@dataclass(frozen=True)
class Sampling:
    """A precompute as it stood when it was looked at; ``progress`` is its last event, empty before the first draws.

    ``compares``: it takes the guess draws alone, and forecasts what each budget would take: ``forecasts``.
    """

    id: str
    config: str
    n: int | None
    state: State
    progress: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    message: str = ""
    rule: DrawRule = AS_CONFIGURED
    compares: bool = False
    forecasts: tuple[ConfigForecast, ...] = ()

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


def plan(store: Path, config: Path, n: int | None = None, seconds: float | None = None) -> tuple[Planned, ...]:
    """What a precompute would do, by a short probe of every network that has draws to make.

    Raises ``AcesError`` for what a precompute would refuse, and where it takes more than so many ``seconds``.
    """
    command = [*command_for(store, config, n), "--dry-run"]
    try:
        done = subprocess.run(  # nosec B603 # a list of words, no shell
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            env=processes.environment(), timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        said = f"no estimate within {seconds:g} s: `python -m engine precompute {config.name} --dry-run` takes its time"
        raise AcesError(said) from error
    lines = [event for line in done.stdout.splitlines() if (event := _event(line, "estimate")) is not None]
    if done.returncode or not lines:
        raise AcesError(processes.why(done.returncode, done.stderr))
    return tuple(Planned(**{name: line[name] for name in Planned.__dataclass_fields__}) for line in lines)


def start(
    store: Path, config: Path, n: int | None = None, rule: DrawRule = AS_CONFIGURED, *, compares: bool = False
) -> str:
    """Begin, or go on with, what a config asks for; the id of the precompute.

    ``compares``: only take the guess draws, and say what budgets, and the question of ``rule``, would take. Raises
    ``AcesError`` where one of the same config is running, and where none can be started.
    """
    running = [one for one in every(store) if one.state is State.RUNNING]
    if any(one.config == str(config) for one in running):
        raise AcesError(f"{config.name} is being sampled already: wait for it, or cancel it first")
    rooms(Limits.from_environment())[Kind.PRECOMPUTE].refuse(len(running), len(running))
    id = f"{time.time_ns():x}"
    try:
        asked = {"config": str(config), "n": n, "rule": vars(rule), "compares": compares}
        _start(store / FOLDER / id, command_for(store, config, n, rule, compares=compares), asked)
    except OSError as error:
        raise AcesError(f"no precompute can be started beside {store} ({error.strerror or error})") from error
    return id


def _start(folder: Path, command: Sequence[str], asked: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, mode=0o700)
    with (folder / SAID).open("wb") as said, (folder / ERRORS).open("wb") as errors:
        process = subprocess.Popen(  # nosec B603 # a list of words, no shell
            command, stdout=said, stderr=errors, stdin=subprocess.DEVNULL, env=processes.environment(),
            start_new_session=True,  # neither a reload nor the end of the server ends it
        )  # fmt: skip
    threading.Thread(target=_note_end, args=(process, folder), daemon=True).start()
    _write(folder / JOB, json.dumps({"pid": process.pid, "born": _born(process.pid), **asked}))


def _note_end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Whoever started a process must take note of its end."""
    status = process.wait()
    with suppress(OSError):  # dismissed meanwhile
        _write(folder / STATUS, str(status))


def _write(path: Path, text: str) -> None:
    """All at once: whoever reads it meanwhile must not find half of it."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def command_for(
    store: Path, config: Path, n: int | None, rule: DrawRule = AS_CONFIGURED, *, compares: bool = False
) -> list[str]:
    what = "plan" if compares else "precompute"
    command = processes.command("engine", what, str(config), "--progress", "json", "--cache", str(store))
    return [*command, *([] if n is None else ["--n", str(n)]), *rule.options]


def every(store: Path) -> list[Sampling]:
    """All that were started and not dismissed, newest first."""
    folders = sorted((store / FOLDER).glob(f"*/{JOB}"), reverse=True)
    return [_look(store, path.parent) for path in folders]


def cancel(store: Path, id: str) -> None:
    """End a running precompute; what it has drawn stays."""
    folder = _folder(store, id)
    job = _read(folder)
    (folder / CANCELLED).touch()
    if _alive(job):
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(job["pid"], signal.SIGTERM)


def resume(store: Path, id: str) -> str:
    """Go on with a precompute that has ended: the same command again."""
    job = _read(_folder(store, id))
    new = start(store, Path(job["config"]), job["n"], job["rule"], compares=job["compares"])
    dismiss(store, id)
    return new


def dismiss(store: Path, id: str) -> None:
    """Forget a precompute that has ended; its runs stay."""
    folder = _folder(store, id)
    with suppress(_DamagedError):
        if _alive(_read(folder)):
            raise AcesError("this precompute is running: cancel it first")
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # another browser has just done it
    except OSError as error:
        raise AcesError(f"{folder} cannot be removed ({error.strerror})") from error


def _folder(store: Path, id: str) -> Path:
    folder = store / FOLDER / Path(id).name
    if not (folder / JOB).is_file():
        raise AcesError("this precompute is gone: it was dismissed elsewhere")
    return folder


class _DamagedError(AcesError):
    """A folder that does not say what was started."""


def _read(folder: Path) -> dict[str, Any]:
    try:
        job = json.loads(files.read(folder / JOB, MOST_SAID))
        n = None if job["n"] is None else int(job["n"])
        rule, compares = _rule(job.get("rule", {})), bool(job.get("compares", False))
        known = {"pid": int(job["pid"]), "born": job["born"], "config": str(job["config"]), "n": n}
        return {**known, "rule": rule, "compares": compares}
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _DamagedError(f"{folder / JOB} is damaged: dismiss it, and start anew; what was drawn is kept") from error


def _rule(said: Mapping[str, Any]) -> DrawRule:
    """Raises ``TypeError`` or ``KeyError`` for what is none."""
    if not isinstance(said, dict) or not all(value is None or isinstance(value, str) for value in said.values()):
        raise TypeError(f"a rule of {said}")
    return DrawRule(**said)


def _look(store: Path, folder: Path) -> Sampling:
    try:
        job = _read(folder)
    except _DamagedError as error:
        return Sampling(folder.name, "", None, State.FAILED, message=str(error))
    events = _events(folder / SAID)
    progress = [event for event in events if event["event"] == "progress"]
    runs = tuple(event["meta"]["name"] for event in events if event["event"] == "run")
    forecasts = _forecasts([event for event in events if event["event"] == "forecast"])
    made = runs or tuple(one.rule for one in forecasts) if job["compares"] else runs
    state, message = (State.RUNNING, "") if _alive(job) else _ended(store, folder, made, compares=job["compares"])
    last = progress[-1] if progress else {}
    how = job["rule"], job["compares"], forecasts if state is State.DONE else ()
    return Sampling(folder.name, job["config"], job["n"], state, last, runs, message, *how)


def _forecasts(events: Sequence[Mapping[str, Any]]) -> tuple[ConfigForecast, ...]:
    """By rule, in their order: what all runs would take together. The first of each run is n for every image."""
    rules: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        rules.setdefault(event["rule"], []).append(event)
    full = sum(event["draws"] for event in next(iter(rules.values()), []))
    return tuple(
        ConfigForecast(
            rule, sum(one["draws"] for one in of), full, sum(one["seconds"] for one in of),
            min((one["kept"] for one in of if one["kept"] is not None), default=None),
        )
        for rule, of in rules.items()
    )  # fmt: skip


def _ended(store: Path, folder: Path, runs: Sequence[str], *, compares: bool) -> tuple[State, str]:
    """How a process that is gone has ended, and why: by its exit status and by what it left, never by its silence.

    Runs are named when all are made. Where the server ended first nobody saw the exit status; then they decide.
    """
    status = _status(folder)
    if compares and (status == 0 or (runs and not status)):
        return State.DONE, ""
    if runs and not status:
        lost = _lost(store, runs)
        return (State.FAILED, f"not in the store: {', '.join(lost)}") if lost else (State.DONE, "")
    if (folder / CANCELLED).exists():
        return State.CANCELLED, ""
    return State.FAILED, processes.why(status, _text(folder / ERRORS))


def _status(folder: Path) -> int | None:
    try:
        return int(_text(folder / STATUS))
    except ValueError:
        return None


def _lost(store: Path, runs: Sequence[str]) -> list[str]:
    """Which of the runs cannot be found where they should be."""
    held = Store(store)
    try:
        names = {meta.name for meta in held.metas()} if held.exists else set()
    except AcesError:
        return list(runs)
    finally:
        held.close()
    return [name for name in runs if name not in names]


def _text(path: Path) -> str:
    try:
        return files.read(path, MOST_SAID).decode(errors="replace")
    except files.FileError:
        return ""


def _events(path: Path) -> list[dict[str, Any]]:
    """The last events, each a line of JSON; a line that is being written is not yet one."""
    try:
        with files.opened(path) as file:
            file.seek(max(0, files.size(file) - TAIL))
            lines = file.read().split(b"\n")[:-1]
    except (files.FileError, OSError):
        return []
    return [
        event
        for line in lines
        if (event := _event(line, "progress", "run", "forecast")) is not None and _is_whole(event)
    ]


def _is_whole(event: Mapping[str, Any]) -> bool:
    """Whether an event says what a page shows of it, in numbers that can be shown."""
    if event["event"] == "run":
        return isinstance(event.get("meta"), dict) and isinstance(event["meta"].get("name"), str)
    if event["event"] == "forecast":
        kept = event.get("kept")
        numbers = all(_is_number(event.get(name)) for name in ("draws", "seconds")) and (
            kept is None or _is_number(kept)
        )
        return isinstance(event.get("rule"), str) and numbers
    counted = all(_is_number(event.get(name)) for name in COUNTED)
    timed = all(event.get(name) is None or _is_number(event[name]) for name in TIMED)
    return isinstance(event.get("job"), str) and counted and timed


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < LARGEST


def _event(line: str | bytes, *kinds: str) -> dict[str, Any] | None:
    """The event of one of these kinds that a line holds; other lines are no events, and the first may be cut."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and event.get("event") in kinds else None


def _alive(job: Mapping[str, Any]) -> bool:
    """Whether the process is the one that was started, and not a later one of the same number."""
    born = _born(job["pid"])
    return born is not None and born == job["born"]


def _born(pid: int) -> float | None:
    """When a living process was started, in seconds since 1970; None if there is none."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None
