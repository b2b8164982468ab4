from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests import synthetic
from tests.app_pages import IMAGES


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, which the page looks into."""
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    monkeypatch.setenv("ACES_DEMO", str(folder))
    return folder


@pytest.fixture
def open_page(demo: Path, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return open_app
