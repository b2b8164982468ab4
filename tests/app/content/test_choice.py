"""Choosing after looking: what the pages say of it, and what they offer."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from app.widgets import panels
from app.widgets.notices import NAC_IS_NOT
from cache import Catalog
from engine.folders import DEMO
from engine.statistics.deployment import SPLITS
from tests import ROOT

DATASET = {"dataset": "fashion_mnist", "training": "gaussian"}
MANY = DATASET | {"with_training": ["gaussian", "consistency"]}
LINE = re.compile(
    r"NAC ([\d.]+) % \[([\d.]+), ([\d.]+)\], (ACR|certified at r [\d.]+) ([\d.]+)( %)? \[([\d.]+), ([\d.]+)\]"
)


def said(page) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption))


def answers(page) -> list[tuple[float, ...]]:
    """NAC with its interval, robustness with its: on these images, then what is expected of others."""
    found = [LINE.search(element.value) for element in page.markdown if "NAC" in element.value]
    return [tuple(float(match[k]) for k in (1, 2, 3, 5, 7, 8)) for match in found if match]


@pytest.mark.parametrize("measure", ["ACR", "certified accuracy at r"])
def test_deploy_says_what_to_expect_of_other_images(open_app, measure):
    page = open_app(measure=measure, nac="85", **MANY)
    here, expected = answers(page)
    assert here[0] >= 85
    assert expected[0] < here[0]
    assert expected[3] <= here[3]
    assert expected[1] < expected[0] < expected[2]
    assert expected[2] - expected[1] >= here[2] - here[1]
    about = next(element.help for element in page.markdown if "expected on others" in element.value)
    assert f"{2 * SPLITS} times" in about
    assert ("Expected below the floor of 85 %" in said(page)) == (expected[0] < 85)


def test_a_floor_that_nothing_reaches_expects_nothing(open_app):
    page = open_app(nac="100", **MANY)
    assert "No composition on the figure has a NAC of 100 %" in said(page)
    assert answers(page) == []


@pytest.mark.parametrize("path", ["", "compare"])
def test_compared_compositions_say_what_choosing_costs_and_keep_alpha(open_app, path):
    page = open_app(path, pin="gaussian~0.25~fashion_mnist-core~entropy~0.300", **MANY)
    caption = next(element.value for element in page.caption if "compositions are compared" in element.value)
    count = int(caption.split()[0])
    assert count > 2
    assert f"at most {count} α = {count * 0.001:.3g}" in caption
    assert "seed 0, under the same noise" in caption
    assert "over the sampling" in caption
    assert "wrong" not in caption  # α is no error rate of labels
    page.button("spread_alpha").click().run()
    assert not page.exception
    alpha = page.session_state["alpha"]
    assert 0.9 * 0.001 / count < alpha <= 0.001 / count
    assert any(f"at most {count} α = {count * alpha:.3g}" in element.value for element in page.caption)


def test_a_lone_composition_is_no_choice(open_app):
    page = open_app(noises="only this σ", dataset="fashion_mnist", training="consistency")
    assert "compositions are compared" not in said(page)


@pytest.mark.parametrize(("correction", "times"), [("intersection-union", 0), ("simultaneous", 2)])
def test_nac_is_said_not_to_be_simultaneous_beside_it(open_app, correction, times):
    assert said(open_app(correction=correction, **DATASET)).count(NAC_IS_NOT) == times


def test_the_promise_names_what_is_fixed_beforehand(open_app):
    for correction in ("intersection-union", "bonferroni", "simultaneous"):
        assert re.search(r"networks(, | and )σ", said(open_app(correction=correction, **DATASET)))


def test_core_networks_do_not_count_as_compositions_to_choose_from(open_app):
    only = {"noises": "only this σ", "dataset": "cifar10", "training": "smoothadv"}
    cores = open_app(**only, with_core=["cifar10-core", "cifar10-core-resnet14x2"])
    assert cores.multiselect("with_core").value
    assert "compositions are compared" not in said(cores)


@pytest.mark.parametrize(("seeds", "said"), [((0, 0), "seed 0, under the same"), ((0, 7), ""), ((None, None), "")])
def test_only_runs_of_one_seed_are_said_to_share_their_noise(seeds, said):
    compared = [SimpleNamespace(certify_run=SimpleNamespace(seed=seed)) for seed in seeds]
    assert said in panels.same_noise(compared)
    assert bool(panels.same_noise(compared)) == bool(said)


def test_the_demo_is_said_to_share_one_seed_and_does():
    catalog = Catalog(demo=DEMO)
    assert {run.seed for run in catalog.metas() if run.kind != "core"} == {0}
    assert "Every run of the demo was sampled with seed 0" in (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")


def test_the_control_of_theta_speaks_of_whatever_selects(open_app):
    about = next(one for one in dials(open_app(**DATASET)) if one["key"] == "theta")["about"]
    assert "the selection's score" in about
    assert "its entropy" not in about


def test_images_that_were_picked_are_left_with_their_dataset(open_app):
    page = open_app("images", dataset="fashion_mnist", view="Table", pick="0.20", image="20")
    assert len(page.dataframe[0].value) == 2
    page.selectbox(key="dataset").select("cifar10").run()
    assert not page.exception
    assert (page.session_state["pick"], page.session_state["image"]) == ("", None)
    assert len(page.dataframe[0].value) > 2


def dials(page) -> list[dict]:
    """What the page says to its dials."""
    return [json.loads(one.proto.bytes) for one in page.get("bidi_component") if b'"stops"' in one.proto.bytes]
