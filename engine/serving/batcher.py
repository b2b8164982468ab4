"""One thread that asks one system: whatever clients send meanwhile shares its batches, and no more than a queue waits.

batcher = Batcher(system, n=10_000)
future = batcher.predict(pixels)       # a ``concurrent.futures.Future`` of a ``Prediction``
batcher.close()                        # answers what is under way, and nothing new
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from engine.errors import AcesError
from engine.single_image.case import Case
from engine.single_image.certify import Certification, grow
from engine.single_image.rounds import Predictor
from engine.single_image.system import Prediction, System
from engine.single_image.until import Until

FIRST_SECONDS = 0.1  # an answer is taken to need, before there was one
REMEMBERED = 0.1  # how much the last answer says of how long the next one takes
LONGEST_WAIT = 60  # seconds that a client is told to wait, at most

Answer: TypeAlias = "Future[Prediction] | Future[Certification]"


class BusyError(AcesError):
    """As many pictures wait as may. ``seconds``: when to ask again."""

    def __init__(self, waiting: int, seconds: int) -> None:
        super().__init__(f"{waiting} pictures wait already; ask again in {seconds} s")
        self.seconds = seconds


@dataclass(eq=False)
class _Certifying:
    future: Future[Certification]
    grown: Iterator[Certification]
    last: Certification | None = None


class Batcher:
    """Asks ``system`` about pictures in a thread of its own. ``n``: PREDICT's most draws; ``most``: pictures that may
    wait or be under way.
    """

    def __init__(self, system: System, n: int = 10_000, most: int = 64) -> None:
        self.system, self.pair, self._n, self._most = system, system.open(), n, most
        self._lock = threading.Condition()
        self._new: deque[tuple[Future[Any], np.ndarray | tuple[Case, Until | None]]] = deque()
        self._reserved = 0
        self._closing = False
        self._seconds = FIRST_SECONDS
        self._predictor: Predictor[Future[Prediction]] = self._fresh()
        self._certifying: deque[_Certifying] = deque()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether there is somebody to ask."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Pictures that were let in and have no answer yet."""
        return self._reserved

    def reserve(self, pictures: int = 1) -> None:
        """Let so many pictures in, before anything of them is read. Raises ``BusyError`` where they are too many."""
        with self._lock:
            if self._reserved + pictures > self._most:
                seconds = math.ceil(self._seconds * self._reserved)
                raise BusyError(self._reserved, min(max(seconds, 1), LONGEST_WAIT))
            self._reserved += pictures

    def release(self, pictures: int = 1) -> None:
        """They have their answers, or want none."""
        with self._lock:
            self._reserved -= pictures

    def predict(self, pixels: np.ndarray) -> Future[Prediction]:
        """PREDICT of ``pixels`` float32 [C, H, W] in [0, 1], for which there is a place."""
        future: Future[Prediction] = Future()
        self._put(future, pixels)
        return future

    def certify(self, case: Case, until: Until | None = None) -> Future[Certification]:
        """CERTIFY of a case, for which there is a place."""
        future: Future[Certification] = Future()
        self._put(future, (case, until))
        return future

    def close(self) -> None:
        """Answer what is under way, and end. What comes after it is refused."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        self._thread.join()

    def _put(self, future: Future[Any], asked: np.ndarray | tuple[Case, Until | None]) -> None:
        with self._lock:
            if self._closing:
                raise AcesError("the server is stopping")
            self._new.append((future, asked))
            self._lock.notify()

    def _fresh(self) -> Predictor[Future[Prediction]]:
        return Predictor(self.system, self.pair, self._n)

    def _run(self) -> None:
        while self._admit():
            try:
                self._round()
                self._piece()
            except Exception as error:  # whatever it is, who asks next must not suffer from it
                traceback.print_exc()
                self._fail(error)

    def _admit(self) -> bool:
        """Take in what is new; where there is nothing at all, wait. False at the end."""
        with self._lock:
            while not (self._new or len(self._predictor) or self._certifying):
                if self._closing:
                    return False
                self._lock.wait()
            new = list(self._new)
            self._new.clear()
        for future, asked in new:
            if future.cancelled():
                continue
            try:
                if isinstance(asked, np.ndarray):
                    self._predictor.add(future, asked)
                else:
                    case, until = asked
                    self._certifying.append(_Certifying(future, grow(case, self.pair.answer(case), until)))
            except AcesError as error:
                _end(future, error)
        return True

    def _round(self) -> None:
        """Some draws of every picture that PREDICT is asked about."""
        for future in [one for one in self._predictor.waiting() if one.cancelled()]:
            self._predictor.drop(future)
        start, asked = time.perf_counter(), len(self._predictor)
        if not asked:
            return
        ended = self._predictor.round()
        for future, found in ended:
            _end(future, found)
        if ended:
            self._took((time.perf_counter() - start) / len(ended))

    def _piece(self) -> None:
        """The next draws of one picture that is certified: PREDICT's pictures never wait for all of them."""
        if not self._certifying:
            return
        one, start = self._certifying.popleft(), time.perf_counter()
        if one.future.cancelled():
            return
        try:
            one.last = next(one.grown)
        except StopIteration:
            assert one.last is not None, "there is a first piece"
            _end(one.future, one.last)
        except AcesError as error:
            _end(one.future, error)
        else:
            self._certifying.append(one)
        self._took(time.perf_counter() - start)

    def _took(self, seconds: float) -> None:
        self._seconds += REMEMBERED * (seconds - self._seconds)

    def _fail(self, error: Exception) -> None:
        """Everything that is under way ends with an error, and the networks are asked anew."""
        said = RuntimeError(f"sampling failed ({type(error).__name__}); the server's log has more")
        asked: list[Future[Any]] = [*self._predictor.waiting(), *(one.future for one in self._certifying)]
        for future in asked:
            _end(future, said)
        self._certifying.clear()
        self._predictor = self._fresh()


def _end(future: Future[Any], found: object) -> None:
    try:
        if isinstance(found, Exception):
            future.set_exception(found)
        else:
            future.set_result(found)
    except InvalidStateError:  # whoever asked has gone
        pass
