"""Precomputes in processes of their own: what any browser finds of them, however they end."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app import sampling
from app.sampling import State
from engine.errors import AcesError

PROGRESS = {"event": "progress", "job": "net", "images": 1, "total_images": 4, "draws": 50, "total": 200}
RUN = {"event": "run", "images": 4, "meta": {"name": "net"}}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a script in the place of the engine: it says some events, perhaps stays, perhaps complains."""

    def stand_in(*events: object, stays: bool = False, complains: str = "") -> None:
        code = "import sys, time\n" + "".join(f"print({json.dumps(event)!r}, flush=True)\n" for event in events)
        code += f"sys.stderr.write({complains!r})\n" + ("time.sleep(60)\n" if stays else "")
        monkeypatch.setattr(sampling, "_command", lambda store, config, n: [sys.executable, "-c", code])

    return stand_in


def until(store: Path, wanted: Callable[[sampling.Sampling], bool]) -> sampling.Sampling:
    """The newest precompute, once it is as wanted."""
    for _ in range(400):
        found = sampling.every(store)[0]
        if wanted(found):
            return found
        time.sleep(0.025)
    raise AssertionError(f"still {found}")


def test_a_running_precompute_is_found_with_its_progress_and_cancelled(says, tmp_path):
    says(PROGRESS, stays=True)
    id = sampling.start(tmp_path, Path("a.yaml"), 50)
    found = until(tmp_path, lambda one: bool(one.progress))
    assert (found.id, found.state, found.n, found.share) == (id, State.RUNNING, 50, 0.25)
    with pytest.raises(AcesError, match="sampled already"):
        sampling.start(tmp_path, Path("a.yaml"))
    with pytest.raises(AcesError, match="cancel it first"):
        sampling.dismiss(tmp_path, id)
    sampling.cancel(tmp_path, id)
    assert until(tmp_path, lambda one: one.state is not State.RUNNING).state is State.CANCELLED


def test_a_cancelled_precompute_goes_on_with_the_same_command(says, tmp_path):
    says(PROGRESS, stays=True)
    id = sampling.start(tmp_path, Path("a.yaml"), 50)
    sampling.cancel(tmp_path, id)
    until(tmp_path, lambda one: one.state is State.CANCELLED)
    says(PROGRESS | {"draws": 200}, RUN)
    new = sampling.resume(tmp_path, id)
    done = until(tmp_path, lambda one: one.state is State.DONE)
    assert (done.id, done.n, done.runs, done.share) == (new, 50, ("net",), 1.0)
    assert [one.id for one in sampling.every(tmp_path)] == [new]


def test_a_failure_says_its_last_line(says, tmp_path):
    says(complains="a warning\na.yaml: no checkpoint at b; train it\n")
    sampling.start(tmp_path, Path("a.yaml"))
    found = until(tmp_path, lambda one: one.state is not State.RUNNING)
    assert (found.state, found.message) == (State.FAILED, "a.yaml: no checkpoint at b; train it")


def test_what_is_dismissed_is_gone(says, tmp_path):
    says(RUN)
    id = sampling.start(tmp_path, Path("a.yaml"))
    until(tmp_path, lambda one: one.state is State.DONE)
    sampling.dismiss(tmp_path, id)
    assert sampling.every(tmp_path) == []
    with pytest.raises(AcesError, match="gone"):
        sampling.cancel(tmp_path, id)


def test_a_process_number_that_was_given_again_is_no_running_precompute(says, tmp_path):
    says(PROGRESS, stays=True)
    id = sampling.start(tmp_path, Path("a.yaml"))
    path = tmp_path / sampling.FOLDER / id / sampling.JOB
    job = json.loads(path.read_text())
    path.write_text(json.dumps(job | {"born": job["born"] - 1}))
    assert sampling.every(tmp_path)[0].state is not State.RUNNING
    path.write_text(json.dumps(job))
    sampling.cancel(tmp_path, id)


def test_the_command_is_the_engines_and_names_the_store(tmp_path):
    command = sampling._command(tmp_path, Path("a.yaml"), 7)
    assert command[1:4] == ["-m", "engine", "precompute"]
    assert command[4:] == ["a.yaml", "--progress", "json", "--cache", str(tmp_path), "--n", "7"]
