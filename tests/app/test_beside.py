"""What is laid beside the current composition."""

from __future__ import annotations

import json

from tests.app_pages import captions, specs


def escaped(text: str) -> str:
    """A text as a figure's JSON has it."""
    return json.dumps(text)[1:-1]


def test_a_chain_can_be_pinned(open_page):
    pin = "gaussian~0.25~fashion_mnist-core~entropy~fashion_mnist-gaussian-0.5,p0=0.600~0.300"
    page = open_page("compare", pin=pin, sigma="0.25")
    assert "then gaussian σ 0.5, p₀ 0.600" in "".join(m.value for m in page.markdown)
    assert "pinned view" not in captions(page)
    assert "pinned view" in captions(open_page("compare", pin=pin.replace("0.600", "0.400"), sigma="0.25"))


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
