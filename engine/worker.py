"""A process that keeps networks loaded and samples on request: ``python -m engine.worker FD``, FD an inherited pipe.

The dashboard starts it, so that its pages never import torch and stay responsive. It ends when the pipe closes.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections import OrderedDict
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from engine.attack import attack
from engine.draws import CHUNK
from engine.errands import Break, Core, Done, Drawn, Errand, Failed, PairSpec, Probe, Rate, Reply, Sample, Stop
from engine.errors import AcesError
from engine.live import Pair, open_pair
from engine.sampling import Stage

KEPT = 4  # pairs of networks that stay loaded


class Worker:
    """Does errands one after the other; a ``Stop`` is heard while one is under way, between two pieces of draws."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._errands: queue.Queue[Errand] = queue.Queue()
        self._stopped: set[int] = set()
        self._pairs: OrderedDict[PairSpec, Pair] = OrderedDict()

    def run(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            errand = self._errands.get()
            self._send(self._done(errand))
            self._stopped.discard(errand.job)

    def _listen(self) -> None:
        try:
            while True:
                message: Errand | Stop = self._connection.recv()
                if isinstance(message, Stop):
                    self._stopped.add(message.job)
                else:
                    self._errands.put(message)
        except (EOFError, OSError):  # whoever asked is gone, and so is the reason to sample on
            os._exit(0)

    def _done(self, errand: Errand) -> Reply:
        try:
            if isinstance(errand, Probe):
                self._probe(errand)
            elif isinstance(errand, Sample):
                self._sample(errand)
            else:
                self._break(errand)
        except AcesError as error:
            return Failed(str(error))
        except Exception as error:  # whatever it is, the next errand must not suffer from it
            traceback.print_exc()
            return Failed(f"sampling failed ({type(error).__name__}: {error}); the server's log has more")
        return Done()

    def _probe(self, errand: Probe) -> None:
        pair = self._pair(errand.pair)
        pixels = pair.pixels(np.full(pair.dataset.shape, 128, np.uint8))
        pair.block(pixels, errand.sigma, 0, 0, Stage.GUESS, 0, CHUNK)  # the first batch is always slow
        start = time.perf_counter()
        pair.block(pixels, errand.sigma, 0, 0, Stage.GUESS, 0, 4 * CHUNK)
        self._send(Rate(4 * CHUNK / (time.perf_counter() - start)))

    def _sample(self, errand: Sample) -> None:
        pair = self._pair(errand.pair)
        self._send(Core(pair.core_answer(errand.tensor)))
        for stage, draws in pair.draw(errand.tensor, errand.plan, errand.seed, errand.index):
            self._send(Drawn(stage.value, draws))
            if errand.job in self._stopped:
                return

    def _break(self, errand: Break) -> None:
        pair = self._pair(errand.pair)
        self._send(attack(pair, errand.tensor, errand.plan, errand.target, errand.budget))

    def _pair(self, spec: PairSpec) -> Pair:
        """The networks, loaded at most once while they stay among the last ``KEPT``."""
        if spec not in self._pairs:
            self._pairs[spec] = open_pair(Path(spec.certify), Path(spec.core), spec.precision, sha256=spec.sha256)
        self._pairs.move_to_end(spec)
        while len(self._pairs) > KEPT:
            self._pairs.popitem(last=False)
        return self._pairs[spec]

    def _send(self, reply: Reply) -> None:
        try:
            self._connection.send(reply)
        except OSError:
            os._exit(0)


if __name__ == "__main__":
    Worker(Connection(int(sys.argv[1]))).run()
