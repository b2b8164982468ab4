from __future__ import annotations

import json

from app.components import reminder
from app.widgets.guide import STEPS
from tests.app_pages import IMAGES_PAGE


def buttons(page):
    return {one.key for one in page.button}


def text(page):
    return "\n".join(one.value for one in page.main.markdown)


def scrolled_to(page):
    (said,) = [json.loads(one.proto.bytes) for one in page.get("bidi_component") if b'"scroll"' in one.proto.bytes]
    return said["scroll"]


def test_a_first_visit_is_introduced_and_a_link_is_not(open_page):
    assert "intro_hide" in buttons(open_page())
    assert "intro_hide" not in buttons(open_page(theta="0.4"))
    assert "intro_hide" not in buttons(open_page(IMAGES_PAGE))


def test_what_is_hidden_stays_hidden_and_comes_back(open_page):
    page = open_page()
    page.button(key="intro_hide").click().run()
    assert "intro_hide" not in buttons(page)
    assert "intro_hide" not in buttons(page.run())
    page.button(key="intro_again").click().run()
    assert "intro_hide" in buttons(page)


def test_a_browser_that_remembers_is_not_introduced_again(open_page, monkeypatch):
    monkeypatch.setattr(reminder, "is_hidden", lambda: True)
    assert "intro_hide" not in buttons(open_page())


def test_a_first_visit_without_runs_is_introduced(open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    page = open_page()
    assert "intro_hide" in buttons(page)
    assert not {"try_deploy", "try_compare", "try_certify"} & buttons(page)


def test_links_to_try_set_the_state(open_page):
    page = open_page()
    page.button(key="try_deploy").click().run()
    assert page.number_input(key="nac").value == 90
    page.number_input(key="nac").set_value(75.0).run()
    assert page.run().number_input(key="nac").value == 75
    assert "try_compare" not in buttons(page)  # one training
    assert "try_certify" in buttons(page)


def test_the_tour_goes_forth_and_back_and_ends(open_page):
    page = open_page()
    page.button(key="tour_begin").click().run()
    assert "intro_hide" not in buttons(page)
    seen = []
    for step in STEPS:
        assert step.sentence in text(page)
        seen.append(scrolled_to(page))
        page.button(key="tour_next").click().run()
    assert seen == [step.where for step in STEPS]
    assert "tour_next" not in buttons(page)
    page.button(key="tour_begin").click().run()
    page.button(key="tour_next").click().run()
    page.button(key="tour_back").click().run()
    assert STEPS[0].sentence in text(page)
    page.button(key="tour_leave").click().run()
    assert not {"tour_next", "tour_leave"} & buttons(page)
