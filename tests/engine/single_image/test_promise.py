from __future__ import annotations

import dataclasses

import pytest

from engine.single_image.promise import PROMISE, known_classes
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
