from __future__ import annotations

import json
import zlib

import pytest
from streamlit.testing.v1 import AppTest

from app.services import packs
from app.settings import ALPHAS
from tests.app_pages import CERTIFIED, IMAGES, SELECTION, specs, turn
from tests.waiting import wait_until


def said(page: AppTest) -> dict:
    """What the page says to the browser of how to follow the dials."""
    found = [one.proto for one in page.get("bidi_component") if one.proto.component_name == "aces_live"]
    assert len(found) == 1
    return json.loads(found[0].bytes)


@pytest.mark.parametrize("path", [None, CERTIFIED, SELECTION])
def test_the_packs_of_the_compositions_in_view_are_made(open_page, path):
    now = said(open_page() if path is None else open_page(path))
    current = now["compositions"][now["current"]]
    assert now["levels"] == sorted(ALPHAS)
    level = now["levels"].index(now["at"]["alpha"])
    wanted = {current["counts"], f"{current['classes']}-{level}", f"{current['votes']}-{level}"}
    made = lambda: wanted <= set(json.loads((packs.FOLDER / "index.json").read_text()))  # noqa: E731
    wait_until(made, "the packs of the current composition")
    assert all((packs.FOLDER / name).stat().st_size > 0 for name in wanted)


def test_a_level_that_was_typed_has_packs_as_well(open_page):
    page = turn(open_page(), "alpha", 0.003).run()
    now = said(page)
    assert now["at"]["alpha"] == 0.003
    assert now["levels"] == sorted({*ALPHAS, 0.003})


def test_other_terms_have_other_packs_and_the_same_counts(open_page):
    page = open_page()
    before = said(page)["compositions"][0]
    page.selectbox(key="correction").set_value("bonferroni").run()
    after = said(page)["compositions"][0]
    assert before["counts"] == after["counts"]
    assert before["classes"] != after["classes"]
    assert before["votes"] != after["votes"]


def test_another_view_has_another_number(open_page):
    page = open_page()
    before = said(page)["at"]["view"]
    assert said(turn(page, "theta", 0.7).run())["at"]["view"] == before
    assert said(page.selectbox(key="correction").set_value("bonferroni").run())["at"]["view"] != before


def test_what_the_browser_cannot_follow_has_no_packs(open_page):
    page = open_page()
    assert all(said(page)["compositions"])
    assert not any(said(page.selectbox(key="convention").set_value("paper").run())["compositions"])


def test_nothing_follows_the_dial_of_a_score_where_votes_select(open_page):
    now = said(open_page(select="votes"))
    assert now["at"] == {}
    assert now["compositions"][now["current"]] is None


def test_tiles_follow_where_there_are_some(open_page):
    assert said(open_page())["tiles"][2] == "Certified, r {r}"
    assert said(open_page(CERTIFIED))["tiles"] == []


def test_the_waterfalls_of_the_levels_nearby_are_made_and_are_those_that_the_page_shows(open_page):
    page = open_page("bounds", alpha="0.01")
    now = said(page)
    level = now["levels"].index(0.01)
    assert now["near"][0] == level
    assert len(now["near"]) == 7
    names = {f"{now['steps']}-{near}" for near in now["near"]}
    wait_until(lambda: names <= set(json.loads((packs.FOLDER / "index.json").read_text())), "the waterfalls")
    for near in (level, level + 2):
        made = json.loads(zlib.decompress((packs.FOLDER / f"{now['steps']}-{near}").read_bytes()))
        figure = json.loads(specs(turn(page, "alpha", now["levels"][near], at=1.0 + near).run())[0])
        assert figure["layout"]["xaxis"]["categoryarray"] == made["names"]
        shown = {trace["name"]: (trace["x"], trace["y"], trace["base"]) for trace in figure["data"]}
        assert shown == {kind: (bar["x"], bar["y"], bar["base"]) for kind, bar in made["bars"].items()}


def test_of_more_votes_than_a_browser_has_room_for_the_readers_own_come_first(open_page, monkeypatch):
    page = open_page()
    assert len(said(page)["compositions"]) > 1
    monkeypatch.setattr("app.followed.MOST_FOLLOWED", IMAGES * 1001)
    now = said(page.run())
    assert [at for at, names in enumerate(now["compositions"]) if names] == [now["current"]]
    monkeypatch.setattr("app.followed.MOST_FOLLOWED", IMAGES * 1001 - 1)
    assert not any(said(page.run())["compositions"])
