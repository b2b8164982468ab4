"""Certifying in the background: a queue of jobs, and a thread that has a worker process do them one by one.

Pages ask for a ``View`` of a job, which is frozen. Nothing here knows Streamlit or imports torch; pixels stay in memory
and go when the last session that showed their job is gone.
"""

from __future__ import annotations

import itertools
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from multiprocessing.connection import Connection

from app.limits import Limits
from engine.certificate import Networks, Subject
from engine.errands import Attack, Break, Core, Done, Drawn, Errand, Failed, PairSpec, Probe, Rate, Reply, Sample, Stop
from engine.errors import AcesError
from engine.evidence import Evidence
from engine.pictures import Pixels
from engine.plan import Mode, Plan, fresh_seed

ID_BYTES = 24


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"  # all n draws
    STOPPED = "stopped"  # ended early, with what was drawn
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def active(self) -> bool:
        return self in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, eq=False)
class Task:
    """What a visitor asks: this image, by these networks, with this promise."""

    pair: PairSpec
    networks: Networks
    plan: Plan
    tensor: Pixels
    image: Subject


@dataclass(frozen=True, eq=False)
class Try:
    """An attack on the job's answer: under way until there is an ``attack`` or a ``message`` that says why not."""

    budget: float
    attack: Attack | None = None
    message: str = ""

    @property
    def active(self) -> bool:
        return self.attack is None and not self.message


@dataclass(frozen=True, eq=False)
class View:
    """A job as it stood when it was looked at. ``ahead``: jobs before it in the queue; ``seconds``: of sampling."""

    id: str
    task: Task
    seed: int
    state: State = State.QUEUED
    evidence: Evidence | None = None
    message: str = ""
    ahead: int = 0
    seconds: float = 0.0
    ended: datetime | None = None
    attempt: Try | None = None

    @property
    def drawn(self) -> int:
        return len(self.evidence.estimate) if self.evidence is not None else 0

    @property
    def rate(self) -> float:
        """Estimation draws a second."""
        return self.drawn / self.seconds if self.seconds > 0 else 0.0


@dataclass(eq=False)
class _Job:
    """A job under the server's lock: its view, who looks at it, and how it was asked to end."""

    number: int
    view: View
    sessions: set[str]
    ending: State | None = None
    started: float = 0.0

    def update(self, **fields: object) -> None:
        self.view = replace(self.view, **fields)  # type: ignore[arg-type]


@dataclass(eq=False)
class Server:
    """The jobs of all sessions. Thread-safe; every method returns at once."""

    limits: Limits
    grace: float = 120.0  # seconds
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _rates: dict[tuple[PairSpec, float], float | str] = field(default_factory=dict)
    _queue: deque[tuple[_Job | None, Errand]] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self._worker = WorkerProcess()
        threading.Thread(target=self._serve, daemon=True, name="certify").start()

    # --- what pages call -----------------------------------------------------------------------------------------

    def submit(self, session: str, task: Task) -> str:
        """Queue a job and return its id, which cannot be guessed. Raises ``AcesError`` beyond a limit."""
        with self._changed:
            self._check(session, task.plan)
            id = secrets.token_urlsafe(ID_BYTES)
            seed = fresh_seed()  # only now, when the image can no longer be chosen by it
            job = _Job(self._number(), View(id, task, seed), {session})
            self._jobs[id] = job
            self._queue.append((job, Sample(job.number, task.pair, task.plan, task.tensor, seed, task.image.index)))
            self._changed.notify_all()
            return id

    def view(self, session: str, id: str) -> View | None:
        """The job as it stands; None if there is none of this id. Whoever looks at it keeps it."""
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                return None
            job.sessions.add(session)
            seconds = time.monotonic() - job.started if job.view.state is State.RUNNING else job.view.seconds
            return replace(job.view, ahead=self._ahead(job), seconds=seconds)

    def end(self, id: str, ending: State) -> None:
        """End a job: ``STOPPED`` keeps what was drawn, ``CANCELLED`` throws it away."""
        with self._changed:
            job = self._jobs.get(id)
            if job is not None and job.view.state.active:
                self._end(job, ending)

    def try_to_break(self, id: str, target: int, budget: float) -> None:
        """Queue an attack on a finished job's answer; its outcome appears as ``View.attempt``."""
        with self._changed:
            job = self._jobs.get(id)
            if job is None or job.view.state.active or (job.view.attempt is not None and job.view.attempt.active):
                return
            job.update(attempt=Try(budget))
            task = job.view.task
            self._queue.append((job, Break(self._number(), task.pair, task.plan, task.tensor, target, budget)))
            self._changed.notify_all()

    def rate(self, pair: PairSpec, sigma: float) -> float | str | None:
        """Draws a second of these networks, measured once; what is wrong with them; None while not known."""
        with self._changed:
            key = (pair, sigma)
            if key in self._rates:
                return self._rates[key]
            if not any(isinstance(errand, Probe) and (errand.pair, errand.sigma) == key for _, errand in self._queue):
                self._queue.append((None, Probe(self._number(), pair, sigma)))
                self._changed.notify_all()
            return None

    def leave(self, session: str) -> None:
        """A session has ended: forget it, unless a reload comes back for its job within the ``grace``."""
        timer = threading.Timer(self.grace, self.forget, (session,))
        timer.daemon = True
        timer.start()

    def forget(self, session: str) -> None:
        """Forget a session, and the jobs that only it has seen."""
        with self._changed:
            for id, job in list(self._jobs.items()):
                job.sessions.discard(session)
                if not job.sessions:
                    if job.view.state.active:
                        self._end(job, State.CANCELLED)
                    del self._jobs[id]

    @property
    def load(self) -> tuple[int, int]:
        """Jobs that are kept, and errands that wait or are under way."""
        with self._changed:
            return len(self._jobs), len(self._queue)

    def close(self) -> None:
        """End the worker process; what is under way fails."""
        self._worker.close()

    # --- under the lock ------------------------------------------------------------------------------------------

    def _check(self, session: str, plan: Plan) -> None:
        active = [job for job in self._jobs.values() if job.view.state.active]
        if any(session in job.sessions for job in active):
            raise AcesError("one job at a time: stop or cancel the one that is under way")
        if len(active) >= self.limits.jobs:
            raise AcesError(f"{len(active)} jobs are waiting already; try again in a minute")
        if plan.n > self.limits.n:
            raise AcesError(f"n is {plan.n:,}; this server draws at most {self.limits.n:,}")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _ahead(self, job: _Job) -> int:
        before = itertools.takewhile(lambda entry: entry[0] is not job, self._queue)
        return sum(other is not None for other, _ in before) if job.view.state is State.QUEUED else 0

    def _end(self, job: _Job, ending: State) -> None:
        if job.view.state is State.QUEUED:
            self._queue = deque((other, errand) for other, errand in self._queue if other is not job)
            job.update(state=State.CANCELLED)  # nothing was drawn that could be kept
        else:
            job.ending = ending
            self._worker.stop(job.number)

    # --- the thread that serves ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue)
                job, errand = self._queue[0]
                if isinstance(errand, Sample) and job is not None:
                    job.started = time.monotonic()
                    job.update(state=State.RUNNING)
            failure = self._do(errand, lambda reply, job=job, errand=errand: self._hear(job, errand, reply))  # type: ignore[misc]
            with self._changed:
                self._queue = deque(entry for entry in self._queue if entry[1] is not errand)
                self._finish(job, errand, failure)

    def _do(self, errand: Errand, hear: Callable[[Reply], None]) -> str:
        """Have the worker do it; what went wrong, or an empty text."""
        try:
            for reply in self._worker.do(errand):
                hear(reply)
        except AcesError as error:
            return str(error)
        return ""

    def _hear(self, job: _Job | None, errand: Errand, reply: Reply) -> None:
        with self._changed:
            if isinstance(errand, Probe) and isinstance(reply, Rate):
                self._rates[errand.pair, errand.sigma] = reply.rate
            if job is None:
                return
            evidence = job.view.evidence
            if isinstance(reply, Core):
                job.update(evidence=Evidence.none(len(job.view.task.networks.classes), reply.answer))
            elif isinstance(reply, Drawn) and evidence is not None:
                job.update(evidence=evidence.with_draws(reply.stage, reply.draws))
                self._keep_time(job)
            elif isinstance(reply, Attack) and job.view.attempt is not None:
                job.update(attempt=replace(job.view.attempt, attack=reply))

    def _keep_time(self, job: _Job) -> None:
        over = time.monotonic() - job.started > self.limits.seconds
        if over and job.ending is None and job.view.drawn < job.view.task.plan.n:
            job.update(message=f"The time limit of {self.limits.seconds} seconds was reached.")
            self._end(job, State.STOPPED)

    def _finish(self, job: _Job | None, errand: Errand, failure: str) -> None:
        if isinstance(errand, Probe) and failure:
            self._rates[errand.pair, errand.sigma] = failure
        elif isinstance(errand, Break) and job is not None and failure and job.view.attempt is not None:
            job.update(attempt=replace(job.view.attempt, message=failure))
        elif isinstance(errand, Sample) and job is not None:
            job.update(seconds=time.monotonic() - job.started, ended=datetime.now(UTC))
            job.update(**_ended(job, failure))


def _ended(job: _Job, failure: str) -> dict[str, object]:
    """State and message of a job whose errand is over."""
    view, plan = job.view, job.view.task.plan
    if failure:
        return {"state": State.FAILED, "message": failure, "evidence": None}
    if job.ending is State.CANCELLED:
        return {"state": State.CANCELLED, "evidence": None}
    if view.drawn == plan.n:
        return {"state": State.DONE, "message": ""}
    if plan.mode is Mode.FIXED:  # nothing was promised before all n draws
        return {"state": State.CANCELLED, "evidence": None, "message": view.message}
    return {"state": State.STOPPED}


class WorkerProcess:
    """``python -m engine.worker`` at the other end of a pipe; started when needed, started again if it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._sending = threading.Lock()

    def do(self, errand: Errand) -> Iterator[Reply]:
        """The replies to an errand, without the last. Raises ``AcesError`` if it fails or the process dies."""
        with self._dying():
            connection = self._connected()
            self._tell(errand)
            while not isinstance(reply := connection.recv(), Done):
                if isinstance(reply, Failed):
                    raise AcesError(reply.message)
                yield reply

    def stop(self, job: int) -> None:
        """Ask to draw no more for a job; a process that is gone has stopped already."""
        with suppress(OSError):
            self._tell(Stop(job))

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
        self._process = self._connection = None

    def _tell(self, message: Errand | Stop) -> None:
        with self._sending:
            if self._connection is not None:
                self._connection.send(message)

    @contextmanager
    def _dying(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self.close()
            raise AcesError("the sampling process ended unexpectedly (out of memory?); try again") from error

    def _connected(self) -> Connection:
        if self._connection is None or self._process is None or self._process.poll() is not None:
            ours, theirs = socket.socketpair()
            self._connection = Connection(ours.detach())
            command = [sys.executable, "-m", "engine.worker", str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
            theirs.close()
        return self._connection
