"""cache.views: what is kept of views is a name and an address within the explorer, whatever lies in the store."""

from __future__ import annotations

import json

import diskcache
import pytest

from cache import KeptView, KeptViews, Store, repair
from cache.entries import BytesDisk, view_key, write
from cache.notes import LONGEST_LABEL
from cache.views import LONGEST_QUERY, MOST_VIEWS
from engine.errors import AcesError
from engine.records.runs import to_bytes
from tests.toy import core_run

VIEW = KeptView("trade-off", "theta=0.3&training=gaussian&runs=a~0123456789ab")


@pytest.fixture
def place(tmp_path):
    with Store(tmp_path / "store") as store:
        store.put(core_run("a"))
    return tmp_path / "store"


def put(place, name: str, payload: bytes) -> None:
    with diskcache.Cache(str(place / "runs"), disk=BytesDisk) as cache:
        write(cache, view_key(name), payload)


def test_a_view_is_kept_found_and_removed_and_no_run_changes(place):
    before = to_bytes(Store(place).get("a"))
    KeptViews.at(place).keep("  Wide noise ", VIEW)
    assert KeptViews.at(place).every() == {"Wide noise": VIEW}
    assert VIEW.address == f"trade-off?{VIEW.query}"
    assert to_bytes(Store(place).get("a")) == before
    assert [meta.name for meta in Store(place).metas()] == ["a"]
    KeptViews.at(place).remove("Wide noise")
    KeptViews.at(place).remove("Wide noise")  # somebody else was quicker
    assert KeptViews.at(place).every() == {}


def test_looking_at_views_creates_nothing(tmp_path):
    assert KeptViews.at(tmp_path / "store").every() == {}
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * (LONGEST_LABEL + 1), "a\nb", "a\x1b[31m", "a\u202eb", "\u2800", 7])
def test_a_name_that_is_no_short_visible_line_is_refused(place, name):
    with pytest.raises(AcesError, match="kept"):
        KeptViews.at(place).keep(name, VIEW)
    assert KeptViews.at(place).every() == {}


def test_a_taken_name_is_refused_and_the_same_view_again_is_not(place):
    views = KeptViews.at(place)
    views.keep("a/b", VIEW)
    views.keep("a/b", VIEW)
    with pytest.raises(AcesError, match="'a/b' is kept already"):
        views.keep("a/b", KeptView("images", ""))
    assert views.every() == {"a/b": VIEW}


def test_of_too_many_views_no_more_is_kept(place):
    views = KeptViews.at(place)
    for k in range(MOST_VIEWS):
        views.keep(f"view {k}", VIEW)
    with pytest.raises(AcesError, match="remove one"):
        views.keep("one more", VIEW)
    assert len(views.every()) == MOST_VIEWS


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("https://example.org/", ""),
        ("//example.org", ""),
        ("javascript:alert(1)", ""),
        ("../trade-off", ""),
        ("trade-off/", ""),
        ("trade-off\n", ""),
        ("", "theta=1"),
        ("Trade-off", ""),
        (None, ""),
        ("trade-off", 'a="><script>'),
        ("trade-off", "a=1#b"),
        ("trade-off", "a=1\n"),
        ("trade-off", "a=é"),
        ("trade-off", "a=//example.org"),
        ("trade-off", "a" * (LONGEST_QUERY + 1)),
        ("trade-off", ["a"]),
    ],
)
def test_what_could_lead_elsewhere_is_no_view(place, page, query):
    with pytest.raises(AcesError, match="cannot be kept"):
        KeptView(page, query)
    put(place, "foreign", json.dumps({"page": page, "query": query}).encode())
    assert KeptViews.at(place).every() == {}


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b"null", b"{}", b"[" * 100_000, b'{"page": "images", "query": 1}'])
def test_a_damaged_view_is_passed_over_and_may_be_kept_anew(place, payload):
    KeptViews.at(place).keep("good", VIEW)
    put(place, "bad", payload)
    assert KeptViews.at(place).every() == {"good": VIEW}
    KeptViews.at(place).keep("bad", VIEW)
    assert KeptViews.at(place).every() == {"bad": VIEW, "good": VIEW}


@pytest.mark.parametrize("name", ["", " a", "a\nb", "a\u202eb", "x" * 1000])
def test_a_view_of_a_name_that_nobody_could_give_is_passed_over(place, name):
    put(place, name, json.dumps({"page": "images", "query": ""}).encode())
    assert KeptViews.at(place).every() == {}


def test_a_repair_counts_views_and_keeps_them(place):
    KeptViews.at(place).keep("mine", VIEW)
    assert repair.check(place).other == 1
    assert repair.check(place).is_intact
    with diskcache.Cache(str(place / "runs"), disk=BytesDisk) as cache:
        cache.set(view_key("torn"), b"no checksum")
    assert KeptViews.at(place).every() == {"mine": VIEW}
    (damaged,) = repair.repair(place).damaged
    assert damaged.startswith("view 'torn'")
    assert KeptViews.at(place).every() == {"mine": VIEW}
