"""``python -m engine.single_image.worker FD``: a process that keeps networks loaded and samples on request.

FD is an inherited pipe.

The dashboard starts it, so that its pages never import torch and stay responsive. It ends when the pipe closes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection

import numpy as np
from torch import Tensor

from engine.errors import AcesError
from engine.records.draws import CHUNK
from engine.sampling.stream import Stage
from engine.single_image.attack import attack
from engine.single_image.certify import Certification
from engine.single_image.live import Pair, open_once
from engine.single_image.messages import Break, Core, Done, Drawn, Failed, Probe, Rate, Reply, Request, Sample, Stop
from engine.single_image.plan import LaterPlan, Plan
from engine.single_image.segments import roles
from engine.single_image.subject import Streams
from engine.single_image.until import is_over


class Worker:
    """Does requests one after the other; a ``Stop`` is heard while one is under way, between two pieces of draws."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._requests: queue.Queue[Request] = queue.Queue()
        self._stopped: set[int] = set()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            request = self._requests.get()
            self._send(self.reply_to(request))
            self._stopped.discard(request.job)

    def _listen(self) -> None:
        try:
            while True:
                message: Request | Stop = self._connection.recv()
                if isinstance(message, Stop):
                    self._stopped.add(message.job)
                else:
                    self._requests.put(message)
        except (EOFError, OSError):  # whoever asked is gone, and so is the reason to sample on
            os._exit(0)
        except Exception:  # deaf, it would keep whoever asked waiting for ever
            traceback.print_exc()
            os._exit(1)

    def reply_to(self, request: Request) -> Reply:
        try:
            if isinstance(request, Probe):
                self._probe(request)
            elif isinstance(request, Sample):
                self._sample(request)
            else:
                self._break(request)
        except AcesError as error:
            return Failed(str(error))
        except Exception as error:  # whatever it is, the next request must not suffer from it
            traceback.print_exc()
            return Failed(f"sampling failed ({type(error).__name__}: {error}); the server's log has more")
        return Done()

    def _probe(self, request: Probe) -> None:
        pair = open_once(request.pair)
        pixels = pair.pixels(np.full(pair.dataset.shape, 128, np.uint8))
        selects, later = pair.selection is not None, (LaterPlan(request.sigma, 0.5),) * len(pair.then)
        plan = Plan(request.sigma, 0.5, sigma_select=request.sigma if selects else None, then=later)
        _draw_some(pair, pixels, plan, CHUNK)  # the first batch is always slow
        start = time.perf_counter()
        _draw_some(pair, pixels, plan, 4 * CHUNK)
        self._send(Rate(4 * CHUNK / (time.perf_counter() - start)))

    def _sample(self, request: Sample) -> None:
        found: Certification | None = None
        for reply in open_once(request.pair).answer(request.case):
            self._send(reply)
            if request.job in self._stopped:
                return
            if request.until is None:
                continue
            before = 0 if found is None else found.drawn
            found = Certification.begin(request.case, reply) if isinstance(reply, Core) else _with(found, reply)
            if is_over(request.until, found.evidence, found.plan, before):
                return

    def _break(self, request: Break) -> None:
        self._send(attack(open_once(request.pair), request.tensor, request.plan, request.target, request.budget))

    def _send(self, reply: Reply) -> None:
        try:
            self._connection.send(reply)
        except OSError:
            os._exit(0)


def _with(found: Certification | None, drawn: Drawn) -> Certification:
    assert found is not None, "the core network answers first"
    return found.with_draws(drawn)


def _draw_some(pair: Pair, pixels: Tensor, plan: Plan, draws: int) -> None:
    for role in roles(plan):
        pair.block(role, pixels, plan, Streams(0, 0), Stage.GUESS, 0, draws)


if __name__ == "__main__":
    Worker(Connection(int(sys.argv[1]))).run()
