"""From a key on the θ slider to the figures, and from the start of the server to the first figure, in real Chromium."""

from __future__ import annotations

import re
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MAIN = Path(__file__).resolve().parents[1] / "app" / "main.py"
FLOOR = Path(__file__).with_name("floor_page.py")
SLIDER = "[data-testid=stSlider] input[type=range][aria-label='Selection threshold θ']"
KEYS, WARM_UP = 30, 3

# Counts, frame by frame, the figures that show the new threshold in their drawn text.
WATCH = """
() => {
  window.bench = null;
  document.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    const theta = (Number(event.target.value) + (event.key === "ArrowRight" ? 0.001 : -0.001)).toFixed(3);
    const bench = window.bench = {theta, start: performance.now(), first: null, all: null};
    const look = () => {
      const plots = [...document.querySelectorAll(".js-plotly-plot")];
      const shown = plots.filter((plot) => plot.textContent.includes(theta)).length;
      if (shown && bench.first === null) bench.first = performance.now() - bench.start;
      if (shown === plots.length) bench.all = performance.now() - bench.start;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}
"""


def measure() -> dict[str, float]:
    """Medians in milliseconds (latency) and seconds (start). Needs ``/usr/bin/chromium``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        with _server(FLOOR) as (address, spawned):
            floor = _first_figure(browser, address, spawned)[1]
        with _server(MAIN) as (address, spawned):
            page, start = _first_figure(browser, address, spawned)
            page.wait_for_function("document.querySelectorAll('.js-plotly-plot .main-svg').length >= 4")
            latencies = _latencies(page)
        browser.close()
    first, every = (statistics.median(row[at] for row in latencies) for at in (0, 1))
    return {
        "server to first figure, s": start,
        "the same of a page with nothing but one figure, s": floor,
        "key to first figure, ms": first,
        "key to every figure, ms": every,
    }


def _latencies(page: Page) -> list[tuple[float, float]]:
    page.wait_for_timeout(1500)
    page.evaluate(WATCH)
    page.focus(SLIDER)
    found = []
    for press in range(WARM_UP + KEYS):
        page.keyboard.press("ArrowRight" if press % 10 < 5 else "ArrowLeft")
        page.wait_for_function("window.bench && window.bench.all !== null", timeout=20_000)
        first, every = page.evaluate("[window.bench.first, window.bench.all]")
        found.append((first, every))
        page.wait_for_timeout(150)
    return found[WARM_UP:]


def _first_figure(browser: Browser, address: str, spawned: float) -> tuple[Page, float]:
    """A new page, and the seconds from the server's start to its first figure."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
    return page, time.perf_counter() - spawned


@contextmanager
def _server(script: Path) -> Iterator[tuple[str, float]]:
    """A Streamlit script on a free port of this machine: its address, and when it was started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    spawned = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--server.headless", "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if re.search(rf"http://\S+:{port}", line):
                break
        yield f"http://127.0.0.1:{port}", spawned
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Print the measurements."""
    for name, value in measure().items():
        print(f"{name:50} {value:8.1f}")


if __name__ == "__main__":
    main()
