from __future__ import annotations

import os
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AcesError
from engine.strict_yaml import MOST_BYTES, parse_yaml, read_yaml
from tests import ROOT

BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join(10 * [f'*{before}'])}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{after}: &{after} {{<<: [{','.join(10 * [f'*{before}'])}]}}\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e4", 10_000.0),
        ("1.5E-3", 0.0015),
        (".5", 0.5),
        ("010", 10),
        ("0x10", 16),
        ("0o10", 8),
        ("1_000", 1000),
        ("1:30", "1:30"),
        ("+1", 1),
        ("e4", "e4"),
        ("1.2.3", "1.2.3"),
        ("''", ""),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = parse_yaml(f"a: {text}".encode())["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, c: 2}", "'c' stands twice, on line 2 and on line 2"),
        ("a: 1\n'a': 2", "'a' stands twice"),
        (BOMB, "more than 100,000 values"),
        (MERGES, "more than 100,000 values"),
        ("a: &a [*a]", "line 1: refers to itself"),
        (3000 * "[", "nested too deeply"),
        (3000 * "{a: ", "nested too deeply"),
        (3000 * "- ", "nested too deeply"),
        ("n: !!float x", "could not convert"),
        ("n: !!int x", "invalid literal"),
        ("n: !!bool x", "not YAML"),
        ("n: !!python/object/apply:os.system [ls]", "line 1: could not determine a constructor"),
        ("d: 2024-99-01", "month must be in"),
        ("a: \0", "#x0000"),
        ("n: " + 5000 * "9", "line 1: a number of 5,000 digits"),
        ("n: 0x" + 5000 * "f", "line 1: a number of 5,002 digits"),
        ("a: 1\n---\nb: 2", "line 2: but found another document"),
        ("? [a]\n: 1", "unhashable"),
        ("a: [1", "line 1"),
        ("a: *b", "undefined alias"),
    ],
)
def test_what_cannot_be_understood_is_one_line(text, message):
    with pytest.raises(AcesError, match=message) as caught:
        parse_yaml(text.encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32"])
def test_another_encoding_is_named(encoding):
    with pytest.raises(AcesError, match=r"not UTF-8 \(byte \d+\): save it as UTF-8"):
        parse_yaml("dataset: pets # café".encode(encoding))


def test_a_byte_order_mark_is_passed_over():
    assert parse_yaml(b"\xef\xbb\xbfa: 1") == {"a": 1}


def test_an_alias_and_a_merge_are_written_out():
    assert parse_yaml(b"a: &x {n: 1, m: 2}\nb: {<<: *x, n: 3}")["b"] == {"n": 3, "m": 2}


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    for name, message in (("pipe", "is no file"), ("large", "more than 1 MB"), ("absent", "No such file")):
        with pytest.raises(AcesError, match=rf"{name}\.yaml: .*{message}"):
            read_yaml(tmp_path / f"{name}.yaml")


@given(st.one_of(st.binary(max_size=200), st.text("[]{}&*<:,!-? \n#'\"0e1.x", max_size=80).map(str.encode)))
def test_any_bytes_are_a_value_or_a_line(data):
    try:
        parse_yaml(data)
    except AcesError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text("abc :#-'\"é", max_size=8),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text("abcd", min_size=1, max_size=3), inside, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_yaml_writes_is_read_back(value):
    assert parse_yaml(yaml.safe_dump(value, allow_unicode=True).encode()) == value


def test_yaml_is_read_in_one_place():
    users = [
        str(path.relative_to(ROOT))
        for package in ("engine", "app", "cache", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^\s*(?:import|from) yaml\b", path.read_text(), re.MULTILINE)
    ]
    assert users == ["engine/strict_yaml.py"]
