"""The two builds of plotly.js: a small one that comes with the page, and the whole one where marks are many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.figures.image import MANY
from tests import synthetic
from tests.browser.conftest import serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

LOADED = "performance.getEntriesByType('resource').map(one => one.name).filter(name => name.includes('plotly'))"


def test_marks_beyond_number_are_drawn_by_webgl_and_lines_by_the_small_build(
    tmp_path: Path, new_tab: Callable[[], Page]
):
    synthetic.write_demo(tmp_path / "demo", images=MANY + 1)
    page, errors = new_tab(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with serve(tmp_path, {"ACES_DEMO": str(tmp_path / "demo")}) as address:
        page.goto(f"{address}/certified-accuracy")
        page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
        assert [name for name in page.evaluate(LOADED) if "cartesian" not in name] == []
        page.get_by_role("link", name="Images", exact=True).click()
        page.wait_for_selector(".st-key-figure_images .gl-canvas", timeout=60_000, state="attached")
        page.get_by_role("link", name="Selection", exact=True).click()
        page.wait_for_selector(".st-key-figure_receiver .main-svg", timeout=60_000)
        assert sum("cartesian" not in name for name in page.evaluate(LOADED)) == 1
        page.goto(f"{address}/images?answer=wrong")  # fewer marks
        page.wait_for_selector(".st-key-figure_images .main-svg", timeout=60_000)
    assert errors == []
