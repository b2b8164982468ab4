"""cache.notes: labels, collections and what is hidden, beside the runs and never in them."""

from __future__ import annotations

import json

import diskcache
import pytest

from cache import Catalog, Note, Notes, Store
from cache.entries import BytesDisk, note_key, write
from cache.notes import LONGEST_LABEL, display_names
from engine.errors import AcesError
from engine.records.runs import to_bytes
from tests.toy import core_run, smoothed_run


@pytest.fixture
def place(tmp_path):
    with Store(tmp_path / "store") as store:
        store.put(core_run("a"))
        store.put(smoothed_run("b"))
    return tmp_path / "store"


def test_a_note_lies_beside_the_run_and_changes_no_byte_of_it(place):
    before = Store(place).fingerprint("a"), to_bytes(Store(place).get("a"))
    Notes.at(place).change(["a"], label="A label", collection="ours", hidden=True)
    assert Notes.at(place).every() == {"a": Note("A label", "ours", True)}
    assert (Store(place).fingerprint("a"), to_bytes(Store(place).get("a"))) == before
    Notes.at(place).change(["a"], label="", collection="", hidden=False)
    assert Notes.at(place).every() == {}


def test_the_catalog_says_the_collection_of_every_run_and_leaves_hidden_ones_out_of_what_is_shown(place, tmp_path):
    catalog = Catalog(place, tmp_path / "none")
    Notes.at(place).change(["a"], hidden=True)
    listing = catalog.listing()
    assert [meta.name for meta in listing.metas] == ["a", "b"]
    assert [meta.name for meta in listing.shown] == ["b"]
    assert listing.note("b") == Note(collection="own")


def test_looking_creates_nothing(tmp_path):
    assert Notes.at(tmp_path / "store").every() == {}
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "text",
    ["x" * (LONGEST_LABEL + 1), "x" * 10_000, "a\nb", "a\x1b[31m", "a\u202eb", "a\u200bb", "\u2800", 7, None],
    ids=lambda text: repr(text)[:12],
)
def test_a_label_that_is_no_short_visible_line_is_refused_and_nothing_changes(place, text):
    with pytest.raises(AcesError, match=r"a label of .* cannot be kept: expected"):
        Notes.at(place).change(["b", "a"], label=text)
    assert Notes.at(place).every() == {}


def test_markup_is_kept_as_the_text_that_it_is(place):
    Notes.at(place).change(["a"], label="<b>:red[x]</b> $y$")
    assert Catalog(place).listing().note("a").label == "<b>:red[x]</b> $y$"


@pytest.mark.parametrize("payload", [b"\xff", b"[]", b'{"hidden": 1}', b'{"hidden": false, "label": "a\\nb"}', b"["])
def test_a_note_that_is_damaged_or_hostile_is_none(place, payload):
    with diskcache.Cache(str(place / "runs"), disk=BytesDisk) as cache:
        write(cache, note_key("a"), payload)
    assert Notes.at(place).every() == {}
    Notes.at(place).change(["a"], label="good")
    assert Notes.at(place).every() == {"a": Note("good")}


def test_two_equal_labels_and_a_label_that_is_anothers_name_stay_apart():
    notes = {"a": Note("x"), "b": Note("x"), "c": Note("d")}
    called = display_names("abcd", notes)
    assert called == {"a": "x (a)", "b": "x (b)", "c": "d (c)", "d": "d"}
    assert json.loads(json.dumps(called)) == called
