"""The card of a run: label, collection, hide, delete with undo, open; on a demo and a store of the test's own."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app import actions, catalog
from app.content import run_card
from cache import Store
from engine.records.runs import to_bytes
from tests import synthetic
from tests.app_pages import IMAGES

SHIPPED, MINE = "fashion_mnist-core", "mine"


@pytest.fixture
def with_card(open_page, monkeypatch):
    """Opens the Runs page with the card of a run: a table cannot be clicked on here."""
    with Store() as store:
        store.put(synthetic.core(IMAGES, name=MINE))
    catalog.look_again()

    def opened(name: str) -> AppTest:
        def clicked(key: str = "") -> int | None:
            shown = [meta.name for meta in catalog.listing().shown]
            return shown.index(name) if name in shown else None

        monkeypatch.setattr(actions, "clicked_run", clicked)
        return open_page("runs")

    return opened


def listed(page: AppTest) -> list[str]:
    return list(page.dataframe[0].value["name"])


def test_a_label_is_kept_and_a_hostile_one_refused(with_card):
    page = with_card(SHIPPED)
    page.text_input(key=f"label-{SHIPPED}-").set_value("<b>Core</b> :red[x]").run()
    assert catalog.listing().note(SHIPPED).label == "<b>Core</b> :red[x]"
    assert "<b>Core</b> :red[x]" in list(page.dataframe[0].value["label"])
    assert any(r"\<b\>Core\</b\> \:" in text.value for text in page.markdown)
    (key,) = (box.key for box in page.text_input if (box.key or "").startswith(f"label-{SHIPPED}"))
    page.text_input(key=key).set_value("a\u202eb").run()
    assert "cannot be kept" in page.error[0].value
    assert catalog.listing().note(SHIPPED).label == "<b>Core</b> :red[x]"


def test_a_hidden_run_leaves_the_explorer_and_comes_back(with_card):
    page = with_card(MINE)
    page.button(key="hide_run").click().run()
    assert MINE not in listed(page)
    page.toggle(key="show_hidden").set_value(True).run()
    assert MINE in listed(page)
    page.button(key="undo_run").click().run()
    assert not catalog.listing().note(MINE).hidden


def test_a_stored_run_is_deleted_and_undone_and_restored(with_card):
    page = with_card(MINE)
    page.button(key="delete_run").click().run()
    assert MINE not in listed(page)
    page.button(key="undo_run").click().run()
    assert MINE in listed(page)
    page.button(key="delete_run").click().run()
    (one,) = catalog.deleted()
    other = with_card("nothing")  # another session
    other.button(key=f"restore-{one.id}").click().run()
    assert MINE in listed(other)
    page.button(key="undo_run").click().run()  # which is too late
    assert "in the trash no longer" in page.error[0].value


def test_what_ships_cannot_be_deleted(with_card):
    page = with_card(SHIPPED)
    assert page.button(key="delete_run").disabled
    assert not page.button(key="hide_run").disabled


def test_a_read_only_server_offers_no_change(with_card, monkeypatch):
    page = with_card(MINE)
    page.button(key="delete_run").click().run()
    monkeypatch.setenv("ACES_READ_ONLY", "1")
    page = with_card(SHIPPED)
    keys = {button.key for button in page.button}
    assert not keys & {"delete_run", "hide_run", "undo_run", "estimate"}
    assert not any((key or "").startswith("restore-") for key in keys)
    assert not page.text_input(key="pin").disabled  # what changes no store stays


def test_every_kind_of_run_is_opened_by_the_controls_that_choose_it(open_page):
    open_page("runs")
    metas = {meta.name: meta for meta in catalog.listing().metas}
    smoothed = synthetic.smoothed(0.5, IMAGES).meta
    of = catalog.listing().collections
    found = run_card.address(metas[smoothed.name], list(metas.values()), of)
    assert found == {"dataset": "fashion_mnist", "training": "gaussian", "sigma": "0.5", "core": SHIPPED}
    alone = [meta for meta in metas.values() if meta.kind != "core"]
    assert run_card.address(metas[smoothed.name], alone, of) is None
    assert run_card.address(metas[SHIPPED], list(metas.values()), of) == {"dataset": "fashion_mnist", "core": SHIPPED}


def test_a_download_is_the_run_file(open_page):
    open_page("runs")
    assert catalog.run_file(SHIPPED) == to_bytes(synthetic.core(IMAGES))
