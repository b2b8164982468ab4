"""Whatever is wrong with a store is a sentence, on the command line and on pages; the demo lives on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults.damage import SCHEMES
from cache.entries import write
from cache.store import Store
from engine import folders
from tests import synthetic
from tests.cache.damage import sql
from tests.toy import core_run

HOSTILE = "a\x1b[31mred\x07\u202e"
Harm = Callable[[Path], None]


def of_bytes(change: Callable[[bytes], bytes]) -> Harm:
    def harm(file: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return harm


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


FILES: dict[str, Harm] = {
    "empty": of_bytes(lambda data: b""),
    "text": of_bytes(lambda data: b"not a database" * 100),
    "cut": of_bytes(lambda data: data[:5_000]),
    "header": of_bytes(lambda data: data[:30] + b"\xff" * 70 + data[100:]),
    "pages of zeros": of_bytes(lambda data: data[:4096] + bytes(len(data) - 4096)),
    "schema of no text": of_bytes(lambda data: data.replace(b"CREATE TABLE", b"CREATE \xff\xfeBLE")),
    "folder": a_folder,
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The database of a store with one run, beside a demo."""
    monkeypatch.setenv("ACES_DEMO", str(synthetic.write_demo(tmp_path / "demo", 20)))
    with Store() as store:
        store.put(core_run("mine"))
        (done,) = sql(store, "runs", "PRAGMA wal_checkpoint(TRUNCATE)")
        assert not done[0]
    return folders.store() / "runs" / "cache.db"


def check_lines(call: Callable[..., tuple[int, str, str]]) -> None:
    """The demo can be listed and tabulated, and what is wrong is told in lines that a terminal obeys nothing of."""
    for words in (("runs",), ("table", "--certify", synthetic.certify_name(0.5), "--core", synthetic.CORE)):
        status, out, said = call(*words)
        assert status == 0
        assert synthetic.certify_name(0.5) in out or words[0] == "table"
        assert (out + said).replace("\n", "").isprintable()
    for words in (("table", "--certify", "mine", "--core", "mine"), ("store", "check")):
        status, out, said = call(*words)
        assert status in (0, 1, 2)
        assert len(said.splitlines()) <= 2
        assert (out + said).replace("\n", "").isprintable()


@pytest.mark.parametrize("harm", FILES)
def test_a_file_that_is_no_database_is_a_sentence_on_the_command_line(file, call, harm):
    FILES[harm](file)
    check_lines(call)


@pytest.mark.parametrize("statement", SCHEMES)
def test_what_somebody_put_into_the_database_is_a_sentence_on_the_command_line(file, call, statement):
    with Store() as store:
        sql(store, "runs", statement.replace("toy-noisy", "mine").replace("toy-core", "mine"))
    check_lines(call)


@pytest.mark.parametrize("harm", ["empty", "text", "header", "pages of zeros", "schema of no text"])
def test_a_file_that_is_no_database_is_a_sentence_on_the_page(file, open_app, harm):
    FILES[harm](file)
    page = open_app("runs")
    said = " ".join(error.value for error in page.error)
    assert harm == "empty" or ("is damaged" in said and "store repair" in said)
    assert synthetic.certify_name(0.5) in set(page.dataframe[0].value["name"])


def test_a_trigger_that_comes_while_a_page_is_open_is_a_sentence_there(file, open_app):
    page = open_app("runs")
    assert "mine" in set(page.dataframe[0].value["name"])
    with Store() as store:
        sql(store, "runs", "CREATE TRIGGER t AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END")
    other = open_app("runs")
    assert not other.exception
    assert synthetic.certify_name(0.5) in set(other.dataframe[0].value["name"])


CARDS = {
    "no JSON": b"\x00\xff",
    "other JSON": b"[5]",
    "deep": b"[" * 100_000,
    "no text": json.dumps({"meta": {"name": HOSTILE}, "sha256": HOSTILE}).encode(),
    "half a letter": b'{"meta": {"name": "\\ud800", "kind": "core"}, "sha256": "\\ud800"}',
}


@pytest.mark.parametrize("card", CARDS)
def test_letters_of_a_card_that_a_terminal_would_obey_do_not_reach_it(file, call, card):
    with Store() as store, store.runs.writing() as held:
        write(held, f"meta/{HOSTILE}", CARDS[card])
    check_lines(call)
    status, _, said = call("runs")
    assert status == 0
    assert "mine" in call("runs")[1]
    assert "damaged" in said
    status, _, _ = call("store", "repair")
    assert status == 0
    assert call("runs")[2] == ""


@pytest.mark.parametrize(
    "head",
    [
        {"name": "\ud800"},
        {"name": HOSTILE},
        {"at": 10**400},
        {"at": "nan"},
        {"at": 1e300},
        {"card": "\ud800"},
        {"note": 5},
        {"name": None},
    ],
    ids=lambda head: next(iter(head)),
)
def test_a_deleted_run_of_a_damaged_card_stays_where_it_is(file, call, head):
    whole = {"name": "gone", "at": 1e9, "card": "{}", "note": {"label": "", "collection": "", "hidden": False}}
    with Store() as store, store.runs.writing() as held:
        write(held, "trash/head/1", json.dumps(whole | head).encode())
        write(held, "trash/run/1", b"no run")
    for words in (("runs", "--deleted"), ("runs", "--restore", "gone"), ("runs",)):
        status, out, said = call(*words)
        assert status in (0, 2)
        assert len(said.splitlines()) <= 2
        assert (out + said).replace("\n", "").isprintable()
    assert "mine" in call("runs")[1]
