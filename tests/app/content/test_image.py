from __future__ import annotations

import re

from engine.records.compose import compose
from tests import synthetic
from tests.app_pages import IMAGES, IMAGES_PAGE, is_undecided, said, specs, tiles


def test_an_image_opens_with_its_figures_bounds_and_formulas(open_page):
    page = open_page(IMAGES_PAGE, theta="0.3", image="40")
    assert len(specs(page)) == 4
    assert {"p_S", "p_A", "Radius of selection", "Radius of class"} <= set(tiles(page))
    assert "LCB" in page.latex[1].value
    assert any(markdown.value.startswith("**Bound the class.**") for markdown in page.markdown)


def test_the_radius_is_the_headline_where_there_is_one(open_page):
    table = open_page(IMAGES_PAGE, theta="0.3", view="Table").dataframe[0].value
    for outcome, starts in (("certified", "Certified radius "), ("core", "No certificate: ")):
        row = table[table["outcome"] == outcome].iloc[0]
        said = open_page(IMAGES_PAGE, theta="0.3", image=str(row["index"])).header[0].value
        assert said.startswith(starts)
        assert (said == f"Certified radius {row['radius']:.4f}") == (outcome == "certified")


def test_an_undecided_selection_is_said_and_no_votes_invented(open_page):
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    between = ((k, index) for k in range(100) for index in c.index.tolist())
    k, index = next((k, i) for k, i in between if is_undecided(c, i, k / 100 + 0.005))
    query = {"theta": f"{k / 100 + 0.005:.3f}", "correction": "simultaneous", "image": str(index)}
    page = open_page(IMAGES_PAGE, sigma="0.25", **query)
    assert tiles(page)["p_S"] == "undecided"
    text = said(page)
    assert f"**The selection is undecided.** θ {query['theta']} lies between {k / 100:g} and {(k + 1) / 100:g}" in text
    assert not re.search(r"\b0 of", text)


def test_an_image_that_is_not_there_is_an_error_in_place(open_page):
    page = open_page(IMAGES_PAGE, image="41")
    assert ["image 41 is not among" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 1
