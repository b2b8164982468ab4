"""What a visitor does, and does again where it was lost: a page that is redrawn under the mouse can swallow a click."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

TIMES = 5
PATIENCE_MS = 8_000  # between two of them


def until_shown(act: Callable[[], None], shown: Locator) -> None:
    """Act, and again until ``shown`` is there: at most ``TIMES``, and what is missing then fails as any wait does."""
    from playwright.sync_api import TimeoutError as NotShown

    for _ in range(TIMES - 1):
        act()
        try:
            shown.wait_for(timeout=PATIENCE_MS)
        except NotShown:
            continue
        return
    act()
    shown.wait_for()


def choose(page: Page, box: str, option: str) -> None:
    """Open the select box of this key and take an option."""
    offered = page.get_by_role("option", name=option, exact=True)
    until_shown(page.locator(f".st-key-{box} input").click, offered)
    offered.click()


def switch_on(page: Page, key: str, effect: Locator) -> None:
    """Click the toggle whose key begins so, unless it is on already, until its effect is shown."""
    toggle = page.locator(f"[class*=st-key-{key}]")

    def click() -> None:
        if not toggle.locator("input").is_checked():
            toggle.locator("label").click()

    until_shown(click, effect)
