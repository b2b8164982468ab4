"""app.widgets.changes: a word where runs came, changed or went while a page was open."""

from __future__ import annotations

from app.escape import markdown
from app.widgets.changes import sentence


def test_the_sentence_names_what_came_changed_and_went():
    before = {"a": "1", "b": "1", "c": "1"}
    assert sentence(before, {"b": "2", "c": "1", "d": "1"}) == "Added: d. Replaced: b. Removed: a."
    assert sentence(before, dict(before)) == ""
    assert sentence(None, before) == ""  # the first look


def test_many_names_are_counted_and_all_are_text():
    assert sentence({}, dict.fromkeys("abcde", "")) == "Added: a, b, c and 2 more."
    assert sentence({}, {"[x](http://y)": ""}) == f"Added: {markdown('[x](http://y)')}."
    assert len(sentence({}, {"a" * 10_000: ""})) < 100
