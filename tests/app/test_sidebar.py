from __future__ import annotations

from dataclasses import replace

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
    assert open_page().selectbox(key="select").options == ["entropy", own.meta.name]


def test_a_typed_alpha_lies_between_the_stops(open_page):
    page = open_page()
    turn(page, "alpha", 0.003).run()
    assert "α 0.003" in captions(page)
    assert "α 0.07," in captions(open_page(alpha="0.07"))
