from __future__ import annotations

import json

import pytest

from app import catalog
from cache import Notes
from tests.app_pages import captions, specs, turn


def test_each_correction_says_what_it_promises(open_page):
    page = open_page()
    for correction in ("bonferroni", "intersection-union", "simultaneous"):
        page.selectbox(key="correction").set_value(correction).run()
        promise = page.sidebar.caption[0].value
        assert ("after looking" in promise) == (correction == "simultaneous")
        assert ("for all θ at once" in captions(page)) == (correction == "simultaneous")


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


def test_single_pictures_are_certified_with_a_score_that_selects(open_page):
    page = open_page("certify", select="votes", sigma="0.25")
    assert "one stage, in which a score selects" not in captions(page)
    assert "not in this catalog" not in captions(page)


def escaped(text: str) -> str:
    """A text as a figure's JSON has it."""
    return json.dumps(text)[1:-1]


def test_a_label_stands_in_the_sidebar_and_in_legends_as_text(two_studies, open_page):
    Notes.at(catalog.store()).change(["fashion_mnist-gaussian-0.25"], label="<b>My</b>")
    catalog.look_again()
    page = open_page()
    assert any(escaped("&lt;b&gt;My&lt;/b&gt; · σ 0.25") in one for one in specs(page))
    assert "<b>My" not in "".join(specs(page))
