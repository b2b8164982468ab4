from __future__ import annotations

from dataclasses import replace

import pytest

from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import IMAGES, captions, other_copy, turn


def test_each_correction_says_what_it_promises(open_page):
    page = open_page()
    for correction in ("bonferroni", "intersection-union", "simultaneous"):
        page.selectbox(key="correction").set_value(correction).run()
        promise = page.sidebar.caption[0].value
        assert ("after looking" in promise) == (correction == "simultaneous")
        assert ("for all θ at once" in captions(page)) == (correction == "simultaneous")


def test_core_networks_that_were_asked_about_other_images_are_not_offered(open_page, demo):
    other_copy(demo)
    page = open_page()
    assert page.selectbox(key="core").options == [synthetic.OTHER_CORE]
    assert not page.error


def test_selection_networks_of_another_copy_are_not_offered(open_page, demo):
    own, other = synthetic.selection(0.25, IMAGES), synthetic.selection(0.5, IMAGES)
    write_run(own, demo / "own.npz")
    write_run(replace(other, meta=replace(other.meta, extra={"images": "another"})), demo / "other.npz")
    assert open_page().selectbox(key="select").options == ["entropy", "votes", own.meta.name]


def test_a_typed_alpha_lies_between_the_stops(open_page):
    page = open_page()
    turn(page, "alpha", 0.003).run()
    assert "α 0.003" in captions(page)
    assert "α 0.07," in captions(open_page(alpha="0.07"))


PAGES = ("trade-off", "certified-accuracy", "selection", "images", "compare")
CHAIN = {"then": "gaussian · 0.5", "theta2": "0.4", "votes2": "0.3"}
A = "gaussian~0.25~fashion_mnist-core~entropy~0.300"


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"select": "votes", "p0": "0.8"}, "Answered where a class has more than p₀ = 0.8 of the votes"),
        (CHAIN, "then gaussian σ 0.5, θ 0.400, t 0.3"),
        ({"then": "gaussian · 0.5", "select2": "votes", "p02": "0.6"}, "then gaussian σ 0.5, p₀ 0.600"),
        ({"select": "votes", **CHAIN}, "p₀ = 0.7 of the votes"),
    ],
)
def test_every_page_shows_votes_that_select_and_chains(open_page, path, asked, said):
    page = open_page(path, image="0", pin=A, sigma="0.25", **asked)
    assert [error.value for error in page.error] == []
    assert said in captions(page)
    assert "Not understood" not in captions(page)
    assert "not in this catalog" not in captions(page)


def test_a_chain_can_be_pinned(open_page):
    pin = "gaussian~0.25~fashion_mnist-core~entropy~fashion_mnist-gaussian-0.5,p0=0.600~0.300"
    page = open_page("compare", pin=pin, sigma="0.25")
    assert "then gaussian σ 0.5, p₀ 0.600" in "".join(m.value for m in page.markdown)
    assert "pinned view" not in captions(page)
    assert "pinned view" in captions(open_page("compare", pin=pin.replace("0.600", "0.400"), sigma="0.25"))


def test_single_pictures_are_certified_with_a_score_that_selects(open_page):
    page = open_page("certify", select="votes", sigma="0.25")
    assert "one stage, in which a score selects" not in captions(page)
    assert "not in this catalog" not in captions(page)
