"""The first visit, the tour and the menu in Chromium: what only a browser can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.widgets.guide import STEPS

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.browser


def settle(page: Page) -> None:
    page.wait_for_selector(".page-title", state="attached", timeout=60_000)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=60_000)


def test_a_newcomer_is_introduced_tours_and_is_not_told_twice(server, context: BrowserContext):
    fresh = context.browser.new_context(viewport={"width": 1280, "height": 800})  # type: ignore[union-attr]
    try:
        page = fresh.new_page()
        page.goto(server)
        settle(page)
        page.locator(".st-key-intro img").wait_for()
        assert page.locator(".st-key-figure_front").bounding_box()["y"] < 800  # type: ignore[index]
        page.locator(".st-key-help button").first.click()
        page.locator(".st-key-tour_begin button:visible").first.click()
        for step in STEPS:
            page.get_by_text(step.sentence[:20]).first.wait_for()
            settle(page)
            style = page.locator(step.where).first.evaluate("node => getComputedStyle(node).outlineStyle")
            assert style == "solid", step.where
            assert page.locator(step.where).first.evaluate(
                "node => { const at = node.getBoundingClientRect(); return at.bottom > 0 && at.top < innerHeight; }"
            )
            if step is not STEPS[-1]:
                page.locator(".st-key-tour_next button:visible").first.click()
        page.keyboard.press("Escape")
        page.locator(".st-key-tour").wait_for(state="detached")
        page.locator(".st-key-intro_hide button:visible").first.click()
        page.locator(".st-key-intro").wait_for(state="detached")
        page.wait_for_function("document.cookie.includes('aces_intro=hidden')")
        page.goto(server)
        settle(page)
        assert page.locator(".st-key-intro").count() == 0
    finally:
        fresh.close()


@pytest.mark.parametrize("width", [360, 420, 700, 1000, 1280])
def test_the_button_that_hides_the_introduction_lies_on_no_text(server, context: BrowserContext, width):
    fresh = context.browser.new_context(viewport={"width": width, "height": 800})  # type: ignore[union-attr]
    try:
        page = fresh.new_page()
        page.goto(server)
        settle(page)
        page.locator(".st-key-intro img").wait_for()
        button = page.locator(".st-key-intro_hide button:visible").first.bounding_box()
        lines = page.locator(".st-key-intro p").first.evaluate(
            "node => { const range = document.createRange(); range.selectNodeContents(node);"
            " return [...range.getClientRects()].map(at => [at.right, at.top]); }"
        )
        assert button
        left, bottom = button["x"], button["y"] + button["height"]
        assert lines
        assert all(right <= left or top >= bottom - 2 for right, top in lines)
    finally:
        fresh.close()
