"""A thumb that is dragged for three seconds: how long the figures' frames take in Chromium, and what it asks of the
server."""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.browser import CHROMIUM, FLAGS, MAIN, PAGES, PEOPLE, TWELVE, demo_of_twelve, open_page, serve

SECONDS, A_MOVE = 3.0, 0.016
DIALS = ("theta", "votes", "alpha", "radius")
FAR = 60  # pixels to either side
# ``took``: computing and drawing of a frame; ``painted``: when each frame came; ``runs``: of the script.
WATCH = """
() => {
  const app = document.querySelector("[data-testid=stApp]");
  const bench = window.bench = {took: [], painted: [], runs: 0};
  window.live.timed = (ms, atRest) => atRest || bench.took.push(ms);
  const paint = (now) => (bench.painted.push(now), requestAnimationFrame(paint));
  requestAnimationFrame(paint);
  new MutationObserver(() => (bench.runs += app.dataset.testScriptState === "running")).observe(
    app, {attributeFilter: ["data-test-script-state"]});
}
"""
READY = "() => window.live?.said && [...window.live.packs.values()].every((pack) => pack) && window.live.packs.size > 2"


def measure() -> dict[str, float]:
    """Milliseconds of Trade-off with twelve fronts of 1001 thresholds, and runs of the script."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        twelve = demo_of_twelve(Path(folder))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        with serve(MAIN, {"ACES_DEMO": str(twelve)}) as (address, _, _):
            for dial in DIALS:
                found |= _of_dial(browser, address, dial)
            found |= _together(browser, address)
        browser.close()
    return found


def _of_dial(browser: Browser, address: str, dial: str) -> dict[str, float]:
    page = _opened(browser, address)
    drag(page, dial, 0.5)  # to have the packs of other levels
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    drag(page, dial, SECONDS)
    page.wait_for_timeout(2000)
    bench = page.evaluate("window.bench")
    page.close()
    return {
        f"{dial}: a frame's computing and drawing, median ms": statistics.median(bench["took"]),
        f"{dial}: the same, 95th percentile": _most(bench["took"]),
        f"{dial}: from frame to frame, median ms": statistics.median(_gaps(bench["painted"])),
        f"{dial}: from frame to frame, 95th percentile": _most(_gaps(bench["painted"])),
        f"{dial}: runs of the script in a drag of {SECONDS:g} s": bench["runs"],
    }


def _together(browser: Browser, address: str) -> dict[str, float]:
    """Ten pages whose thumbs move in turns: every page's own frames."""
    pages = [_opened(browser, address) for _ in range(PEOPLE)]
    for page in pages:
        page.evaluate(WATCH)
        _press(page, "theta")
    end = time.perf_counter() + SECONDS
    places = [page.locator(".st-key-theta input[type=range]").bounding_box() for page in pages]
    step = 0
    while time.perf_counter() < end:
        for page, box in zip(pages, places, strict=True):
            assert box is not None
            page.mouse.move(box["x"] + box["width"] / 2 + step % FAR, box["y"] + box["height"] / 2)
        step += 7
    took = [ms for page in pages for ms in page.evaluate("window.bench.took")]
    for page in pages:
        page.mouse.up()
    for page in pages:
        page.close()
    return {f"{PEOPLE} people at once, theta: a frame's computing and drawing, median ms": statistics.median(took)}


def _opened(browser: Browser, address: str) -> Page:
    page = open_page(browser, f"{address}/?theta=0.3&{TWELVE}", PAGES[""])
    page.wait_for_function(READY, timeout=60_000)
    return page


def drag(page: Page, dial: str, seconds: float) -> None:
    """Press the thumb, move it to and fro, let it go."""
    left, top = _press(page, dial)
    start, now, last = time.perf_counter(), 0.0, 0.0
    while now < seconds:
        now = time.perf_counter() - start
        page.mouse.move(left + FAR * abs((now % 2) - 1), top)
        time.sleep(max(0.0, A_MOVE - (now - last)))
        last = now
    page.mouse.up()


def _press(page: Page, dial: str) -> tuple[float, float]:
    slider = page.locator(f".st-key-{dial} input[type=range]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    share = slider.evaluate("node => (node.value - node.min) / (node.max - node.min)")
    left, top = box["x"] + 8 + min(share, 0.4) * (box["width"] - 16), box["y"] + box["height"] / 2
    page.mouse.move(left, top)
    page.mouse.down()
    return left, top


def _gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


def _most(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def main() -> None:
    """Print the measurements."""
    for name, value in measure().items():
        print(f"{name:90} {value:8.1f}")


if __name__ == "__main__":
    main()
