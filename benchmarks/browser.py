"""From a key on the θ slider to the figures of each page, and from the server's start to the first, in Chromium."""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from cache.catalog import DEMO
from engine.records.runs import CoreRun, Run, SelectionRun, read_run, write_run

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
MAIN = Path(__file__).resolve().parents[1] / "app" / "main.py"
FLOOR = Path(__file__).with_name("floor_page.py")
SLIDER = ".st-key-theta input[type=range]"
KEYS, WARM_UP = 30, 3
PEOPLE, ROUNDS = 10, 5
PAGES = {"": 2, "certified-accuracy": 2, "selection": 3, "images": 1}  # figures that show theta
FIRST = "trade-off"  # the page without a path
IMAGES = 10_000
TWELVE = "with_core=core-0&with_core=core-1&with_core=core-2&with_core=core-3"

# Counts, frame by frame, the figures that show the new threshold in their drawn text.
WATCH = """
(figures) => {
  window.bench = null;
  document.addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow")) return;
    const theta = (Number(event.target.value) + (event.key === "ArrowRight" ? 0.001 : -0.001)).toFixed(3);
    const bench = window.bench = {theta, start: performance.now(), first: null, all: null};
    const look = () => {
      const plots = [...document.querySelectorAll(".js-plotly-plot")];
      const shown = plots.filter((plot) => plot.textContent.includes(theta)).length;
      if (shown && bench.first === null) bench.first = performance.now() - bench.start;
      if (shown >= figures) bench.all = performance.now() - bench.start;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}
"""


def measure() -> dict[str, float]:
    """Medians in milliseconds (latency) and seconds (start). Needs ``/usr/bin/chromium``."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        twelve = demo_of_twelve(Path(folder))
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        with serve(FLOOR) as (address, spawned, _):
            found["the least page with one figure: server to it, s"] = _first_figure(browser, address, spawned)[1]
        with serve(MAIN) as (address, spawned, _):
            page, found["server to first figure, s"] = _first_figure(browser, address, spawned)
            page.close()
        with serve(MAIN, {"ACES_DEMO": str(twelve)}) as (address, _, server):
            for path, figures in PAGES.items():
                found |= _of_page(browser, f"{address}/{path}?{TWELVE}", path or FIRST, figures, server)
            found["ten people at once: key to every figure of trade-off, ms"] = _together(browser, address)
        found |= _of_many_images(browser, Path(folder) / "many")
        browser.close()
    return found


def demo_of_twelve(folder: Path) -> Path:
    """The demo's three noise levels with its core network under four names: twelve fronts of 1001 thresholds."""
    for sigma in ("0.25", "0.5", "1.0"):
        shutil.copy(DEMO / f"fashion_mnist-gaussian-{sigma}.npz", folder)
    core = read_run(DEMO / "fashion_mnist-core.npz")
    assert isinstance(core, CoreRun)
    rng = np.random.default_rng(0)
    for k in range(4):
        wrong = rng.random(len(core.index)) < 0.05 * k
        prediction = np.where(wrong, (core.label + 1) % core.meta.num_classes, core.prediction)
        named = replace(core, meta=replace(core.meta, name=f"core-{k}"), prediction=prediction, logits=None)
        write_run(named, folder / f"core-{k}.npz")
    return folder


def _of_page(browser: Browser, address: str, name: str, figures: int, server: int) -> dict[str, float]:
    """The medians of a page, and the processor time that the server alone spends on a key."""
    page = open_page(browser, address, figures)
    before = _processor_ms(server)
    first, every = zip(*_latencies(page, figures), strict=True)
    page.close()
    return {
        f"{name}: key to first figure, ms": statistics.median(first),
        f"{name}: key to every figure, ms": statistics.median(every),
        f"{name}: the server's processor time a key, ms": (_processor_ms(server) - before) / (WARM_UP + KEYS),
    }


def _processor_ms(process: int) -> float:
    """What a process has computed so far, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _of_many_images(browser: Browser, folder: Path) -> dict[str, float]:
    """The same for one front of 10,000 images: the demo's, twenty times over."""
    folder.mkdir()
    for name in ("fashion_mnist-gaussian-0.25", "fashion_mnist-core"):
        write_run(_many(read_run(DEMO / f"{name}.npz")), folder / f"{name}.npz")
    found: dict[str, float] = {}
    with serve(MAIN, {"ACES_DEMO": str(folder)}) as (address, _, server):
        for path, figures in PAGES.items():
            found |= _of_page(browser, f"{address}/{path}", f"{IMAGES:,} images, {path or FIRST}", figures, server)
    return found


def _many(run: Run) -> Run:
    """The run's images repeated, with an index of their own."""
    assert not isinstance(run, SelectionRun)
    repeats = IMAGES // len(run.index)
    arrays = {
        key: np.concatenate([value] * repeats)
        for key, value in vars(run).items()
        if isinstance(value, np.ndarray) and len(value) == len(run.index)
    }
    return replace(run, **(arrays | {"index": np.arange(IMAGES)}))


def _together(browser: Browser, address: str) -> float:
    """Ten sessions, each with its own rhythm, press a key a second; the median of all of them."""
    pages = [open_page(browser, f"{address}/?{TWELVE}", PAGES[""]) for _ in range(PEOPLE)]
    for page in pages:
        page.evaluate(WATCH, PAGES[""])
        page.focus(SLIDER)
    found = []
    for _ in range(ROUNDS):
        for page in pages:
            page.keyboard.press("ArrowRight")
        for page in pages:
            page.wait_for_function("window.bench && window.bench.all !== null", timeout=60_000)
            found.append(page.evaluate("window.bench.all"))
    for page in pages:
        page.close()
    return statistics.median(found[PEOPLE:])


def open_page(browser: Browser, address: str, figures: int) -> Page:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address)
    page.wait_for_function(
        f"document.querySelectorAll('.js-plotly-plot .main-svg').length >= {figures}", timeout=60_000
    )
    page.wait_for_timeout(1500)
    return page


def _latencies(page: Page, figures: int) -> list[tuple[float, float]]:
    page.evaluate(WATCH, figures)
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
def serve(script: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[tuple[str, float, int]]:
    """A Streamlit script on a free port of this machine: its address, when it was started, its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    spawned = time.perf_counter()
    server = subprocess.Popen(
        [*command, "--server.headless", "true"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | dict(environment),
    )
    assert server.stdout is not None
    try:
        for line in server.stdout:
            if re.search(rf"http://\S+:{port}", line):
                break
        yield f"http://127.0.0.1:{port}", spawned, server.pid
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def main() -> None:
    """Print the measurements."""
    for name, value in measure().items():
        print(f"{name:60} {value:8.1f}")


if __name__ == "__main__":
    main()
