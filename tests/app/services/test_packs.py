from __future__ import annotations

import json
import threading

import pytest

from app.services.packs import Packs
from engine.errors import AcesError
from tests.waiting import wait_until


def listed(folder) -> list[str]:
    return json.loads((folder / "index.json").read_text())


def await_listed(folder, *names: str) -> None:
    wait_until(lambda: set(names) <= set(listed(folder)), f"{names} in the index")


def test_what_is_asked_for_is_made_and_listed(tmp_path):
    packs = Packs(tmp_path)
    assert listed(tmp_path) == []
    packs.ask({"a": lambda: b"1", "b": lambda: b"22"})
    await_listed(tmp_path, "a", "b")
    assert (tmp_path / "a").read_bytes() == b"1"
    assert (tmp_path / "b").read_bytes() == b"22"


def test_what_stands_is_not_made_again(tmp_path):
    packs, made = Packs(tmp_path), []
    for content in (b"1", b"2"):
        packs.ask({"a": lambda content=content: made.append(content) or content})
        await_listed(tmp_path, "a")
    packs.ask({"b": lambda: b""})
    await_listed(tmp_path, "b")
    assert made == [b"1"]


def test_the_last_that_were_asked_for_come_first(tmp_path):
    packs, order, go, begun = Packs(tmp_path), [], threading.Event(), threading.Event()
    packs.ask({"waits": lambda: begun.set() or str(go.wait(60)).encode()})
    assert begun.wait(60)  # else it would wait behind the others
    packs.ask({name: lambda name=name: order.append(name) or b"" for name in ("old 1", "old 2")})
    packs.ask({name: lambda name=name: order.append(name) or b"" for name in ("new 1", "new 2", "old 2")})
    go.set()
    await_listed(tmp_path, "old 1", "old 2", "new 1", "new 2")
    assert order == ["new 1", "new 2", "old 2", "old 1"]


def test_what_was_asked_for_first_goes_where_too_much_is_asked_for(tmp_path):
    packs, made, begun, go = Packs(tmp_path, most=2), [], threading.Event(), threading.Event()
    packs.ask({"waits": lambda: begun.set() or str(go.wait(60)).encode()})
    assert begun.wait(60)
    for name in ("first", "second", "third"):
        packs.ask({name: lambda name=name: made.append(name) or b""})
    go.set()
    await_listed(tmp_path, "second", "third")
    assert made == ["third", "second"]


def test_what_nobody_waits_for_any_more_is_not_made(tmp_path):
    packs, made, begun, go = Packs(tmp_path), [], threading.Event(), threading.Event()
    packs.ask({"waits": lambda: begun.set() or str(go.wait(60)).encode()})
    assert begun.wait(60)
    packs.ask({name: lambda name=name: made.append(name) or b"" for name in ("old-1", "old-2", "kept")})
    packs.drop("old")
    go.set()
    await_listed(tmp_path, "waits", "kept")
    packs.ask({"last": lambda: b""})
    await_listed(tmp_path, "last")
    assert made == ["kept"]


@pytest.mark.parametrize("error", [AcesError("a run is gone"), OSError("no space left")])
def test_one_that_cannot_be_made_is_left_out(tmp_path, error):
    def fails() -> bytes:
        raise error

    packs = Packs(tmp_path)
    packs.ask({"bad": fails, "good": lambda: b"1"})
    await_listed(tmp_path, "good")
    assert "bad" not in listed(tmp_path)
    assert not (tmp_path / "bad").exists()


def test_an_unforeseen_failure_does_not_end_the_making_for_ever(tmp_path, monkeypatch):
    failed = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda args: failed.set())
    packs = Packs(tmp_path)
    packs.ask({"bad": lambda: 1 // 0})
    assert failed.wait(60)
    packs.ask({"good": lambda: b"1"})
    await_listed(tmp_path, "good")
    assert listed(tmp_path) == ["good"]


def test_the_oldest_files_go_and_are_listed_no_more(tmp_path):
    packs = Packs(tmp_path, most=2)
    for name in ("a", "b"):
        packs.ask({name: lambda: b""})
        await_listed(tmp_path, name)
    packs.ask({"a": lambda: b""})  # was used: b is the oldest now
    packs.ask({"c": lambda: b""})
    await_listed(tmp_path, "c")
    assert set(listed(tmp_path)) == {"a", "c"}
    wait_until(lambda: not (tmp_path / "b").exists(), "b to go")


def test_a_folder_that_is_gone_is_no_failure(tmp_path, monkeypatch):
    failed, asked = [], threading.Event()
    monkeypatch.setattr(threading, "excepthook", failed.append)
    packs = Packs(tmp_path / "nowhere")
    packs.ask({"a": lambda: b"", "b": lambda: asked.set() or b""})
    assert asked.wait(60)  # the file before it was given up, and the making went on
    assert failed == []
    assert not (tmp_path / "nowhere").exists()
