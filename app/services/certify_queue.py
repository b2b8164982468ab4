"""Certifying in the background: a queue of jobs, and a thread that has a worker process do them one by one.

Pages ask for a ``View`` of a job, which is frozen. Nothing here knows Streamlit or imports torch; pixels stay in memory
and go when the last session that showed their job is gone.
"""

from __future__ import annotations

import itertools
import logging
import secrets
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from multiprocessing.connection import Connection

from app.public import is_public
from app.services.limits import PICTURES, Limits
from app.services.question import Asked, Question
from app.services.work import Kind, rooms
from engine import processes
from engine.errors import AcesError
from engine.single_image.case import Case
from engine.single_image.certificate import Certificate
from engine.single_image.certify import Certification
from engine.single_image.messages import (
    Attack,
    Break,
    Core,
    Done,
    Drawn,
    Failed,
    Probe,
    Rate,
    Reply,
    Request,
    Sample,
    Stop,
)
from engine.single_image.picture import Pixels
from engine.single_image.plan import Mode, Plan
from engine.single_image.subject import Subject
from engine.single_image.system import PairSpec
from engine.single_image.until import Until, check_until

ID_BYTES = 24

logger = logging.getLogger(__name__)


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"  # all n draws, or as many as its question took
    STOPPED = "stopped"  # ended early, with what was drawn
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def active(self) -> bool:
        return self in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, eq=False)
class Task:
    """What a visitor asks: this image, by these networks, with this promise. ``name``: what the visitor calls it.

    ``until``: the question that ends the draws before n.
    """

    pair: PairSpec
    asked: Asked
    plan: Plan
    tensor: Pixels
    image: Subject
    name: str = ""
    until: Until | None = None

    def __post_init__(self) -> None:
        check_until(self.until, self.plan)

    @property
    def question(self) -> Question:
        """What controls are compared with."""
        return Question(self.asked, self.plan, self.image, self.name, self.until)


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
    """A job as it stood when it was looked at. ``ahead``: jobs before it; ``seconds``: of sampling.

    ``found``: who answers and what was drawn, None until the worker has said so, and where nothing was kept.
    ``batch``: the jobs that were asked for with it, itself among them, in order; empty where it was alone.
    ``yours``: who looks may end and attack it.
    """

    id: str
    task: Task
    state: JobState = JobState.QUEUED
    found: Certification | None = None
    message: str = ""
    ahead: int = 0
    seconds: float = 0.0
    ended: datetime | None = None
    attempt: Try | None = None
    batch: tuple[str, ...] = ()
    yours: bool = True

    @property
    def certificate(self) -> Certificate | None:
        """What can be promised, made anew at every look; None while the job is active, and where that is nothing."""
        found = self.found
        if self.state.active or found is None or found.evidence.answer(found.plan) is None:
            return None
        return found.certificate(self.ended)

    @property
    def said(self) -> str:
        """How its question ended, and after how many draws; "" where none was asked, and before it ended."""
        until, found = self.task.until, self.found
        return "" if until is None or found is None or self.state.active else until.said(found.evidence, found.plan)

    @property
    def drawn(self) -> int:
        return self.found.drawn if self.found is not None else 0

    @property
    def rate(self) -> float:
        """Estimation draws per second."""
        return self.drawn / self.seconds if self.seconds > 0 else 0.0


@dataclass(eq=False)
class _Job:
    """A job under the server's lock: its view, what is fixed, who began it and who looks, how it was asked to end.

    ``owner``: "" once that session has left; who looks next takes over. ``waiting``: the jobs of its batch that are not
    in the queue yet, one deque of them all.
    """

    number: int
    view: View
    case: Case
    owner: str
    sessions: set[str]
    waiting: deque[_Job]
    ending: JobState | None = None
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
    _queue: deque[tuple[_Job | None, Request]] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.worker = WorkerProcess()
        threading.Thread(target=self._serve, daemon=True, name="certify").start()

    # --- what pages call -----------------------------------------------------------------------------------------

    def submit(self, session: str, task: Task) -> str:
        """Queue a job and return its id, which cannot be guessed. Raises ``AcesError`` beyond a limit."""
        return self.submit_batch(session, [task])[0]

    def submit_batch(self, session: str, tasks: Sequence[Task]) -> tuple[str, ...]:
        """A job a picture, all or none; their ids in order. Raises ``AcesError`` beyond a limit.

        Together they take the one place of a session: each comes to the end of the queue when the one before it has
        ended, so other sessions' jobs go between them.
        """
        with self._changed:
            if not 1 <= len(tasks) <= PICTURES:
                raise AcesError(f"{len(tasks)} pictures; 1 to {PICTURES} are certified at once")
            for task in tasks:
                self._check(session, task.plan)
            ids = tuple(secrets.token_urlsafe(ID_BYTES) for _ in tasks)
            waiting: deque[_Job] = deque()
            for id, task in zip(ids, tasks, strict=True):
                waiting.append(self._job(session, View(id, task, batch=ids if len(ids) > 1 else ()), waiting))
            self._enter(waiting.popleft())
            return ids

    def view(self, session: str, id: str) -> View | None:
        """The job as it stands; None if there is none of this id. Whoever looks at it keeps it."""
        with self._changed:
            job = self._jobs.get(id)
            if job is None:
                return None
            job.sessions.add(session)
            job.owner = job.owner or session
            seconds = time.monotonic() - job.started if job.view.state is JobState.RUNNING else job.view.seconds
            return replace(job.view, ahead=self._ahead(job), seconds=seconds, yours=_may_end(job, session))

    def end(self, session: str, id: str, ending: JobState) -> None:
        """End a job: ``STOPPED`` keeps what was drawn, ``CANCELLED`` throws it away. On a public server one's own."""
        with self._changed:
            job = self._jobs.get(id)
            if job is not None and job.view.state.active and _may_end(job, session):
                self._end(job, ending)

    def cancel(self, session: str, ids: Sequence[str]) -> None:
        """End these jobs and throw away what was drawn; those that have ended stay as they are."""
        with self._changed:
            for id in ids:
                self.end(session, id, JobState.CANCELLED)

    def try_to_break(self, session: str, id: str, target: int, budget: float) -> None:
        """Queue an attack on a finished job's answer; its outcome appears as ``View.attempt``. It takes a job's place:
        raises ``AcesError`` where there is none.
        """
        with self._changed:
            job = self._jobs.get(id)
            if job is None or _busy(job) or not _may_end(job, session):
                return
            self._make_room(session)
            job.update(attempt=Try(budget))
            task = job.view.task
            self._queue.append((job, Break(self._number(), task.pair, task.plan, task.tensor, target, budget)))
            self._changed.notify_all()

    def rate(self, pair: PairSpec, sigma: float) -> float | str | None:
        """Draws per second of these networks, measured once; what is wrong with them; None while not known."""
        with self._changed:
            key = (pair, sigma)
            if key in self._rates:
                return self._rates[key]
            probes = [request for _, request in self._queue if isinstance(request, Probe)]
            is_new = not any((probe.pair, probe.sigma) == key for probe in probes)
            if is_new and len(probes) < self.limits.jobs:  # else it is asked for again
                self._queue.append((None, Probe(self._number(), pair, sigma)))
                self._changed.notify_all()
            return None

    def leave(self, session: str) -> None:
        """A session has ended: forget it, unless a reload comes back for its job within the ``grace``."""
        with self._changed:
            for job in self._jobs.values():
                job.owner = "" if job.owner == session else job.owner
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
                        self._end(job, JobState.CANCELLED)
                    elif _busy(job):
                        self._drop_attack(job)
                    del self._jobs[id]

    def release(self, session: str, id: str) -> None:
        """A session looks at this job no longer: it goes, unless another session does or it is active."""
        with self._changed:
            job = self._jobs.get(id)
            if job is not None and not _busy(job):
                job.sessions.discard(session)
                if not job.sessions:
                    del self._jobs[id]

    @property
    def load(self) -> tuple[int, int]:
        """Jobs that are kept, and requests that wait or are under way."""
        with self._changed:
            return len(self._jobs), len(self._queue)

    def close(self) -> None:
        """End the worker process; what is under way fails."""
        self.worker.close()

    # --- under the lock ------------------------------------------------------------------------------------------

    def _check(self, session: str, plan: Plan) -> None:
        self._make_room(session)
        if plan.n > self.limits.n:
            raise AcesError(f"n is {plan.n:,}; this server draws at most {self.limits.n:,}")

    def _make_room(self, session: str) -> None:
        """Raises ``AcesError`` where there is none for one more job or attack of the session's."""
        # A job that waits for the one before it in its batch takes no place: that one has it.
        active = [job for job in self._jobs.values() if _busy(job) and job not in job.waiting]
        mine = sum(session in job.sessions for job in active)
        rooms(self.limits)[Kind.CERTIFY].refuse(mine, len(active))

    def _drop_attack(self, job: _Job) -> None:
        """Nobody waits for it any more; one that is under way is left to its end."""
        under_way, *waiting = self._queue
        self._queue = deque([under_way, *(entry for entry in waiting if entry[0] is not job)])

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _job(self, session: str, view: View, waiting: deque[_Job]) -> _Job:
        """A job that is kept, and not in the queue yet. Every one has a seed of its own, also within a batch."""
        task = view.task
        if isinstance(self._rates.get((task.pair, task.plan.sigma)), str):
            del self._rates[task.pair, task.plan.sigma]  # what was wrong may have been fixed: measured anew
        case = Case.fixed(task.tensor, task.image, task.plan)  # the image can no longer be chosen by the seed
        self._jobs[view.id] = job = _Job(self._number(), view, case, session, {session}, waiting)
        return job

    def _enter(self, job: _Job) -> None:
        """To the end of the queue."""
        task = job.view.task
        self._queue.append((job, Sample(job.number, task.pair, job.case, task.until)))
        self._changed.notify_all()

    def _follow(self, job: _Job) -> None:
        """A job has ended: its place is the next one's of its batch."""
        if job.waiting:
            self._enter(job.waiting.popleft())

    def _ahead(self, job: _Job) -> int:
        if job in job.waiting:
            return 1 + job.waiting.index(job)
        before = itertools.takewhile(lambda entry: entry[0] is not job, self._queue)
        return sum(other is not None for other, _ in before) if job.view.state is JobState.QUEUED else 0

    def _end(self, job: _Job, ending: JobState) -> None:
        if job.view.state is JobState.QUEUED:
            self._queue = deque((other, request) for other, request in self._queue if other is not job)
            job.update(state=JobState.CANCELLED)  # nothing was drawn that could be kept
            if job in job.waiting:
                job.waiting.remove(job)
            else:
                self._follow(job)
        else:
            job.ending = ending
            self.worker.stop(job.number)

    # --- the thread that serves ----------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            job, request = self._next()
            failure = self._do(job, request)
            with self._changed:
                self._queue = deque(entry for entry in self._queue if entry[1] is not request)
                self._finish(job, request, failure)

    def _next(self) -> tuple[_Job | None, Request]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue)
            job, request = self._queue[0]
            if isinstance(request, Sample) and job is not None:
                job.started = time.monotonic()
                job.update(state=JobState.RUNNING)
            return job, request

    def _do(self, job: _Job | None, request: Request) -> str:
        """Have the worker do it; what went wrong, or an empty text. Whatever happens here is this request's failure."""
        try:
            patience = self.limits.attack_seconds if isinstance(request, Break) else None
            with closing(self.worker.do(request, patience)) as replies:
                for reply in replies:
                    self._hear(job, request, reply)
            if isinstance(request, Sample) and job is not None:
                _try_certificate(job)
        except AcesError as error:
            return str(error)
        except Exception as error:  # the thread serves every later job too: nothing may end it
            logger.exception("a request of the certify page failed")
            return f"this failed unexpectedly ({type(error).__name__}: {error}); the server's log has more"
        return ""

    def _hear(self, job: _Job | None, request: Request, reply: Reply) -> None:
        with self._changed:
            if isinstance(request, Probe) and isinstance(reply, Rate):
                self._rates[request.pair, request.sigma] = reply.rate
            if job is None:
                return
            found = job.view.found
            if isinstance(reply, Core):
                job.update(found=Certification.begin(job.case, reply))
            elif isinstance(reply, Drawn) and found is not None:
                job.update(found=found.with_draws(reply))
                self._keep_time(job)
            elif isinstance(reply, Attack) and job.view.attempt is not None:
                job.update(attempt=replace(job.view.attempt, attack=reply))

    def _keep_time(self, job: _Job) -> None:
        over = time.monotonic() - job.started > self.limits.seconds
        if over and job.ending is None and job.view.drawn < job.view.task.plan.n:
            job.update(message=f"The time limit of {self.limits.seconds} seconds was reached.")
            self._end(job, JobState.STOPPED)

    def _finish(self, job: _Job | None, request: Request, failure: str) -> None:
        if isinstance(request, Probe) and failure:
            self._rates[request.pair, request.sigma] = failure
        elif isinstance(request, Break) and job is not None and failure and job.view.attempt is not None:
            job.update(attempt=replace(job.view.attempt, message=failure))
        elif isinstance(request, Sample) and job is not None:
            job.update(seconds=time.monotonic() - job.started, ended=datetime.now(UTC))
            job.update(**_ended(job, failure))
            self._follow(job)


def _busy(job: _Job) -> bool:
    """Whether the worker has, or will have, to do with it."""
    return job.view.state.active or (job.view.attempt is not None and job.view.attempt.active)


def _may_end(job: _Job, session: str) -> bool:
    """Whoever began it may; where the server is not public, its owner, who may be any session."""
    return not is_public() or session == job.owner


def _try_certificate(job: _Job) -> None:
    """Raises what would go wrong with the certificate of a job's draws, now and not on the page."""
    found = job.view.found
    if job.ending is JobState.CANCELLED or found is None or found.evidence.answer(found.plan) is None:
        return  # there will be none
    found.certificate()


def _ended(job: _Job, failure: str) -> dict[str, object]:
    """State and message of a job whose request is over."""
    view, plan = job.view, job.view.task.plan
    if failure:
        return {"state": JobState.FAILED, "message": failure, "found": None}
    if job.ending is JobState.CANCELLED:
        return {"state": JobState.CANCELLED, "found": None}
    is_decided = job.ending is None and view.task.until is not None and view.found is not None
    if view.drawn == plan.n or is_decided:
        return {"state": JobState.DONE, "message": ""}
    if plan.mode is Mode.FIXED:  # nothing was promised before all n draws
        return {"state": JobState.CANCELLED, "found": None, "message": view.message}
    return {"state": JobState.STOPPED}


class WorkerProcess:
    """``python -m engine.single_image.worker`` at the other end of a pipe; started when needed, and again if it died.

    One that says nothing for ``patience`` seconds, longer than any attack takes, is as good as dead.
    """

    def __init__(self, patience: float = 1800.0) -> None:
        self.patience = patience
        self.process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._sending = threading.Lock()

    def do(self, request: Request, patience: float | None = None) -> Generator[Reply]:
        """The replies to a request, without the last. Raises ``AcesError`` if it fails or the process dies, and after
        ``patience`` seconds of silence, its own by default.

        Unless the last one was read, the process goes too: the next request must not take this one's replies for its.
        """
        reply: Reply | None = None
        try:
            connection = self.connect()
            self._tell(request)
            patience = self.patience if patience is None else min(patience, self.patience)
            while not isinstance(reply := _heard(connection, patience), Done | Failed):
                yield reply
        except (EOFError, OSError) as error:
            raise AcesError("the sampling process ended unexpectedly (out of memory?); try again") from error
        finally:
            if not isinstance(reply, Done | Failed):
                self.close()
        if isinstance(reply, Failed):
            raise AcesError(reply.message)

    def stop(self, job: int) -> None:
        """Ask to draw no more for a job; a process that is gone has stopped already."""
        with suppress(OSError):
            self._tell(Stop(job))

    def close(self) -> None:
        """End the process, however busy it is: only then is nobody left who sends to it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        with self._sending:
            if self._connection is not None:
                self._connection.close()
            self.process = self._connection = None

    def _tell(self, message: Request | Stop) -> None:
        with self._sending:
            if self._connection is not None:
                self._connection.send(message)

    def connect(self) -> Connection:
        if self._connection is None or self.process is None or self.process.poll() is not None:
            self.close()
            ours, theirs = socket.socketpair()
            with theirs:
                self._connection = Connection(ours.detach())
                command = processes.command("engine.single_image.worker", str(theirs.fileno()))
                self.process = subprocess.Popen(  # nosec B603 # our own module and a number, no shell
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=processes.environment()
                )
        return self._connection


def _heard(connection: Connection, patience: float) -> Reply:
    if not connection.poll(patience):
        raise AcesError(f"the sampling process said nothing for {patience:.0f} s; try again")
    reply: Reply = connection.recv()
    return reply
