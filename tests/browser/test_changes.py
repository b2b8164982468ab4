"""Runs that come and go while a page is open: it shows them by itself, with a word, in one run of the script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.records.runs import write_run
from tests import synthetic
from tests.browser.conftest import serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

MARK = "document.querySelector('.st-key-figure_front').marked = true"  # to tell a redraw from a new page


def test_a_run_that_comes_or_goes_is_shown_within_seconds(tmp_path: Path, new_tab: Callable[[], Page]):
    demo = synthetic.write_demo(tmp_path / "demo", images=40)
    page = new_tab()
    toast = page.locator("[data-testid=stToast]")
    with serve(tmp_path, {"ACES_DEMO": str(demo)}) as address:
        page.goto(address)
        page.wait_for_selector(".st-key-figure_front .main-svg", timeout=60_000)
        page.wait_for_timeout(2500)
        assert toast.count() == 0  # nothing has changed
        page.evaluate(MARK)
        write_run(synthetic.core(40, "third-core", 0.7), demo / "third-core.npz")
        toast.filter(has_text="Added: third-core.").wait_for(timeout=10_000)
        write_run(synthetic.core(40, "third-core", 0.5), demo / "third-core.npz")
        toast.filter(has_text="Replaced: third-core.").wait_for(timeout=10_000)
        (demo / "third-core.npz").unlink()
        toast.filter(has_text="Removed: third-core.").wait_for(timeout=10_000)
        assert page.evaluate("document.querySelector('.st-key-figure_front').marked")
        runs = page.evaluate(
            "performance.getEntriesByType('resource').filter(one => one.name.endsWith('/aces/catalog')).length"
        )
        assert runs > 2
