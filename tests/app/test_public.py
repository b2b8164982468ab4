from __future__ import annotations

from pathlib import Path

import pytest

from app import escape
from app.pages import PAGES
from app.public import is_public, without_places
from app.services.limits import PUBLIC, Limits, read_only

MESSAGES = {
    "cannot read '/srv/our runs/cache.db': no such file": "cannot read 'cache.db': no such file",
    "/home/someone/.local/share/aces/store is no folder": "store is no folder",
    "see ~/runs/a.npz, and /tmp/b.npz.": "see a.npz, and b.npz.",
    r"'C:\Users\someone\x.png' is no picture": "'x.png' is no picture",
    "'/' is the whole disk": "'/' is the whole disk",
    "1/2 of the draws, r/√d, n0/n, https://example.org/a": "1/2 of the draws, r/√d, n0/n, https://example.org/a",
    "data/cifar10 is not there": "data/cifar10 is not there",
}


@pytest.mark.parametrize(("said", "shown"), MESSAGES.items())
def test_places_of_this_machine_are_cut_to_their_last_names(said, shown):
    assert without_places(said) == shown


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("yes", True), ("0", False), ("", False)])
def test_a_server_is_public_where_it_says_so(monkeypatch, value, expected):
    monkeypatch.setenv("ACES_PUBLIC", value)
    assert is_public() is expected


def test_strangers_change_nothing_ask_for_less_and_see_no_folder(monkeypatch):
    for name in ("ACES_MAX_N", "ACES_MAX_SECONDS", "ACES_MAX_JOBS", "ACES_MAX_UPLOAD_MB", "ACES_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)
    said = "cannot read '/srv/store/cache.db'"
    monkeypatch.setenv("ACES_PUBLIC", "0")
    assert not read_only()
    assert "/srv" in escape.message(said)
    monkeypatch.setenv("ACES_PUBLIC", "1")
    assert read_only()
    assert "/srv" not in escape.message(said)
    assert Limits.from_environment() == PUBLIC
    assert all(getattr(PUBLIC, name) < getattr(Limits(), name) for name in vars(PUBLIC))
    monkeypatch.setenv("ACES_MAX_N", "50000")
    assert Limits.from_environment().n == 50_000


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_a_public_server_names_a_folder(open_page, monkeypatch, tmp_path, path, damaged):
    store = tmp_path / "store"
    store.mkdir()
    if damaged:
        (store / "cache.db").write_bytes(b"SQLite format 3\0 and nothing more")
    monkeypatch.setenv("ACES_PUBLIC", "1")
    page = open_page(path)
    shown = " ".join(str(element.proto) for element in [*page.main, *page.sidebar])
    assert shown
    assert str(tmp_path) not in shown
    assert str(Path(__file__).parents[2]) not in shown
    assert not [one.label for one in page.button if "Estimate" in one.label or "Start" in one.label]
