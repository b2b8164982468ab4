"""The server's jobs, on a real worker process with the demo's networks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.jobs import Server, State, Task, View
from app.limits import Limits
from cache import Shelf, weights_of
from cache.shelf import DEMO
from engine.certificate import Networks, Subject, check, issue
from engine.datasets import card
from engine.errands import PairSpec
from engine.errors import AcesError
from engine.pictures import Framing, tensor_sha256
from engine.plan import Mode, Plan

ROOT = Path(__file__).resolve().parents[1]
PLAN = Plan(sigma=0.5, theta=0.5, n=2_600)
LONG = replace(PLAN, n=100_000)


def task(plan: Plan = PLAN, image: int = 3) -> Task:
    shelf = Shelf(demo=DEMO)
    certify, core = shelf.resolve("fashion_mnist-gaussian-0.5"), shelf.resolve("fashion_mnist-core")
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        tensor = file["images"][image]
    spec = PairSpec(
        str(weights_of(certify)), str(weights_of(core)), (certify.network.sha256, core.network.sha256), "bfloat16"
    )
    networks = Networks(
        "fashion_mnist", card("fashion_mnist").classes, certify.network, core.network, "bfloat16", "cpu"
    )
    return Task(spec, networks, plan, tensor, Subject("f" * 64, tensor_sha256(tensor), tensor.shape, Framing()))


@pytest.fixture(scope="module")
def one_server() -> Iterator[Server]:
    server = Server(Limits(n=100_000, seconds=60, jobs=2))
    yield server
    server.close()


@pytest.fixture
def server(one_server: Server) -> Iterator[Server]:
    yield one_server
    for session in ("a", "b", "c"):
        one_server.forget(session)


def wait(server: Server, id: str, until: Callable[[View], bool], session: str = "a") -> View:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        view = server.view(session, id)
        if view is not None and until(view):
            return view
        time.sleep(0.02)
    raise AssertionError(f"still {view}")


def ended(view: View) -> bool:
    return not view.state.active


def test_a_job_ends_with_all_draws_and_a_certificate_that_checks(server):
    mine = task()
    view = wait(server, server.submit("a", mine), ended)
    assert (view.state, view.drawn) == (State.DONE, 2_600)
    check(issue(view.evidence, PLAN, mine.image, mine.networks, view.seed), mine.tensor)


def test_stopping_early_keeps_what_was_drawn(server):
    id = server.submit("a", task(LONG))
    wait(server, id, lambda view: view.drawn > 0)
    server.end(id, State.STOPPED)
    view = wait(server, id, ended)
    assert view.state is State.STOPPED
    assert 0 < view.drawn < LONG.n
    assert view.evidence.answer(LONG) is not None


@pytest.mark.parametrize(
    ("mode", "ending"), [(Mode.EARLY, State.CANCELLED), (Mode.FIXED, State.STOPPED), (Mode.FIXED, State.CANCELLED)]
)
def test_cancelling_and_stopping_a_fixed_n_leave_nothing(server, mode, ending):
    id = server.submit("a", task(replace(LONG, mode=mode)))
    wait(server, id, lambda view: view.drawn > 0)
    server.end(id, ending)
    view = wait(server, id, ended)
    assert (view.state, view.evidence) == (State.CANCELLED, None)


def test_the_next_job_runs_after_one_was_stopped(server):
    first = server.submit("a", task(LONG))
    second = server.submit("b", task())
    wait(server, first, lambda view: view.drawn > 0)
    assert server.view("b", second).ahead == 1
    server.end(first, State.STOPPED)
    assert wait(server, second, ended, "b").state is State.DONE


def test_a_session_has_one_job_and_all_together_have_a_limit(server):
    id = server.submit("a", task(LONG))
    with pytest.raises(AcesError, match="one job at a time"):
        server.submit("a", task())
    server.submit("b", task())
    with pytest.raises(AcesError, match="2 jobs are waiting"):
        server.submit("c", task())
    server.end(id, State.CANCELLED)


def test_more_draws_than_the_server_gives_are_refused(server):
    with pytest.raises(AcesError, match="at most 100,000"):
        server.submit("a", task(replace(PLAN, n=100_001)))


def test_a_waiting_job_is_cancelled_at_once(server):
    server.submit("a", task(LONG))
    second = server.submit("b", task())
    server.end(second, State.CANCELLED)
    assert server.view("b", second).state is State.CANCELLED


def test_the_time_limit_ends_a_job_with_what_was_drawn():
    server = Server(Limits(seconds=1))
    try:
        server.limits = replace(server.limits, seconds=0)  # as if it had passed
        view = wait(server, server.submit("a", task(LONG)), ended)
    finally:
        server.close()
    assert view.state is State.STOPPED
    assert "time limit" in view.message


def test_ids_are_long_and_unknown_ones_show_nothing(server):
    id = server.submit("a", task())
    assert len(id) >= 32
    assert server.view("b", id[:-1]) is None


def test_a_job_lives_as_long_as_a_session_that_looks_at_it(server):
    id = server.submit("a", task(LONG))
    assert server.view("b", id) is not None
    server.forget("a")
    assert server.view("b", id).state.active
    server.forget("b")
    assert server.view("b", id) is None
    assert wait(server, server.submit("a", task()), ended).state is State.DONE  # the left one was cancelled


def test_two_hundred_jobs_leave_nothing_behind(server):
    for k in range(200):
        server.submit(f"session {k}", task(LONG))
        server.forget(f"session {k}")
    wait(server, server.submit("a", task()), ended)
    server.forget("a")
    assert server.load == (0, 0)


def test_a_reload_finds_its_job_and_who_does_not_come_back_is_forgotten(server):
    server.grace = 0.3
    id = server.submit("a", task(LONG))
    server.leave("a")
    assert server.view("reloaded", id).state.active
    wait(server, id, lambda view: view.drawn > 0, "reloaded")
    server.leave("reloaded")
    deadline = time.monotonic() + 60
    while server.load != (0, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.load == (0, 0)


def test_the_rate_is_probed_once(server):
    spec = task().pair
    while (rate := server.rate(spec, 0.5)) is None:
        time.sleep(0.02)
    assert rate > 0
    assert server.rate(spec, 0.5) == rate


def test_networks_that_cannot_be_loaded_are_said(server):
    gone = replace(task().pair, certify="gone.safetensors")
    while (message := server.rate(gone, 0.5)) is None:
        time.sleep(0.02)
    assert "no checkpoint at gone.safetensors" in message
    view = wait(server, server.submit("a", replace(task(), pair=gone)), ended)
    assert view.state is State.FAILED
    assert "no checkpoint" in view.message


def test_a_worker_that_dies_fails_its_job_and_the_next_one_runs(server):
    id = server.submit("a", task(LONG))
    wait(server, id, lambda view: view.drawn > 0)
    server._worker._process.kill()
    view = wait(server, id, ended)
    assert view.state is State.FAILED
    assert "ended unexpectedly" in view.message
    assert wait(server, server.submit("a", task()), ended).state is State.DONE


def test_an_answer_can_be_attacked_when_it_stands(server):
    id = server.submit("a", task())
    server.try_to_break(id, 7, 0.5)
    assert server.view("a", id).attempt is None  # not before
    view = wait(server, id, ended)
    answer = int(view.evidence.answer(PLAN).prediction()[0, 0])
    server.try_to_break(id, answer, 0.5)
    view = wait(server, id, lambda view: view.attempt is not None and not view.attempt.active)
    assert view.attempt.attack.norm <= 0.5 + 1e-5
    assert view.attempt.attack.held


def test_asking_for_jobs_loads_no_torch():
    code = "import sys, app.jobs, engine.certificate; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_limits_come_from_the_environment_and_must_be_positive(monkeypatch, value):
    monkeypatch.setenv("ACES_MAX_N", "5000")
    assert Limits.from_environment() == Limits(n=5_000)
    monkeypatch.setenv("ACES_MAX_JOBS", value)
    with pytest.raises(AcesError, match="ACES_MAX_JOBS"):
        Limits.from_environment()
