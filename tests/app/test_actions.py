"""The callbacks of buttons and clicks, on pages without a browser; figures are clicked on in a real one."""

from __future__ import annotations

from types import SimpleNamespace

import streamlit as st

from app import actions, keys, state
from tests.app_pages import COMPARE, IMAGES_PAGE, captions, shown


def pressed(page, key: str):
    return page.button(key=key).click().run()


def test_what_is_pinned_is_the_view_of_then_and_is_let_go_again(open_page):
    page = pressed(open_page(theta="0.4", sigma="0.5"), "pin_here")
    assert page.query_params.get("pin") == "gaussian~0.5~fashion_mnist-core~entropy~0.400"
    page.select_slider(key="sigma").set_value("1").run()
    assert page.query_params.get("pin") == "gaussian~0.5~fashion_mnist-core~entropy~0.400"
    page = pressed(page, "unpin")
    assert not page.query_params.get("pin")


def test_picked_images_are_let_through_again_by_one_button(open_page):
    page = open_page(IMAGES_PAGE, view="Table", pick="20.60.nonsense")
    assert len(page.dataframe[0].value) == 2
    page = pressed(page, "unpick")
    assert len(page.dataframe[0].value) == 40
    assert not page.query_params.get("pick")


def test_the_button_for_alpha_sets_what_each_may_spend(open_page):
    page = pressed(open_page(alpha="0.03"), "spread_alpha")
    assert shown(page, "alpha") == 0.01  # three noise levels are drawn
    assert "α 0.01" in captions(page)


def test_marks_pick_their_images_or_their_groups(monkeypatch):
    ours = {keys.MAP: SimpleNamespace(marks=[60, 20, 60, "a front", None])}
    monkeypatch.setattr(st, "session_state", ours)
    put: dict[str, object] = {}
    monkeypatch.setattr(state, "put", lambda **wanted: put.update(wanted))
    actions.pick_marked(keys.MAP)
    assert put == {"pick": "20.60"}
    actions.pick_marked(keys.MAP, {20: [1, 2], 60: [2, 3]})
    assert put == {"pick": "1.2.3"}
    ours[keys.MAP] = SimpleNamespace(marks=None)  # a double click
    actions.pick_marked(keys.MAP)
    assert put == {"pick": ""}


def test_a_row_or_a_cell_that_was_clicked_is_read_and_nothing_where_none_was(monkeypatch):
    def chosen(**of):
        return SimpleNamespace(selection=SimpleNamespace(**of))

    monkeypatch.setattr(st, "session_state", {keys.MATRIX: chosen(cells=[(2, "core")]), keys.CATALOG: chosen(rows=[4])})
    assert (actions.clicked_cell(), actions.clicked_run()) == ((2, "core"), 4)
    monkeypatch.setattr(st, "session_state", {keys.MATRIX: chosen(cells=[])})
    assert (actions.clicked_cell(), actions.clicked_run()) == (None, None)


def test_the_compare_page_pins_as_the_sidebar_does(open_page):
    page = pressed(open_page(COMPARE, theta="0.4"), "pin_first")
    assert page.query_params.get("pin") == "gaussian~0.25~fashion_mnist-core~entropy~0.400"
