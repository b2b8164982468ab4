"""The menu of kept views: what is kept opens the same view, and nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app import catalog
from cache import KeptView, KeptViews
from tests import synthetic
from tests.app_pages import CERTIFIED, SELECTION, shown

HOSTILE = '<img src=x onerror=alert(1)> [x](http://a.org) :red["y"]'


@pytest.fixture
def open_menu(open_page: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """Opens a page, and on it the menu."""

    def opened(path: str = "", **address: str) -> AppTest:
        page = open_page(path, **address)
        page.session_state["views"] = True
        return page.run()

    return opened


def keep(page: AppTest, name: str) -> AppTest:
    page.text_input(key="view_name").set_value(name)
    return next(button for button in page.button if button.label == "Keep view").click().run()


def links(page: AppTest) -> dict[str, str]:
    """The addresses of the kept views by what their links say."""
    bodies = [one.proto.body for one in page.get("html")]
    found = [
        match for body in bodies for match in re.findall(r'^<a class="kept" href="([^"]*)">([^<]*)</a> <small>', body)
    ]
    return {html.unescape(name): html.unescape(address) for address, name in found}


def test_nothing_of_the_menu_is_drawn_while_it_is_closed(open_page):
    page = open_page()
    assert not page.exception
    assert "view_name" not in [box.key for box in page.text_input]


def test_a_view_is_kept_and_its_address_opens_it_again(open_menu):
    page = keep(open_menu(CERTIFIED, sigma="0.5", theta="0.3"), "Wide")
    assert not page.exception
    assert page.text_input(key="view_name").value == ""
    address = urlsplit(links(page)["Wide"])
    assert (address.scheme, address.netloc, address.path) == ("", "", CERTIFIED)
    query = parse_qs(address.query)
    assert (query["sigma"], query["theta"]) == (["0.5"], ["0.3"])
    assert any(run.startswith(synthetic.certify_name(0.5)) for run in query["runs"])
    other = open_menu(address.path, **{key: value[0] for key, value in query.items() if key not in ("runs", "fan")})
    assert not other.exception
    assert other.select_slider(key="sigma").value == "0.5"
    assert shown(other, "theta") == 0.3
    assert "Wide" in links(other)


def test_a_view_is_removed_for_everybody(open_menu):
    page = keep(keep(open_menu(), "one"), "two")
    assert list(links(page)) == ["one", "two"]
    page.button(key="remove_view-one").click().run()
    assert list(links(page)) == ["two"]
    assert list(catalog.kept_views()) == ["two"]


@pytest.mark.parametrize("name", ["", "a\u202eb"])
def test_a_name_that_can_be_none_is_refused_in_a_line(open_menu, name):
    page = keep(open_menu(), name)
    assert len(page.error) == 1
    assert links(page) == {}
    assert not page.run().error


def test_a_taken_name_is_refused_and_the_first_view_stays(open_menu):
    first = links(keep(open_menu(SELECTION), "mine"))
    page = keep(open_menu(CERTIFIED), "mine")
    assert "is kept already" in page.error[0].value
    assert links(page) == first


def test_a_hostile_name_is_letters(open_menu):
    page = keep(open_menu(), HOSTILE)
    assert not page.exception
    (name,) = links(page)
    assert name == HOSTILE
    bodies = "".join(one.proto.body for one in page.get("html"))
    assert "<img src=x" not in bodies


def test_a_view_of_a_page_that_does_not_exist_is_passed_over(open_menu):
    views = KeptViews.at(catalog.store())
    views.keep("gone", KeptView("certificates", ""))
    views.keep("there", KeptView("images", "view=Table"))
    views.close()
    assert links(open_menu()) == {"there": "images?view=Table"}


@pytest.mark.parametrize("variable", ["ACES_READ_ONLY", "ACES_PUBLIC"])
def test_who_may_change_nothing_can_open_views_only(open_menu, monkeypatch, variable):
    views = KeptViews.at(catalog.store())
    views.keep("there", KeptView("images", "view=Table"))
    views.close()
    monkeypatch.setenv(variable, "1")
    page = open_menu()
    assert links(page) == {"there": "images?view=Table"}
    assert "view_name" not in [box.key for box in page.text_input]
    assert not [button for button in page.button if button.label in ("Keep view", "Remove")]
