"""engine.records.draws: what may be a draw, and the bytes that the store keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import AcesError
from engine.records.draws import Draws, concatenate, from_bytes, to_bytes

some_draws = st.lists(st.tuples(st.integers(0, 65_535), st.floats(0, 1, width=32)), max_size=20).map(
    lambda pairs: draws([c for c, _ in pairs], [s for _, s in pairs])
)


def draws(classes, scores) -> Draws:
    return Draws(np.array(classes, np.uint16), np.array(scores, np.float32))


def pairs(d: Draws) -> list[tuple[int, float]]:
    return list(zip(d.classes.tolist(), d.scores.tolist(), strict=True))


@given(some_draws)
def test_bytes_round_trip(d):
    read = from_bytes(to_bytes(d))
    assert pairs(read) == pairs(d)
    assert to_bytes(read) == to_bytes(d)


def test_bytes_are_k_classes_and_scores_little_endian():
    assert to_bytes(draws([1, 258], [0.0, 1.0])).hex() == "02000000" + "0100" + "0201" + "00000000" + "0000803f"


@pytest.mark.parametrize("data", [b"", b"\x01\x00", b"\x01\x00\x00\x00\x00", to_bytes(draws([1], [0.5])) + b"\x00"])
def test_bytes_of_another_length_are_refused(data):
    with pytest.raises(AcesError, match="bytes are no draws"):
        from_bytes(data)


@given(some_draws, some_draws)
def test_parts_of_a_stream_join_in_order(a, b):
    whole = concatenate([a, b])
    assert pairs(whole) == pairs(a) + pairs(b)
    assert pairs(whole.first(len(a))) == pairs(a)


def test_no_parts_are_no_draws():
    assert len(concatenate([])) == 0


def test_more_draws_than_there_are_is_a_bug():
    with pytest.raises(AssertionError, match="3 of 2 draws"):
        draws([0, 1], [0.1, 0.2]).first(3)


@pytest.mark.parametrize(
    ("classes", "scores", "message"),
    [
        (np.zeros(2, np.int64), np.zeros(2, np.float32), r"classes of draws are int64 \[2\]; expected uint16"),
        (np.zeros(2, np.uint16), np.zeros(2), r"scores of draws are float64 \[2\]; expected float32"),
        (np.zeros((1, 2), np.uint16), np.zeros(2, np.float32), r"classes of draws are uint16 \[1, 2\]"),
        (np.zeros(2, np.uint16), np.zeros(3, np.float32), "2 classes and 3 scores"),
    ],
)
def test_arrays_that_are_no_draws_are_refused(classes, scores, message):
    with pytest.raises(AcesError, match=message):
        Draws(classes, scores)


def test_draws_cannot_be_changed():
    mine = np.zeros(2, np.uint16)
    d = Draws(mine, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="read-only"):
        d.classes[0] = 1
    mine[0] = 1  # the caller's own array stays writeable
