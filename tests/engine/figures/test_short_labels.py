"""Short names and labels: never two alike, and no text that calls a missing number nan, None or inf."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import SEPARATOR, Choice, labels
from engine.figures.short_labels import ELLIPSIS, LENGTH, short_labels, short_names
from engine.records.meta import Meta

LETTERS = st.text("ab-0" + ELLIPSIS, min_size=1, max_size=40)
ALIKE = st.builds("".join, st.tuples(st.just("cifar10-core-"), LETTERS, st.sampled_from(["", "-checkpoint-final"])))


@given(st.lists(LETTERS | ALIKE | st.text(min_size=1, max_size=60), unique=True, max_size=12), st.integers(3, 24))
def test_distinct_names_stay_distinct(names, length):
    short = short_names(names, length)
    assert list(short) == names
    assert len(set(short.values())) == len(names)
    assert all(short[name] == name for name in names if len(name) <= length)
    assert all(len(short[name]) <= len(name) for name in names)


@given(st.lists(st.integers(0, 10**9), unique=True, min_size=1, max_size=30))
def test_names_that_differ_in_a_few_letters_stay_within_the_length(numbers):
    names = [f"imagenet-resnet50-core-{number:09}-of-the-second-sweep-final-checkpoint" for number in numbers]
    assert max(map(len, short_names(names).values())) <= LENGTH


def test_four_core_networks_of_one_family_have_four_legend_names():
    names = [f"cifar10-core-{letter}-checkpoint" for letter in "abcd"]
    assert list(short_names(names).values()) == [f"…ore-{letter}-checkpoi…" for letter in "abcd"]


def test_a_lone_long_name_loses_its_middle():
    assert short_names(["selection_model_gaussian_outputs"]) == {"selection_model_gaussian_outputs": "selection…utputs"}
    assert short_names([]) == {}


def test_a_name_that_is_written_like_a_short_one_keeps_it():
    long = "selection_model_gaussian_outputs"
    short = short_names(["selection…utputs", long])
    assert short["selection…utputs"] == "selection…utputs"
    assert len(set(short.values())) == 2


@given(st.lists(st.tuples(ALIKE, ALIKE), unique=True, max_size=8))
def test_labels_are_shortened_part_by_part_and_stay_distinct(pairs):
    made = [SEPARATOR.join(pair) for pair in pairs]
    assert len(set(short_labels(made).values())) == len(made)


def choice(training: str, core: str) -> Choice:
    certify = Meta("smoothed", "a", "d", 2, sigma=0.5, n0=1, n=1)
    return Choice(training, "0.5", certify, Meta("core", core, "d", 2))


def test_names_that_hold_the_separator_make_no_two_compositions_alike():
    several = [choice("a · σ 0.5", "b"), choice("a", "0.5 · b"), choice("a", "b"), choice("a · σ 0.5 · x", "b")]
    several.append(choice("a", "x"))
    assert len(set(labels(several))) == len(several)
    one, other = (replace(c, noise="1") for c in (choice("a · σ 1 · b", "c"), choice("a", "b · σ 1 · c")))
    assert len(set(labels([one, other]))) == 2


@pytest.mark.parametrize("count", [1, 2])
def test_the_same_composition_twice_has_one_name(count):
    assert labels([choice("a", "b")] * count) == ["σ 0.5"] * count
