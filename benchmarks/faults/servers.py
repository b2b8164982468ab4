"""Kills of what goes on for others: ``serve`` under requests, the worker of the page's jobs, and its precomputes."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests

from app.services import precompute
from app.services.certify_queue import JobState, Server, Task, View
from app.services.limits import Limits
from app.services.precompute import State
from app.services.question import Asked
from benchmarks.faults.children import FIXED, PATIENCE, FaultError
from benchmarks.faults.commands import COMMANDS
from benchmarks.faults.faketime import TOY
from benchmarks.faults.trials import Scene, Survival, scenes, tried
from cache.catalog import DEMO, Catalog
from engine.single_image.certificate import check
from engine.single_image.picture import Framing, tensor_sha256, to_png
from engine.single_image.plan import Plan
from engine.single_image.subject import Subject
from engine.single_image.system import System
from engine.single_image.system_file import Deployed, to_yaml
from tests.serving import Running, running
from tests.waiting import wait_until

NETWORKS = "fashion_mnist-gaussian-0.5", "fashion_mnist-core"
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
PICTURES = 12  # that are asked about; those that every draw answers alike are answered the same again
CLIENTS = 4
PNG = {"Content-Type": "image/png"}
PLAN = Plan(sigma=0.5, theta=0.5, n=20_000)


def _images() -> np.ndarray:
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        return np.asarray(file["images"])


# --- serve -----------------------------------------------------------------------------------------------------------


def served(seed: str, seconds: float) -> Iterator[Survival]:
    """A server is killed while it answers; the next one has the same port, and answers as the first did."""
    with tempfile.TemporaryDirectory(prefix="aces-faults-") as room:
        path = Path(room) / "system.yaml"
        path.write_text(
            to_yaml(Deployed(System.load(*NETWORKS, 0.6, dataset="fashion_mnist", runs=Catalog()), {}), path)
        )
        bodies = [to_png(image) for image in _images()[:PICTURES]]
        with running(path, "--n", "400") as server:
            first = {at: _answer(server, body) for at, body in enumerate(bodies)}
        clear = {at: _lasting(said) for at, said in first.items() if said["certification_network"]["confidence"] == 1}
        if not clear:
            raise FaultError("no picture is answered by every draw: nothing can be compared")
        for number in SIGNALS:
            what = f"{number.name} at a random instant of `serve` under requests"
            yield tried(what, seed, seconds / len(SIGNALS), _killing_server(path, bodies, clear, number))


def _killing_server(
    path: Path, bodies: list[bytes], clear: dict[int, dict[str, Any]], number: signal.Signals
) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        with running(path, "--n", "400") as server:
            over = threading.Event()
            clients = [threading.Thread(target=_ask_on, args=(server, bodies, k, over)) for k in range(CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(chance.uniform(0, 2))
            server.process.send_signal(number)
            status = server.process.wait(PATIENCE)
            over.set()
            for client in clients:
                client.join()
            if status not in ((-number,) if number is signal.SIGKILL else (0,)):
                raise FaultError(f"a server ended with status {status} at {number.name}")
            port = str(server.place[1])
        with running(path, "--n", "400", "--port", port) as again:
            for at, said in clear.items():
                found = _lasting(_answer(again, bodies[at]))
                if found != said:
                    raise FaultError(f"picture {at} was answered {said} before and {found} after {number.name}")
        return 1

    return trial


def _ask_on(server: Running, bodies: list[bytes], at: int, over: threading.Event) -> None:
    """Ask until it is over; what nobody answers any more is no fault of the client's."""
    while not over.is_set():
        with suppress(requests.RequestException):
            requests.post(f"{server.url}/predict", data=bodies[at % len(bodies)], headers=PNG, timeout=60)
        at += CLIENTS


def _answer(server: Running, body: bytes) -> dict[str, Any]:
    """The whole answer to one picture, the core network's confidence included."""
    response = requests.post(f"{server.url}/predict", data=body, headers=PNG, timeout=PATIENCE)
    response.raise_for_status()
    found: dict[str, Any] = response.json()["answers"][0]
    return found


def _lasting(said: dict[str, Any]) -> dict[str, Any]:
    """An answer without what fresh noise makes another: how many draws it took, and their shares.

    Where both networks give the same answer, also whether the draws ended before one of them was surely selected.
    """
    certifying, core = said["certification_network"]["answer"], said["core_network"]["answer"]
    outcome = "either" if certifying == core else said["outcome"]
    return {**said, "draws": None, "certification_network": certifying, "outcome": outcome}


# --- the page's jobs -------------------------------------------------------------------------------------------------


def page(seed: str, seconds: float) -> Iterator[Survival]:
    """The worker process of the queue dies while it draws, and the process of a precompute that a page has started."""
    server = Server(Limits(n=PLAN.n, seconds=300, jobs=4))
    try:
        for number in SIGNALS:
            what = f"{number.name} at a random instant of a job on the page *Certify*"
            yield tried(what, seed, seconds / 4, _killing_worker(server, number))
    finally:
        server.close()
    for scene in scenes(command for command in COMMANDS if command.name == "precompute"):
        for number in SIGNALS:
            what = f"{number.name} at a random instant of a precompute that a page began"
            yield tried(what, seed, seconds / 4, _killing_sampling(scene, number))


def _task() -> Task:
    catalog = Catalog()
    certify, core = (catalog.resolve(name) for name in NETWORKS)
    tensor, spec = _images()[3], System.load(certify, core, PLAN.theta).pair
    asked = Asked("fashion_mnist", certify.network, core.network, spec.precision)
    return Task(spec, asked, PLAN, tensor, Subject("f" * 64, tensor_sha256(tensor), tensor.shape, Framing()))


def _killing_worker(server: Server, number: signal.Signals) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        first, second = server.submit("a", _task()), server.submit("b", _task())
        wait_until(lambda: server.worker.process is not None, "a worker", PATIENCE)
        time.sleep(chance.uniform(0, 1))
        process = server.worker.process
        if process is not None:
            process.send_signal(number)
        ended = _ended(server, "a", first)
        if ended.state is JobState.FAILED and ("\n" in ended.message or "ended unexpectedly" not in ended.message):
            raise FaultError(f"the job says: {ended.message}")
        after = _ended(server, "b", second)
        if after.state is not JobState.DONE or after.drawn != PLAN.n or after.found is None:
            raise FaultError(f"the next job is {after.state} after {after.drawn:,} draws: {after.message}")
        check(after.found.certificate(), after.task.tensor)
        for session in ("a", "b"):
            server.forget(session)
        return 1

    return trial


def _ended(server: Server, session: str, id: str) -> View:
    def there() -> View | None:
        view = server.view(session, id)
        return view if view is not None and not view.state.active else None

    return wait_until(there, "the end of a job", PATIENCE)


def _killing_sampling(scene: Scene, number: signal.Signals) -> Callable[[random.Random], int]:
    def trial(chance: random.Random) -> int:
        folder = scene.begin()
        store, config = folder / "store", folder / "toy.yaml"
        usual = precompute.command_for

        def on_toys(*arguments: Any, **more: Any) -> list[str]:
            words = usual(*arguments, **more)
            return ["env", *(f"{name}={value}" for name, value in FIXED.items()), sys.executable, "-c", TOY, *words[3:]]

        precompute.command_for = on_toys
        try:
            id = precompute.start(store, config)
            job = json.loads((store / precompute.FOLDER / id / precompute.JOB).read_text())
            time.sleep(chance.uniform(0, 10))
            with suppress(psutil.Error):
                psutil.Process(job["pid"]).send_signal(number)
            found = _over(store, id)
            if found.state is State.FAILED and (not found.message or "\n" in found.message):
                raise FaultError(f"the precompute says: {found.message}")
            if found.state is not State.DONE:
                again = precompute.resume(store, id)
                found = _over(store, again)
            if found.state is not State.DONE:
                raise FaultError(f"it does not go on: {found.state}, {found.message}")
        finally:
            precompute.command_for = usual
        shutil.rmtree(store / precompute.FOLDER, ignore_errors=True)
        scene.check(folder)
        return 1

    return trial


def _over(store: Path, id: str) -> precompute.Sampling:
    """A precompute that has ended, once that was noted."""

    def there() -> precompute.Sampling | None:
        (found,) = [one for one in precompute.every(store) if one.id == id]
        noted = (store / precompute.FOLDER / id / precompute.STATUS).exists()
        return found if noted and found.state is not State.RUNNING else None

    return wait_until(there, "the end of a precompute", PATIENCE)
