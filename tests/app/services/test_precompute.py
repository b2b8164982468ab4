"""Precomputes in processes of their own: what any browser finds of them, however they end."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.services import precompute
from app.services.precompute import DrawRule, State
from cache import Store
from engine.errors import AcesError
from tests.toy import core_run

PROGRESS = {"event": "progress", "job": "net", "images": 1, "total_images": 4, "draws": 50, "total": 200}
RUN = {"event": "run", "images": 4, "meta": {"name": "net"}}


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts a script in the place of the engine: it says some events, perhaps complains, stays, or ends by a status."""

    def stand_in(*events: object, stays: bool = False, complains: str = "", status: int = 0) -> None:
        code = "import sys, time\n" + "".join(f"print({json.dumps(event)!r}, flush=True)\n" for event in events)
        code += f"sys.stderr.write({complains!r})\n" + ("time.sleep(60)\n" if stays else "") + f"sys.exit({status})"
        monkeypatch.setattr(precompute, "command_for", lambda *_, **__: [sys.executable, "-c", code])

    return stand_in


@pytest.fixture
def made(tmp_path: Path) -> None:
    """The run that the engine would have made."""
    with Store(tmp_path) as store:
        store.put(core_run("net"))


def until(store: Path, wanted: Callable[[precompute.Sampling], bool]) -> precompute.Sampling:
    """The newest precompute, once it is as wanted."""
    for _ in range(400):
        found = precompute.every(store)[0]
        if wanted(found):
            return found
        time.sleep(0.025)
    raise AssertionError(f"still {found}")


def test_a_running_precompute_is_found_with_its_progress_and_cancelled(says, tmp_path):
    says(PROGRESS, stays=True)
    id = precompute.start(tmp_path, Path("a.yaml"), 50)
    found = until(tmp_path, lambda one: bool(one.progress))
    assert (found.id, found.state, found.n, found.share) == (id, State.RUNNING, 50, 0.25)
    with pytest.raises(AcesError, match="sampled already"):
        precompute.start(tmp_path, Path("a.yaml"))
    with pytest.raises(AcesError, match="cancel it first"):
        precompute.dismiss(tmp_path, id)
    precompute.cancel(tmp_path, id)
    assert until(tmp_path, lambda one: one.state is not State.RUNNING).state is State.CANCELLED


def test_no_more_than_two_configs_are_sampled_at_a_time(says, tmp_path):
    says(PROGRESS, stays=True)
    ids = [precompute.start(tmp_path, Path(name)) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(AcesError, match="2 configs are being sampled already"):
        precompute.start(tmp_path, Path("c.yaml"))
    precompute.cancel(tmp_path, ids[1])
    until(tmp_path, lambda one: one.state is not State.RUNNING)
    ids[1] = precompute.start(tmp_path, Path("c.yaml"))
    for id in ids:
        precompute.cancel(tmp_path, id)
    until(tmp_path, lambda one: one.state is not State.RUNNING)


def test_an_estimate_that_takes_too_long_is_ended(says, tmp_path):
    says(PROGRESS, stays=True)
    with pytest.raises(AcesError, match=r"no estimate within 0\.1 s"):
        precompute.plan(tmp_path, Path("a.yaml"), seconds=0.1)


def gone(store: Path) -> precompute.Sampling:
    """The newest precompute, once it has ended and its exit status was noted."""
    newest = next((store / precompute.FOLDER).iterdir())
    until(store, lambda _: (newest / precompute.STATUS).exists())
    return until(store, lambda one: one.state is not State.RUNNING)  # seen after the status was, which decides


def test_a_cancelled_precompute_goes_on_with_the_same_command(says, made, tmp_path):
    says(PROGRESS, stays=True)
    id = precompute.start(tmp_path, Path("a.yaml"), 50)
    precompute.cancel(tmp_path, id)
    until(tmp_path, lambda one: one.state is State.CANCELLED)
    says(PROGRESS | {"draws": 200}, RUN)
    new = precompute.resume(tmp_path, id)
    done = until(tmp_path, lambda one: one.state is State.DONE)
    assert (done.id, done.n, done.runs, done.share) == (new, 50, ("net",), 1.0)
    assert [one.id for one in precompute.every(tmp_path)] == [new]


def test_a_failure_says_its_last_line(says, tmp_path):
    says(complains="a warning\nerror: a.yaml: no checkpoint at b; train it\n", status=2)
    precompute.start(tmp_path, Path("a.yaml"))
    found = gone(tmp_path)
    assert (found.state, found.message) == (State.FAILED, "a.yaml: no checkpoint at b; train it")


def test_a_precompute_that_is_killed_in_silence_is_not_done(says, tmp_path):
    says(PROGRESS, stays=True)
    id = precompute.start(tmp_path, Path("a.yaml"))
    until(tmp_path, lambda one: bool(one.progress))
    os.kill(json.loads((tmp_path / precompute.FOLDER / id / precompute.JOB).read_text())["pid"], signal.SIGKILL)
    found = gone(tmp_path)
    assert (found.state, found.share) == (State.FAILED, 0.25)
    assert "signal 9, SIGKILL (out of memory?)" in found.message


@pytest.mark.parametrize(
    ("events", "status", "message"),
    [
        ((), 0, "before it had made anything"),
        ((PROGRESS | {"draws": 200},), 0, "before it had made anything"),
        ((), 1, "ended with status 1"),
        ((RUN,), 3, "ended with status 3"),
        ((RUN, RUN | {"meta": {"name": "other"}}), 0, "not in the store: other"),
    ],
)
def test_only_a_good_end_and_runs_that_are_there_count_as_done(says, made, tmp_path, events, status, message):
    says(*events, status=status)
    precompute.start(tmp_path, Path("a.yaml"))
    found = gone(tmp_path)
    assert (found.state, found.share == 1) == (State.FAILED, bool(events) and events[0].get("draws") == 200)
    assert message in found.message


def test_a_precompute_that_outlived_its_server_is_judged_by_what_it_left(says, made, tmp_path):
    says(RUN)
    id = precompute.start(tmp_path, Path("a.yaml"))
    assert gone(tmp_path).state is State.DONE
    (tmp_path / precompute.FOLDER / id / precompute.STATUS).unlink()  # nobody saw it end
    assert precompute.every(tmp_path)[0].state is State.DONE
    with Store(tmp_path) as store:
        store.remove("net")
    assert precompute.every(tmp_path)[0].state is State.FAILED
    (tmp_path / precompute.FOLDER / id / precompute.SAID).write_text("")
    assert precompute.every(tmp_path)[0].state is State.FAILED


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"pid": 1}', 20_000 * "["),
        '{"pid": "x", "born": 1, "config": "a", "n": 1}',
        '{"pid": 1, "born": 1, "config": "a", "n": "all"}',
        '{"pid": 1, "born": 1, "config": "a", "n": 1e400}',
    ],
)
def test_a_damaged_folder_is_said_and_can_be_dismissed(says, tmp_path, text):
    says(RUN)
    id = precompute.start(tmp_path, Path("a.yaml"))
    gone(tmp_path)
    (tmp_path / precompute.FOLDER / id / precompute.JOB).write_text(text)
    (found,) = precompute.every(tmp_path)
    assert (found.state, "is damaged" in found.message) == (State.FAILED, True)
    for action in (precompute.resume, precompute.cancel):
        with pytest.raises(AcesError, match="is damaged"):
            action(tmp_path, id)
    precompute.dismiss(tmp_path, id)
    assert precompute.every(tmp_path) == []


@pytest.mark.parametrize("value", [None, "x", -1, [], float("inf"), float("nan"), 10**30])
@pytest.mark.parametrize("entry", ["images", "total_images", "draws", "total", "draws_per_second", "seconds_left"])
def test_what_was_said_in_numbers_that_are_none_is_passed_over(says, tmp_path, entry, value):
    says(PROGRESS, PROGRESS | {entry: value, "job": "odd"}, status=1)
    precompute.start(tmp_path, Path("a.yaml"))
    is_left_out = value is None and entry in precompute.TIMED  # nothing to say of the time is no fault
    assert gone(tmp_path).progress["job"] == ("odd" if is_left_out else "net")


@pytest.mark.parametrize("event", [{"event": "progress"}, {"event": "run"}, RUN | {"meta": None}, RUN | {"meta": {}}])
def test_events_that_lack_something_are_passed_over(says, tmp_path, event):
    says(PROGRESS, event, status=1)
    precompute.start(tmp_path, Path("a.yaml"))
    found = gone(tmp_path)
    assert (found.state, found.progress, found.runs) == (State.FAILED, PROGRESS, ())


def test_where_nothing_can_be_started_one_sentence_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AcesError, match="no precompute can be started"):
        precompute.start(tmp_path / "file", Path("a.yaml"))


@pytest.mark.parametrize("says_so", ["", "no json", '{"event": "progress"}'])
def test_an_estimate_that_says_nothing_is_none(says, tmp_path, says_so, monkeypatch):
    monkeypatch.setattr(precompute, "command_for", lambda *_, **__: [sys.executable, "-c", f"print({says_so!r})"])
    with pytest.raises(AcesError, match="ended before it had made anything"):
        precompute.plan(tmp_path, Path("a.yaml"))


def test_an_estimate_that_is_killed_is_said(tmp_path, monkeypatch):
    code = "import os; os.kill(os.getpid(), 9)"
    monkeypatch.setattr(precompute, "command_for", lambda *_, **__: [sys.executable, "-c", code])
    with pytest.raises(AcesError, match="signal 9, SIGKILL"):
        precompute.plan(tmp_path, Path("a.yaml"))


def test_what_is_dismissed_is_gone(says, made, tmp_path):
    says(RUN)
    id = precompute.start(tmp_path, Path("a.yaml"))
    until(tmp_path, lambda one: one.state is State.DONE)
    precompute.dismiss(tmp_path, id)
    assert precompute.every(tmp_path) == []
    with pytest.raises(AcesError, match="gone"):
        precompute.cancel(tmp_path, id)


def test_a_process_number_that_was_given_again_is_no_running_precompute(says, tmp_path):
    says(PROGRESS, stays=True)
    id = precompute.start(tmp_path, Path("a.yaml"))
    path = tmp_path / precompute.FOLDER / id / precompute.JOB
    job = json.loads(path.read_text())
    path.write_text(json.dumps(job | {"born": job["born"] - 1}))
    assert precompute.every(tmp_path)[0].state is not State.RUNNING
    path.write_text(json.dumps(job))
    precompute.cancel(tmp_path, id)


FORECASTS = [
    {"event": "forecast", "rule": "n = 100 for every image", "draws": 400, "seconds": 4.0, "kept": 1.0},
    {"event": "forecast", "rule": "lose 1 %", "draws": 200, "seconds": 2.0, "kept": 0.992},
    {"event": "forecast", "rule": "decide r 0.25", "draws": 40, "seconds": 0.4, "kept": None},
    {"event": "forecast", "rule": "n = 100 for every image", "draws": 600, "seconds": 6.0, "kept": 1.0},
    {"event": "forecast", "rule": "lose 1 %", "draws": 100, "seconds": 1.0, "kept": 0.99},
    {"event": "forecast", "rule": "decide r 0.25", "draws": 60, "seconds": 0.6, "kept": None},
]


def test_budgets_are_compared_by_what_all_runs_would_take(says, tmp_path):
    says(PROGRESS, *FORECASTS)
    precompute.start(tmp_path, Path("a.yaml"), None, DrawRule(decide="r=0.25"), compares=True)
    found = gone(tmp_path)
    assert (found.state, found.compares, found.rule) == (State.DONE, True, DrawRule(decide="r=0.25"))
    everything, budget, question = found.forecasts
    assert (everything.draws, everything.full, everything.seconds) == (1000, 1000, 10.0)
    assert (budget.draws, budget.full, budget.kept) == (300, 1000, 0.99)
    assert (question.draws, question.kept) == (100, None)


def test_a_comparison_that_fails_is_said_and_one_of_nothing_is_done(says, tmp_path):
    says(complains="error: no checkpoint at x\n", status=2)
    precompute.start(tmp_path, Path("a.yaml"), compares=True)
    found = gone(tmp_path)
    assert (found.state, found.message, found.forecasts) == (State.FAILED, "no checkpoint at x", ())
    says()
    precompute.start(tmp_path, Path("b.yaml"), compares=True)
    assert gone(tmp_path).state is State.DONE


@pytest.mark.parametrize(
    "wrong", [{"draws": "many"}, {"seconds": -1}, {"kept": "all"}, {"rule": None}, {"draws": float("nan")}], ids=str
)
def test_a_forecast_that_is_none_is_passed_over(says, tmp_path, wrong):
    says(FORECASTS[0], FORECASTS[1] | wrong)
    precompute.start(tmp_path, Path("a.yaml"), compares=True)
    assert [one.rule for one in gone(tmp_path).forecasts] == ["n = 100 for every image"]


@pytest.mark.parametrize("rule", [5, {"lose": 1}, {"what": "1%"}, [1]], ids=str)
def test_a_rule_that_is_none_is_a_damaged_folder(says, tmp_path, rule):
    says()
    id = precompute.start(tmp_path, Path("a.yaml"))
    job = tmp_path / precompute.FOLDER / id / precompute.JOB
    job.write_text(json.dumps(json.loads(job.read_text()) | {"rule": rule}))
    found = until(tmp_path, lambda one: one.state is State.FAILED)
    assert "is damaged" in found.message


def test_the_rule_goes_on_with_its_precompute(says, made, tmp_path):
    says(PROGRESS, stays=True)
    id = precompute.start(tmp_path, Path("a.yaml"), 50, DrawRule(lose="1%", theta="0.3"))
    precompute.cancel(tmp_path, id)
    until(tmp_path, lambda one: one.state is State.CANCELLED)
    says(PROGRESS | {"draws": 200, "saved": 70}, RUN)
    precompute.resume(tmp_path, id)
    done = until(tmp_path, lambda one: one.state is State.DONE)
    assert (done.rule, done.progress["saved"]) == (DrawRule(lose="1%", theta="0.3"), 70)


@pytest.mark.parametrize(
    ("rule", "options", "words"),
    [
        (DrawRule(), [], ""),
        (DrawRule(lose="5%", theta="0.2:0.4"), ["--lose", "5%", "--theta", "0.2:0.4"], "lose 5% at θ 0.2:0.4"),
        (DrawRule(decide="r=0.25,0.5"), ["--decide", "r=0.25,0.5"], "decide r=0.25,0.5"),
    ],
)
def test_a_rule_is_said_to_the_command_and_to_readers(tmp_path, rule, options, words):
    command = precompute.command_for(tmp_path, Path("a.yaml"), 50, rule)
    assert command[-len(options) or len(command) :] == options
    assert str(rule) == words
    assert "plan" in precompute.command_for(tmp_path, Path("a.yaml"), 50, rule, compares=True)


def test_the_command_is_the_engines_and_names_the_store(tmp_path):
    command = precompute.command_for(tmp_path, Path("a.yaml"), 7)
    assert command[1:4] == ["-m", "engine", "precompute"]
    assert command[4:] == ["a.yaml", "--progress", "json", "--cache", str(tmp_path), "--n", "7"]
