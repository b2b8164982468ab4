"""JSON from strangers: what is refused, and where it says so."""

from __future__ import annotations

import pytest

from engine.errors import AcesError
from engine.single_image.strict_json import parse


def test_what_is_plain_is_read():
    assert parse('{"a": [1, 2.5, "ℓ2", null, {"b": true}]}') == {"a": [1, 2.5, "ℓ2", None, {"b": True}]}
    assert parse(b"[]") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "a stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": -Infinity}', "Infinity is no number"),
        ('{"a": 1e999}', "too large a number"),
        ('{"a": ' + 25 * "9" + "}", "25 digits"),
        ('{"a": ' + 5_000 * "9" + "}", "5,000 digits"),
        ('{"a": {"b": ["x", "\\u001b[31m"]}}', "a.b.1: '\\x1b[31m' is not printable"),
        ('{"a": "line\\nbreak"}', "not printable"),
        ('{"a": "\\ud800"}', "not printable"),
        ('{"a": "\\u202edrow"}', "not printable"),
        ('{"\\u001b": 1}', "not printable"),
        ('["' + 6_000 * "x" + '"]', "0: a text of 6,000 letters"),
        (100_000 * "[", "nested too deeply"),
        (100_000 * '{"a":', "nested too deeply"),
        (800 * "[" + 800 * "]", ""),
        ("[" + 60_000 * "[],{}," + "1]", "more than 100,000 lists and objects"),
        ("[" + 600_000 * '"a",' + "1]", "or 500,000 strings"),
        ("{", "invalid JSON"),
        (b"\xff\xfe\x00", "invalid JSON"),
        ("", "invalid JSON"),
    ],
)
def test_what_is_not_is_refused_in_one_printable_line(text, said):
    if not said:
        assert parse(text)  # deep, and still to be followed
        return
    with pytest.raises(AcesError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
