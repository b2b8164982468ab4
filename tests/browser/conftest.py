"""The real server on a synthetic demo, and a page of it in Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import synthetic
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"
OPTIONS = (  # as app/.streamlit has them, for scripts that stand elsewhere
    *("--server.address=127.0.0.1", "--server.headless=true", "--browser.gatherUsageStats=false"),
    "--global.disableWidgetStateDuplicationWarning=true",
)
PATIENCE = 120_000  # milliseconds: other work may share the machine
FAILED = pytest.StashKey[bool]()
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dashboard on three smoothed runs and two core runs."""
    folder = tmp_path_factory.mktemp("browser")
    synthetic.write_demo(folder / "demo", images=120)
    with serve(folder, {"ACES_DEMO": str(folder / "demo")}) as address:
        yield address


@contextmanager
def serve(folder: Path, variables: dict[str, str], script: Path = MAIN, port: int | None = None) -> Iterator[str]:
    """The dashboard as people start it, with these variables and a store in ``folder``; its address."""
    environment = os.environ | {"ACES_CACHE": str(folder / "store"), "PYTHONPATH": str(ROOT)} | variables
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), *OPTIONS]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _await_health(address, process)
            yield address
        finally:
            process.terminate()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_health(address: str, process: subprocess.Popen[bytes]) -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"streamlit ended with status {process.returncode} before it answered")
        try:
            urllib.request.urlopen(f"{address}/_stcore/health").close()
        except OSError:
            return False
        return True

    wait_until(answers, "an answer of the server", 120)


@pytest.fixture(scope="session")
def context() -> Iterator[object]:
    """A browser context, whose pages share what they load; skips where playwright or Chromium is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine: `apt-get install chromium` brings it")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context()
        context.set_default_timeout(PATIENCE)
        context.add_init_script("document.cookie = 'aces_intro=hidden; path=/'")  # as after the first visit
        yield context
        browser.close()


@pytest.fixture
def new_tab(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Callable[[], Page]]:
    """Opens empty tabs, which are closed after the test; what they show and said is printed where it fails."""
    tabs: list[Page] = []
    said: list[str] = []

    def opened() -> Page:
        tabs.append(context.new_page())
        tabs[-1].on("console", lambda message: said.append(message.text[:200]))
        tabs[-1].on("pageerror", lambda error: said.append(str(error)[:500]))
        return tabs[-1]

    yield opened
    failed = request.node.stash.get(FAILED, False)
    for tab in tabs:
        if failed:
            app = tab.locator("[data-testid=stApp]")
            state = app.get_attribute("data-test-script-state", timeout=1000) if app.count() else "no page of ours"
            print(f"{tab.url}, {state}:\n{tab.locator('body').inner_text()[:2000]}\n{said[-20:]}")
        tab.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells fixtures whether their test failed."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


collect_ignore = ["slow_app.py"]  # a page for a server, not a module
