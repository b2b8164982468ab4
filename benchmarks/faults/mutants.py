"""Strategies of hypothesis: valid files, changed as accidents and strangers change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

MOST_CHANGES = 4
LONG = 64  # bytes of what is inserted
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 10**400, 0.5, -0.0, 1e-320, 1e308),
    *(
        "",
        " ",
        "x",
        "0",
        "\x1b[31mred\x07",
        "\u202e",
        "\ud800",
        "../../etc/passwd",
        "/",
        "a\0b",
        "x" * 10_000,
        "é" * 200,
    ),
    *([], {}, [[]], [None], {"": None}, [0] * 300, {"x": {"x": {"x": []}}}),
)
JSON_TOKENS = ("NaN", "-Infinity", "1e999", "1" * 5_000, "-0", "1E5", "[" * 3_000, '"\\ud800"', "\x00", "{", "}", ",")
YAML_TOKENS = (
    *("!!float x", "!!python/object/apply:os.system [id]", "!!binary x", "!!timestamp x", "&a [*a]", "*missing", "<<"),
    *(
        "2026-99-99",
        "1" * 5_000,
        "0x" + "f" * 90,
        ".inf",
        ".nan",
        "1e999",
        "{<<: [1]}",
        "? [a]",
        "|",
        "%",
        "@",
        "\t",
        "\x00",
    ),
    *("[" * 200, "{a: 1, a: 2}", "!!set {a, b}", "!!omap [a: 1]", "!!int 1_0", "4611686018427387904"),
)
CELLS = (
    "",
    " ",
    "-1",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1" * 5_000,
    "0x1",
    "1_0",
    "٣",
    "²",
    "\x1b[31m",
    "x" * 500,
    "1.5",
    "9" * 30,
)
PLACE = "§"  # where a token goes: json.dumps would quote it


@st.composite
def damaged(draw: DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Bytes of a file that were cut, flipped, overwritten, doubled, moved, or came from another file."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        first, second = sorted(draw(st.tuples(st.integers(0, len(data)), st.integers(0, len(data)))))
        match draw(st.integers(0, 6)):
            case 0:
                data = data[:first]
            case 1 if first < len(data):
                data = data[:first] + bytes([data[first] ^ 1 << draw(st.integers(0, 7))]) + data[first + 1 :]
            case 2:
                data = data[:first] + data[second:]
            case 3:
                data = data[:second] + data[first : first + LONG] + data[second:]
            case 4:
                data = data[:first] + draw(st.binary(max_size=LONG)) + data[first:]
            case 5:
                new = draw(st.binary(min_size=1, max_size=8))
                data = data[:first] + new + data[first + len(new) :]
            case _:
                other = draw(st.sampled_from(seeds))
                data = data[:first] + other[draw(st.integers(0, len(other))) :]
    return data


@st.composite
def rewritten(draw: DrawFn, seeds: Sequence[bytes], tokens: Sequence[str] = JSON_TOKENS) -> bytes:
    """JSON of which entries have other values, other types, other names, or stand twice, or that is no JSON there."""
    value = copy.deepcopy(json.loads(draw(st.sampled_from(seeds))))
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        value = draw(_changed(value))
    text = json.dumps(value)
    if draw(st.integers(0, 3)) == 0 and isinstance(value, dict) and value:
        name = json.dumps(draw(st.sampled_from(sorted(value))))
        text = text.replace(f"{name}:", f"{name}: 0, {name}:", 1)
    return text.replace(json.dumps(PLACE), draw(st.sampled_from(tokens))).encode(errors="surrogatepass")


@st.composite
def _changed(draw: DrawFn, value: Any) -> Any:
    """One change, at any depth; the value is changed in place where it can be."""
    holder, at = draw(st.sampled_from(list(_places(value)) or [(None, None)]))
    if holder is None:
        return draw(_other(value))
    match draw(st.integers(0, 6)):
        case 0:
            del holder[at]
        case 1 if isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "x", "version", "__class__", "\x1b[0m", "n" * 300]))] = holder.pop(at)
        case 2 if isinstance(holder, list):
            holder.extend(holder[:200] * draw(st.integers(1, 3)))
        case _:
            holder[at] = draw(_other(value))
    return value


def _other(value: Any) -> SearchStrategy[Any]:
    """A value of any kind, a place for a token, or one from elsewhere in the file."""
    elsewhere = [copy.deepcopy(holder[at]) for holder, at in _places(value)]
    taken = st.sampled_from(elsewhere) if elsewhere else st.none()
    numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    return st.sampled_from(VALUES).map(copy.deepcopy) | st.just(PLACE) | taken | numbers | st.text(max_size=20)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every entry of the lists and objects inside, as the list or object and the index or name; lists not to their end.

    >>> _places({"a": [1]})
    [({'a': [1]}, 'a'), ([1], 0)]
    """
    found: list[tuple[Any, Any]] = []
    entries = value.items() if isinstance(value, dict) else enumerate(value[:30]) if isinstance(value, list) else ()
    for at, part in entries:
        found.append((value, at))
        found += _places(part)
    return found


@st.composite
def tabulated(draw: DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Tab-separated rows of which cells are others, or lines stand twice, are gone, or were swapped."""
    rows = [line.split("\t") for line in draw(st.sampled_from(seeds)).decode().splitlines()]
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        if not rows:
            break
        at, to = draw(st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(rows) - 1)))
        match draw(st.integers(0, 5)):
            case 0:
                del rows[at]
            case 1:
                rows.insert(to, list(rows[at]))
            case 2:
                rows[at], rows[to] = rows[to], rows[at]
            case 3:
                rows[at] = rows[at][: draw(st.integers(0, len(rows[at])))]
            case _ if rows[at]:
                column = draw(st.integers(0, len(rows[at]) - 1))
                other = rows[to][min(column, len(rows[to]) - 1)] if rows[to] else ""
                rows[at][column] = draw(st.sampled_from(CELLS) | st.just(other) | st.text(max_size=8))
    text = "".join("\t".join(row) + "\n" for row in rows)
    return text.encode(errors="surrogatepass")
