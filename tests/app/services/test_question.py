"""Which question a result answers, and what the controls say that is another one."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from app.services.question import Asked, Question, differences, readable, slug
from engine.records.meta import NetworkInfo
from engine.single_image.picture import Framing
from engine.single_image.plan import LaterPlan, Plan
from engine.single_image.subject import Subject

CERTIFY, CORE = NetworkInfo("noisy", "a" * 64), NetworkInfo("core", "b" * 64)
NETWORKS = Asked("d", CERTIFY, CORE, "float32")
IMAGE = Subject("f" * 64, "e" * 64, (1, 2, 2), Framing(0.5, 0.5, 0.9))
ASKED = Question(NETWORKS, Plan(0.5, 0.3), IMAGE, "screenshot.png")
OTHER_VALUES = {
    "dataset": "e",
    "certify": NetworkInfo("noisy", "c" * 64),
    "core": NetworkInfo("another"),
    "select": NetworkInfo("chooses"),
    "mechanism": "network",
    "precision": "bfloat16",
    "sigma": 0.25,
    "sigma_select": 0.1,
    "theta": 0.301,
    "n": 5_000,
    "n0": 50,
    "alpha": 0.01,
    "correction": "bonferroni",
    "mode": "fixed-n",
    "smoothing": "uniform",
    "t": 0.3,
    "bound": "margin",
    "split": "half-last",
    "later": (NetworkInfo("behind"),),
    "then": (LaterPlan(0.25, 0.4),),
}
OTHER_VALUES["first"] = 20
BY_VOTES = Question(NETWORKS, Plan(0.5, None, p0=0.7), IMAGE, "screenshot.png")


def test_the_same_question_has_no_differences():
    assert differences(ASKED, replace(ASKED)) == []
    assert differences(ASKED, replace(ASKED, name="renamed.png")) == []  # the same file


@pytest.mark.parametrize(
    ("part", "name"),
    [("asked", f.name) for f in fields(Asked)] + [("plan", f.name) for f in fields(Plan) if f.name != "p0"],
)
def test_every_value_of_networks_and_plan_counts(part, name):
    changed = replace(getattr(ASKED, part), **{name: OTHER_VALUES[name]})
    (said,) = differences(ASKED, replace(ASKED, **{part: changed}))
    assert said.partition(" ")[2]


def test_another_way_to_select_and_another_chain_are_said_once():
    assert differences(ASKED, BY_VOTES) == ["p₀ 0.700"]
    assert differences(BY_VOTES, ASKED) == ["θ 0.300"]
    assert differences(BY_VOTES, replace(BY_VOTES, plan=replace(BY_VOTES.plan, p0=0.8))) == ["p₀ 0.800"]
    later = replace(NETWORKS, later=(NetworkInfo("behind"),))
    chain = Question(later, replace(ASKED.plan, then=(LaterPlan(0.25, 0.4),)), IMAGE, "screenshot.png")
    stage = "if not selected: σ 0.25, θ 0.400, votes t 0.5"
    assert differences(ASKED, chain) == ["then behind", stage]
    assert differences(chain, ASKED) == ["if not selected: the core network"]
    assert {"then behind", stage} <= set(chain.facts)
    assert not any("then" in fact or "p₀" in fact for fact in ASKED.facts)
    assert "p₀ 0.700" in BY_VOTES.facts


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"file_sha256": "0" * 64, "tensor_sha256": "1" * 64}, ["picture cat.jpg"]),
        ({"framing": Framing(0.4, 0.5, 0.9)}, ["another crop"]),
        ({"framing": Framing(0.5, 0.5, 0.9, True), "tensor_sha256": "1" * 64}, ["invert on"]),
        ({"tensor_sha256": "1" * 64}, ["another tensor"]),
    ],
)
def test_every_change_of_the_picture_counts(changes, said):
    assert differences(ASKED, replace(ASKED, image=replace(ASKED.image, **changes), name="cat.jpg")) == said


def test_no_picture_is_another_question_and_says_what_else_differs():
    now = replace(ASKED, image=None, name="", plan=replace(ASKED.plan, theta=0.4))
    assert differences(ASKED, now) == ["no picture", "θ 0.400"]


def test_another_dataset_is_said_once():
    now = replace(
        ASKED,
        asked=replace(NETWORKS, dataset="e"),
        image=replace(ASKED.image, tensor_sha256="1" * 64, shape=(3, 4, 4)),
    )
    assert differences(ASKED, now) == ["dataset e"]


def test_a_selection_network_comes_and_goes_with_its_mechanism_and_noise():
    networks = replace(NETWORKS, select=NetworkInfo("chooses", "d" * 64), mechanism="network")
    by_network = replace(ASKED, asked=networks, plan=replace(ASKED.plan, sigma_select=0.1))
    assert differences(ASKED, by_network) == ["selection network chooses (dddddddd)", "σ of the selection 0.1"]
    assert differences(by_network, ASKED) == ["selected by entropy"]
    another = replace(networks, mechanism="entropy")
    assert differences(by_network, replace(by_network, asked=another)) == ["selected by entropy"]
    assert "selected by" not in " · ".join(by_network.facts)
    assert "selected by entropy" in replace(by_network, asked=another).facts


def test_values_that_differ_do_not_read_alike():
    near = replace(ASKED, plan=replace(ASKED.plan, theta=0.30000001, sigma=0.50000001))
    assert differences(ASKED, near) == ["σ 0.50000001", "θ 0.30000001"]


def test_the_facts_name_what_was_asked():
    facts = " · ".join(ASKED.facts)
    for said in ("dataset d", "noisy (aaaaaaaa)", "core (bbbbbbbb)", "σ 0.5", "θ 0.300", "α 0.001", "n 10,000"):
        assert said in facts
    assert "may-stop-early" in facts
    assert "intersection-union" in facts


@pytest.mark.parametrize("name", ["![x](http://a.b/c)", "x" * 300, "\x1b[31m", "a\nb", "\u202egnp.exe", "", "<b>", "."])
def test_a_hostile_name_is_short_and_can_be_seen(name):
    assert 1 <= len(readable(name)) <= 60
    assert readable(name).isprintable()
    assert 1 <= len(slug(name)) <= 40
    assert slug(name).replace("-", "").isalnum()
