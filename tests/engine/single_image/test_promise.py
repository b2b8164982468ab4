from __future__ import annotations

import dataclasses

import pytest

from engine.single_image.promise import PROMISE, PROMISE_NOTHING, confidences, known_classes, promise_of_predict
from tests.engine.single_image.issued_toy import CHAIN, HANDED_ON, KINDS, PLAN, VOTES, chained, made


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (
            "certified",
            "the system answers, here and anywhere within the radius, except with probability at most 0.01",
        ),
        ("core", "its smoothed selection surely chooses the core network, except with probability at most 0.01"),
        ("consensus", "whichever of its networks is selected, except with probability at most 0.01"),
        ("abstain", "Nothing is promised"),
    ],
)
def test_the_promise_says_what_alpha_is_of_and_that_nobody_says_whether_it_is_right(kind, said):
    certificate = made(dataclasses.replace(PLAN, alpha=0.01), **KINDS[kind])
    assert said in certificate.promise
    assert "wrong with probability" not in certificate.statement + certificate.promise
    if kind != "abstain":
        assert "whether the answer is right is not said" in certificate.promise
        assert certificate.promise.endswith("one of the classes that the networks know: dark, grey, bright.")
    if kind == "certified":
        assert certificate.promise.startswith(PROMISE.format(alpha="0.01"))


def test_of_many_classes_some_are_named():
    assert known_classes(tuple(f"c{i}" for i in range(1_000))).endswith("c18, c19 and 980 more.")


def test_a_chain_says_which_stage_answers_and_that_all_of_them_hand_on():
    second = chained(CHAIN, {}, {}, low=0.6)
    assert second.statement.startswith("Certified dark by stage 2 of 3: no change of the image with ℓ2 norm below 0.")
    assert second.promise.startswith(PROMISE.format(alpha="0.001"))
    core = chained(CHAIN, {"low": 0.6}, {"p": (0.4, 0.3, 0.3)}, **HANDED_ON)
    assert core.statement == "Answered bright by the core network behind 3 stages that hand it on, without a radius."
    assert "each of its 3 stages surely hands it on, the last one to the core network" in core.promise
    votes = made(VOTES)
    assert votes.statement.startswith("Certified dark: no change")


def test_what_predict_answers_is_no_promise_about_the_label_nor_about_other_images():
    said = promise_of_predict(True, 0.01, ("dark", "grey"))
    assert "except with probability at most 0.01 over the draws" in said
    assert "nothing is said of images that differ" in said
    assert said.endswith(
        "Whatever the image shows, the answer is one of the classes that the networks know: dark, grey."
    )
    assert promise_of_predict(False, 0.01, ("dark", "grey")) == PROMISE_NOTHING


def test_confidences_are_rounded_down_and_no_probability_of_being_right():
    said = confidences("cat", 0.99996, "dog", 1.0)
    assert said.startswith("99.9 % of the noisy draws are for cat; the core network gives dog 100 %. Neither is a prob")
    assert "shows none of their classes" in said
