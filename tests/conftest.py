from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from engine import cli, datasets
from tests import toy

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

settings.register_profile("without clocks", settings(), deadline=None)  # no test asserts how long something takes
settings.load_profile("without clocks")

MAIN = Path(__file__).resolve().parents[1] / "app" / "main.py"


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test looks into, or writes to, the store of the person who runs it."""
    monkeypatch.setenv("ACES_CACHE", str(tmp_path / "store"))


@pytest.fixture
def toy_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(datasets.DATASETS, "toy", toy.CARD)


@pytest.fixture(scope="session")
def one_scan() -> Iterator[None]:
    """Every ``AppTest`` looks through all installed packages for components of Streamlit's: once a session serves."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def open_app(one_scan: None) -> Callable[..., AppTest]:
    """Opens a page of the dashboard by its path and address, without a browser; fails where the page raises."""
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    def opened(path: str = "", **query: str) -> AppTest:
        page = AppTest.from_file(MAIN, default_timeout=60)
        page._page_hash = calc_hash(path) if path else ""  # switch_page knows pages that are files only
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception
        return page

    return opened


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: (exit status, stdout, stderr)."""

    def calling(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["engine", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return calling
