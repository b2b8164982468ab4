"""The real server on a synthetic demo, and a page of it in Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import synthetic

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

ROOT = Path(__file__).resolve().parents[2]
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
def serve(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """The dashboard as people start it, with these variables and a store in ``folder``; its address."""
    environment = os.environ | {"ACES_CACHE": str(folder / "store"), "PYTHONPATH": str(ROOT)} | variables
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "main.py"), "--server.port", str(port)]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _await_health(address, process)
            yield address
        finally:
            process.terminate()


def _await_health(address: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health").close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"streamlit ended with status {process.returncode} before it answered")


@pytest.fixture(scope="session")
def context() -> Iterator[object]:
    """A browser context, whose pages share what they load; skips where playwright or Chromium is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine: `apt-get install chromium` brings it")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_context()
        browser.close()


@pytest.fixture
def new_tab(context: BrowserContext) -> Iterator[Callable[[], Page]]:
    """Opens empty tabs, which are closed after the test."""
    tabs: list[Page] = []

    def opened() -> Page:
        tabs.append(context.new_page())
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.close()
