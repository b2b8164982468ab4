"""What a system answers: PREDICT over many pictures against the engine's own draws, and a server against that.

The two sides take turns, so that other work on the machine falls on both.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests
import torch

from cache.catalog import DEMO, Catalog
from engine.arrays import ABSTAIN
from engine.mechanisms import OWN
from engine.sampling.stream import Source, Stage, sample, segments
from engine.single_image.picture import to_png
from engine.single_image.system import Prediction, System
from engine.single_image.system_file import Deployed, to_yaml

NAMES = "fashion_mnist-gaussian-0.5", "fashion_mnist-core"
THETA = 0.3
PICTURES = 1_000
CLIENTS = 20
SERVED = 400  # pictures that are posted in a round
ROUNDS = 3
PNG = {"Content-Type": "image/png"}


@dataclass(frozen=True)
class PredictCost:
    """PREDICT over ``PICTURES`` of Fashion-MNIST: its draws per second, that over the engine's on one picture, the mean
    draws of a picture that was decided, and how many were not.
    """

    rate: float
    ratio: float
    decided_draws: float
    median_draws: float
    abstained: int


def the_system() -> System:
    """Of the demo's networks."""
    return System.load(*NAMES, THETA, dataset="fashion_mnist", runs=Catalog(demo=DEMO))


def pictures(count: int) -> np.ndarray:
    """So many of the demo's 500 test images, again from the first on, uint8 [count, 1, 28, 28]."""
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        return np.resize(file["images"], (count, *file["images"].shape[1:]))


def predict(rounds: int = ROUNDS) -> PredictCost:
    """Both sides in turn; medians over the rounds."""
    system, images = the_system(), pictures(PICTURES)
    system.predict(images[:100], n=100)  # the first batches are slow
    rates, ratios, found = [], [], []
    for _ in range(rounds):
        engine = _engine_rate(system, images[0])
        start = time.perf_counter()
        found = system.predict(images)
        seconds = time.perf_counter() - start
        rates.append(sum(one.draws for one in found) / seconds)
        ratios.append(rates[-1] / statistics.mean([engine, _engine_rate(system, images[0])]))
    decided = [one.draws for one in found if one.answer != ABSTAIN]
    return PredictCost(
        statistics.median(rates), statistics.median(ratios), statistics.mean(decided), statistics.median(decided),
        len(found) - len(decided),
    )  # fmt: skip


def _engine_rate(system: System, image: np.ndarray, n: int = 20_000) -> float:
    """Draws per second of one long stream of one picture."""
    pixels = torch.from_numpy(image).float() / 255
    source = Source(system.open().certify, OWN.score, system.sigma, 0, lambda _: pixels)
    start = time.perf_counter()
    for _ in sample(source, segments(0, Stage.ESTIMATE, 0, n)):
        pass
    return n / (time.perf_counter() - start)


@dataclass(frozen=True)
class Served:
    """Pictures per second: of ``CLIENTS`` clients that each post one after the other, and of PREDICT in one process."""

    server: float
    process: float
    ratio: float


def serve(rounds: int = ROUNDS) -> Served:
    """The same pictures, n = 1,000 at most, by a server of its own process and by a call; medians over the rounds.

    While the call runs the server is idle.
    """
    system, images = the_system(), pictures(SERVED)
    bodies = [to_png(image) for image in images]
    system.predict(images[:100], n=100)
    servers, calls = [], []
    with running(system) as url:
        _post_all(url, bodies[:100])
        for _ in range(rounds):
            servers.append(SERVED / _post_all(url, bodies))
            start = time.perf_counter()
            _decided(system.predict(bodies, n=1_000, together=CLIENTS))
            calls.append(SERVED / (time.perf_counter() - start))
    ratio = statistics.median(one / other for one, other in zip(servers, calls, strict=True))
    return Served(statistics.median(servers), statistics.median(calls), ratio)


def _decided(found: Sequence[Prediction]) -> int:
    return sum(one.answer != ABSTAIN for one in found)


def _post_all(url: str, bodies: Sequence[bytes]) -> float:
    """Seconds until all are answered."""
    at, lock = itertools.count(), threading.Lock()

    def client(_: int) -> None:
        with requests.Session() as session:
            while True:
                with lock:
                    k = next(at)
                if k >= len(bodies):
                    return
                answer = session.post(
                    f"{url}/predict", data=bodies[k], headers={"Content-Type": "image/png"}, timeout=600
                )
                answer.raise_for_status()

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(client, range(CLIENTS)))
    return time.perf_counter() - start


@contextmanager
def running(system: System) -> Iterator[str]:
    """The address of a server of a system, ended afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "system.yaml"
        path.write_text(to_yaml(Deployed(system, {}), path))
        command = [sys.executable, "-m", "engine", "serve", str(path), "--port", "0", "--n", "1000", "--seconds", "600"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            try:
                yield line.split(" answers at ")[1].split(",")[0]
            finally:
                process.terminate()
