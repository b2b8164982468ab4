from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app import data
from cache import Notes, Store
from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import IMAGES, captions, other_copy, specs, turn


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


# --- collections -------------------------------------------------------------------------------------------------


@pytest.fixture
def two_studies(demo):
    """Beside the demo, a paper's run of the same training and σ, with a core network of its own."""
    theirs = synthetic.smoothed(0.25, IMAGES)
    with Store() as store:
        store.put(replace(theirs, meta=replace(theirs.meta, name="their-025")))
        store.put(synthetic.core(IMAGES, name="their-core"))
        Notes(store.runs).change(["their-025", "their-core"], collection="A paper")
    data.look_again()


def escaped(text: str) -> str:
    """A text as a figure's JSON has it."""
    return json.dumps(text)[1:-1]


def test_sliders_stay_in_one_collection_and_another_is_laid_beside_it(two_studies, open_page):
    page = open_page()
    assert page.selectbox(key="collection").options == ["demo", "A paper"]
    assert page.select_slider(key="sigma").options == ["0.25", "0.5", "1"]
    assert "their-core" not in page.selectbox(key="core").options
    page.multiselect(key="with_collection").set_value(["A paper"]).run()
    assert not page.exception
    assert any(escaped("A paper · σ 0.25") in one for one in specs(page))
    page.selectbox(key="collection").set_value("A paper").run()
    assert not page.exception
    assert page.select_slider(key="sigma").options == ["0.25"]
    assert page.selectbox(key="core").options == ["their-core"]


def test_an_address_from_before_there_were_collections_finds_its_run(two_studies, open_page):
    page = open_page(training="gaussian", sigma="0.25 (their-025)", core="their-core")
    assert page.selectbox(key="collection").value == "A paper"
    assert page.select_slider(key="sigma").value == "0.25"
    assert "Not understood" not in captions(page)
    assert "Not what was asked" not in captions(page)
    page = open_page(core="their-core")
    assert page.selectbox(key="collection").value == "A paper"
    page = open_page(collection="nowhere")
    assert page.selectbox(key="collection").value == "demo"
    assert "collection nowhere is not in this catalog" in captions(page)


def test_a_label_stands_in_the_sidebar_and_in_legends_as_text(two_studies, open_page):
    Notes.at(data.store()).change(["fashion_mnist-gaussian-0.25"], label="<b>My</b>")
    data.look_again()
    page = open_page()
    assert any(escaped("&lt;b&gt;My&lt;/b&gt; · σ 0.25") in one for one in specs(page))
    assert "<b>My" not in "".join(specs(page))
