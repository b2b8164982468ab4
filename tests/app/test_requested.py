"""What an address asks for is shown, or said not to be."""

from __future__ import annotations

from tests.app_pages import captions


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
