"""The server's jobs, on a real worker process with the demo's networks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.services.certify_queue import JobState, Server, Task, View, WorkerProcess
from app.services.limits import Limits
from app.services.question import Asked
from cache import Catalog
from cache.catalog import DEMO
from engine.errors import AcesError
from engine.single_image.certificate import Subject, check
from engine.single_image.live import open_pair
from engine.single_image.picture import Framing, tensor_sha256
from engine.single_image.plan import Mode, Plan
from engine.single_image.resample import resample
from engine.single_image.system import PairSpec, Selector, System
from engine.single_image.until import Until
from engine.weights import weights_of
from tests import ROOT
from tests.waiting import wait_until

PLAN = Plan(sigma=0.5, theta=0.5, n=2_600)
LONG = replace(PLAN, n=100_000)


def task(plan: Plan = PLAN, image: int = 3) -> Task:
    catalog = Catalog(demo=DEMO)
    certify, core = catalog.resolve("fashion_mnist-gaussian-0.5"), catalog.resolve("fashion_mnist-core")
    with np.load(DEMO / "fashion_mnist_images.npz") as file:
        tensor = file["images"][image]
    spec = System.load(certify, core, plan.theta).pair
    asked = Asked("fashion_mnist", certify.network, core.network, spec.precision)
    return Task(spec, asked, plan, tensor, Subject("f" * 64, tensor_sha256(tensor), tensor.shape, Framing()))


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
    def there() -> View | None:
        view = server.view(session, id)
        return view if view is not None and until(view) else None

    return wait_until(there, f"a state of the job that stands as {server.view(session, id)}")


def ended(view: View) -> bool:
    return not view.state.active


def test_a_job_ends_with_all_draws_and_a_certificate_that_checks(server):
    mine = task()
    view = wait(server, server.submit("a", mine), ended)
    assert (view.state, view.drawn) == (JobState.DONE, 2_600)
    check(view.found.certificate(), mine.tensor)


@pytest.mark.parametrize("until", [Until(0.2), Until(3.0), Until()], ids=str)
def test_a_question_ends_its_job_by_itself_and_the_certificate_checks(server, until):
    plan = replace(PLAN, n=100_000, theta=1.0, first=20, split="half-last")
    view = wait(server, server.submit("a", replace(task(plan), until=until)), ended)
    assert (view.state, view.message) == (JobState.DONE, "")
    assert view.drawn in plan.looks[:-1]
    assert f" after {view.drawn:,} of at most 100,000 draws" in view.said
    assert ("given up" in view.said) == (until == Until(3.0))
    check(view.certificate)


def test_a_question_of_a_fixed_n_is_refused():
    with pytest.raises(AcesError, match="with a fixed n"):
        replace(task(replace(PLAN, mode=Mode.FIXED)), until=Until())


def test_the_certificate_of_a_job_is_drawn_again_by_its_streams(server):
    """It names the networks as the worker ran them: the noise depends on that."""
    mine = task()
    view = wait(server, server.submit("a", mine), ended)
    made = view.found.certificate()
    assert made.networks.as_run is not None
    assert (made.networks.precision, made.networks.device) == ("bfloat16", "cpu")
    pair = open_pair(mine.pair)
    assert resample(made, pair, mine.tensor, 1.0).turned == 0


def test_a_job_with_a_selection_network_draws_of_both(server):
    run = Catalog(demo=DEMO).resolve("fashion_mnist-gaussian-0.25-selection-0.5")
    plan = replace(PLAN, sigma_select=0.25)
    mine = task(plan)
    spec = replace(mine.pair, select=Selector(weights_of(run), run.network.sha256))
    assert not isinstance(rate(server, spec), str)
    view = wait(server, server.submit("a", replace(mine, pair=spec)), ended)
    assert (view.state, view.drawn) == (JobState.DONE, 2_600)
    made = view.found.certificate()
    check(made, mine.tensor)
    assert made.networks.select == run.network


def rate(server: Server, spec: PairSpec) -> float | str:
    return wait_until(lambda: server.rate(spec, 0.5), "the rate")


def test_stopping_early_keeps_what_was_drawn(server):
    id = server.submit("a", task(LONG))
    wait(server, id, lambda view: view.drawn > 0)
    server.end("a", id, JobState.STOPPED)
    view = wait(server, id, ended)
    assert view.state is JobState.STOPPED
    assert 0 < view.drawn < LONG.n
    assert view.found.evidence.answer(LONG) is not None


@pytest.mark.parametrize(
    ("mode", "ending"),
    [(Mode.EARLY, JobState.CANCELLED), (Mode.FIXED, JobState.STOPPED), (Mode.FIXED, JobState.CANCELLED)],
)
def test_cancelling_and_stopping_a_fixed_n_leave_nothing(server, mode, ending):
    id = server.submit("a", task(replace(LONG, mode=mode)))
    wait(server, id, lambda view: view.drawn > 0)
    server.end("a", id, ending)
    view = wait(server, id, ended)
    assert (view.state, view.found) == (JobState.CANCELLED, None)


def test_the_next_job_runs_after_one_was_stopped(server):
    first = server.submit("a", task(LONG))
    second = server.submit("b", task())
    wait(server, first, lambda view: view.drawn > 0)
    assert server.view("b", second).ahead == 1
    server.end("a", first, JobState.STOPPED)
    assert wait(server, second, ended, "b").state is JobState.DONE


def test_a_session_has_one_job_and_all_together_have_a_limit(server):
    id = server.submit("a", task(LONG))
    with pytest.raises(AcesError, match="one job at a time"):
        server.submit("a", task())
    server.submit("b", task())
    with pytest.raises(AcesError, match="2 jobs are waiting"):
        server.submit("c", task())
    server.end("a", id, JobState.CANCELLED)


def states(server: Server, ids: tuple[str, ...]) -> list[JobState]:
    return [server.view("a", id).state for id in ids]


def test_the_pictures_of_a_batch_are_certified_one_after_the_other_each_from_noise_of_its_own(server):
    mine = [task(image=image) for image in (3, 4, 3)]
    ids = server.submit_batch("a", mine)
    assert [server.view("a", id).ahead for id in ids[1:]] == [1, 2]
    views = []
    for id in ids:
        views.append(wait(server, id, ended))
        later = ids[len(views) + 1 :]
        assert all(state is JobState.QUEUED for state in states(server, later))
    assert [view.ended for view in views] == sorted(view.ended for view in views)
    assert {view.batch for view in views} == {ids}
    assert len({view.found.case.seed for view in views}) == 3  # the same picture again has other noise too
    first, _, again = (view.found.evidence.estimate.scores for view in views)
    assert (first != again).any()
    for view, asked in zip(views, mine, strict=True):
        check(view.found.certificate(), asked.tensor)


def test_a_single_picture_is_no_batch(server):
    id = server.submit("a", task(LONG))
    assert server.view("a", id).batch == ()


def test_a_batch_takes_one_place_and_others_go_between_its_pictures(server):
    ids = server.submit_batch("a", [task(LONG), task(LONG), task(LONG)])
    other = server.submit("b", task())
    with pytest.raises(AcesError, match="2 jobs are waiting"):
        server.submit("c", task())
    wait(server, ids[0], lambda view: view.drawn > 0)
    server.end("a", ids[0], JobState.STOPPED)
    wait(server, other, ended, "b")
    assert server.view("a", ids[0]).state is JobState.STOPPED
    second = wait(server, ids[1], lambda view: view.drawn > 0)
    assert second.state is JobState.RUNNING
    with pytest.raises(AcesError, match="one job at a time"):
        server.submit("a", task())
    with pytest.raises(AcesError, match="one job at a time"):
        server.submit_batch("a", [task(), task()])
    assert states(server, ids[2:]) == [JobState.QUEUED]


def test_one_of_a_batch_is_cancelled_and_the_others_go_on(server):
    first, second, third = server.submit_batch("a", [task(LONG), task(), task()])
    server.end("a", second, JobState.CANCELLED)
    assert server.view("a", second).state is JobState.CANCELLED
    assert server.view("a", third).ahead == 1
    wait(server, first, lambda view: view.drawn > 0)
    server.end("a", first, JobState.CANCELLED)
    assert wait(server, third, ended).state is JobState.DONE
    assert states(server, (first, second)) == [JobState.CANCELLED] * 2


def test_cancelling_the_picture_that_waits_for_its_turn_lets_the_next_of_its_batch_take_it(server):
    busy = server.submit("b", task(LONG))
    first, second = server.submit_batch("a", [task(), task()])
    server.end("a", first, JobState.CANCELLED)
    server.end("b", busy, JobState.CANCELLED)
    assert wait(server, second, ended).state is JobState.DONE


def test_all_of_a_batch_are_cancelled_and_what_has_ended_stays(server):
    ids = server.submit_batch("a", [task(), task(LONG), task(), task()])
    wait(server, ids[1], lambda view: view.drawn > 0)
    server.cancel("a", ids)
    wait(server, ids[1], ended)
    assert states(server, ids) == [JobState.DONE, *[JobState.CANCELLED] * 3]
    assert wait(server, server.submit("a", task()), ended).state is JobState.DONE


def test_a_picture_that_fails_does_not_end_its_batch(server):
    ids = server.submit_batch("a", [task(LONG), task()])
    wait(server, ids[0], lambda view: view.drawn > 0)
    server.worker.process.kill()
    assert wait(server, ids[1], ended).state is JobState.DONE
    assert states(server, ids[:1]) == [JobState.FAILED]


def test_a_batch_is_queued_whole_or_not_at_all(server):
    for refused in ([], [task()] * 21, [task(), task(replace(PLAN, n=100_001))]):
        with pytest.raises(AcesError, match=r"certified at once|at most 100,000"):
            server.submit_batch("a", refused)
    assert server.load == (0, 0)


def test_a_batch_goes_with_the_last_session_that_looks_at_it(server):
    ids = server.submit_batch("a", [task(LONG), task(LONG), task(LONG)])
    wait(server, ids[0], lambda view: view.drawn > 0)
    assert server.view("b", ids[2]).state.active
    server.forget("a")
    assert server.view("b", ids[1]) is None
    wait(server, ids[2], lambda view: view.state is JobState.RUNNING, "b")
    server.forget("b")
    wait_until(lambda: server.load == (0, 0), "an idle server")


def test_more_draws_than_the_server_gives_are_refused(server):
    with pytest.raises(AcesError, match="at most 100,000"):
        server.submit("a", task(replace(PLAN, n=100_001)))


def test_a_waiting_job_is_cancelled_at_once(server):
    server.submit("a", task(LONG))
    second = server.submit("b", task())
    server.end("a", second, JobState.CANCELLED)
    assert server.view("b", second).state is JobState.CANCELLED


def test_the_time_limit_ends_a_job_with_what_was_drawn():
    server = Server(Limits(seconds=1))
    try:
        server.limits = replace(server.limits, seconds=0)  # as if it had passed
        view = wait(server, server.submit("a", task(LONG)), ended)
    finally:
        server.close()
    assert view.state is JobState.STOPPED
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
    assert wait(server, server.submit("a", task()), ended).state is JobState.DONE  # the left one was cancelled


def test_what_the_last_session_releases_goes_unless_it_is_active(server):
    id = server.submit("a", task(LONG))
    server.release("a", id)
    assert server.view("a", id).state.active
    server.end("a", id, JobState.STOPPED)
    wait(server, id, ended)
    server.view("b", id)
    server.release("a", id)
    server.release("a", id)
    assert server.load[0] == 1
    server.release("b", id)
    assert server.view("b", id) is None


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
    wait_until(lambda: server.load == (0, 0), "an idle server")


def test_the_rate_is_probed_once(server):
    spec = task().pair
    found = rate(server, spec)
    assert found > 0
    assert server.rate(spec, 0.5) == found


def test_networks_that_cannot_be_loaded_are_said(server):
    gone = replace(task().pair, certify=Path("gone.safetensors"))
    assert "no checkpoint at gone.safetensors" in rate(server, gone)
    view = wait(server, server.submit("a", replace(task(), pair=gone)), ended)
    assert view.state is JobState.FAILED
    assert "no checkpoint" in view.message


def test_a_worker_that_dies_fails_its_job_and_the_next_one_runs(server):
    id = server.submit("a", task(LONG))
    wait(server, id, lambda view: view.drawn > 0)
    server.worker.process.kill()
    view = wait(server, id, ended)
    assert view.state is JobState.FAILED
    assert "ended unexpectedly" in view.message
    assert wait(server, server.submit("a", task()), ended).state is JobState.DONE


QUEUE = "app.services.certify_queue"


class FaultyError(Exception):
    """What nobody foresaw."""


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [FaultyError("once"), MemoryError("no room"), ValueError("odd"), AssertionError()])
@pytest.mark.parametrize(
    "place",
    [
        "engine.single_image.evidence.Evidence.with_draws",
        f"{QUEUE}.Certification.certificate",
        "engine.single_image.evidence.Evidence.answer",
    ],
)
def test_whatever_happens_to_a_job_is_its_failure_and_the_next_one_runs(server, monkeypatch, place, error):
    with monkeypatch.context() as broken:
        broken.setattr(place, failing(error))
        view = wait(server, server.submit("a", task()), ended)
    assert (view.state, view.found) == (JobState.FAILED, None)
    assert f"failed unexpectedly ({type(error).__name__}" in view.message
    assert wait(server, server.submit("a", task()), ended).state is JobState.DONE


def test_whatever_happens_to_an_attack_is_its_failure(server, monkeypatch):
    id = server.submit("a", task())
    wait(server, id, ended)
    with monkeypatch.context() as broken:
        broken.setattr(f"{QUEUE}.Server._hear", failing(FaultyError("once")))
        server.try_to_break("a", id, 7, 0.5)
        view = wait(server, id, lambda view: not view.attempt.active)
    assert "FaultyError: once" in view.attempt.message
    server.try_to_break("a", id, 7, 0.5)
    assert wait(server, id, lambda view: not view.attempt.active).attempt.attack is not None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit(1)", "ended unexpectedly"),
        ("pipe.send_bytes(b'no pickle')", "failed unexpectedly"),
        ("pipe.send_bytes(b'')", "ended unexpectedly"),
        ("import os; os.write(pipe.fileno(), b'\\0\\0')", "ended unexpectedly"),  # half a length, and gone
        ("pipe.recv(); import os; os.kill(os.getpid(), 9)", "ended unexpectedly"),
        ("pipe.recv(); pipe.send(('a', 'tuple')); pipe.send(7)", "ended unexpectedly"),
        ("import time; pipe.recv(); time.sleep(60)", "said nothing for 3 s"),
        ("import time, signal, os; pipe.recv(); os.kill(os.getpid(), signal.SIGSTOP)", "said nothing for 3 s"),
    ],
)
def test_however_a_worker_goes_wrong_its_job_fails_and_the_next_one_runs(monkeypatch, code, message):
    server = Server(Limits())
    server.worker.patience = 3.0
    head = "import sys; from multiprocessing.connection import Connection; pipe = Connection(int(sys.argv[1])); "
    try:
        with monkeypatch.context() as broken:
            broken.setattr(f"{QUEUE}.processes.command", lambda _, fd: [sys.executable, "-c", head + code, fd])
            view = wait(server, server.submit("a", task()), ended)
        assert (view.state, message in view.message) == (JobState.FAILED, True), view.message
        server.worker.patience = 60.0
        assert wait(server, server.submit("a", task()), ended).state is JobState.DONE
    finally:
        server.close()


def test_replies_that_nobody_read_are_not_taken_for_those_of_the_next_job(server, monkeypatch):
    """The worker goes on sending draws of the first image; none of them may count for the second."""
    with monkeypatch.context() as broken:
        broken.setattr(f"{QUEUE}.Certification.with_draws", failing(FaultyError("once")))
        wait(server, server.submit("a", task(LONG)), ended)
    mine = task(image=4)
    view = wait(server, server.submit("a", mine), ended)
    alone = Server(Limits())
    try:
        monkeypatch.setattr("engine.single_image.case.fresh_seed", lambda: view.found.case.seed)
        again = wait(alone, alone.submit("a", mine), ended)
    finally:
        alone.close()
    assert view.drawn == 2_600
    np.testing.assert_array_equal(view.found.evidence.estimate.scores, again.found.evidence.estimate.scores)


def test_a_worker_that_cannot_understand_ends_instead_of_going_deaf():
    worker = WorkerProcess()
    try:
        worker.connect().send_bytes(b"no pickle")
        assert worker.process.wait(timeout=60) == 1
    finally:
        worker.close()


def test_what_was_wrong_with_networks_is_asked_again_by_the_next_job(server, tmp_path):
    mine = task()
    late = tmp_path / "late.safetensors"
    pair = replace(mine.pair, certify=late)
    wait(server, server.submit("a", replace(mine, pair=pair)), ended)
    assert "no checkpoint" in rate(server, pair)
    for suffix in (".safetensors", ".json"):
        late.with_suffix(suffix).write_bytes(mine.pair.certify.with_suffix(suffix).read_bytes())
    assert wait(server, server.submit("a", replace(mine, pair=pair)), ended).state is JobState.DONE
    assert rate(server, pair) > 0


def test_an_answer_can_be_attacked_when_it_stands(server):
    id = server.submit("a", task())
    server.try_to_break("a", id, 7, 0.5)
    assert server.view("a", id).attempt is None  # not before
    view = wait(server, id, ended)
    answer = int(view.found.evidence.answer(PLAN).prediction()[0, 0])
    server.try_to_break("a", id, answer, 0.5)
    view = wait(server, id, lambda view: view.attempt is not None and not view.attempt.active)
    assert view.attempt.attack.norm <= 0.5 + 1e-5
    assert view.attempt.attack.held


def test_an_attack_takes_the_place_of_a_job(server):
    first, second = server.submit("a", task()), server.submit("b", task())
    for id, session in ((first, "a"), (second, "b")):
        wait(server, id, ended, session)
    server.submit("a", task(LONG))
    with pytest.raises(AcesError, match="one job at a time"):
        server.try_to_break("a", first, 7, 0.5)
    server.try_to_break("b", second, 7, 0.5)
    assert server.view("b", second).attempt.active
    with pytest.raises(AcesError, match="one job at a time"):
        server.submit("b", task())
    with pytest.raises(AcesError, match="2 jobs are waiting"):
        server.submit("c", task())
    server.forget("b")
    assert server.load[1] == 1  # an attack for which nobody waits is not made


def test_an_attack_has_a_time_limit():
    server = Server(Limits(attack_seconds=0))
    try:
        id = server.submit("a", task())
        wait(server, id, ended)
        server.try_to_break("a", id, 7, 0.5)
        view = wait(server, id, lambda view: not view.attempt.active)
        assert "said nothing for 0 s" in view.attempt.message
        assert wait(server, server.submit("a", task()), ended).state is JobState.DONE
    finally:
        server.close()


def test_on_a_public_server_a_job_belongs_to_the_session_that_began_it(server, monkeypatch):
    monkeypatch.setenv("ACES_PUBLIC", "1")
    id = server.submit("a", task(LONG))
    assert server.view("a", id).yours
    assert not server.view("b", id).yours
    server.end("b", id, JobState.CANCELLED)
    server.cancel("b", [id])
    assert server.view("b", id).state.active
    server.leave("a")  # as before a reload: who comes next takes over
    assert server.view("c", id).yours
    assert not server.view("b", id).yours
    server.end("c", id, JobState.STOPPED)
    wait(server, id, ended)
    server.try_to_break("b", id, 7, 0.5)
    assert server.view("b", id).attempt is None


def test_the_server_of_its_owner_lets_every_session_of_it_end_a_job(server):
    id = server.submit("a", task(LONG))
    assert server.view("b", id).yours
    server.end("b", id, JobState.CANCELLED)
    wait(server, id, ended)


def test_no_more_rates_wait_than_jobs_may(server):
    server.submit("a", task(LONG))
    pairs = [replace(task().pair, certify=Path(f"gone-{k}.safetensors")) for k in range(9)]
    for pair in pairs:
        server.rate(pair, 0.5)
    assert server.load[1] == 1 + server.limits.jobs


def test_asking_for_jobs_loads_no_torch():
    code = "import sys, app.services.certify_queue, engine.single_image.certificate; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", 5000 * "9"])
def test_limits_come_from_the_environment_and_must_be_positive(monkeypatch, value):
    monkeypatch.setenv("ACES_MAX_N", "5000")
    assert Limits.from_environment() == Limits(n=5_000)
    monkeypatch.setenv("ACES_MAX_JOBS", value)
    with pytest.raises(AcesError, match="ACES_MAX_JOBS"):
        Limits.from_environment()
