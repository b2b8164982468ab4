from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import catalog
from cache import Notes, Store
from tests import synthetic
from tests.app_pages import IMAGES


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo folder to copy."""
    return synthetic.write_demo(tmp_path_factory.mktemp("written") / "demo", IMAGES)


@pytest.fixture
def demo(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, which the page looks into."""
    folder = shutil.copytree(written, tmp_path / "demo")
    monkeypatch.setenv("ACES_DEMO", str(folder))
    return folder


@pytest.fixture
def open_page(demo: Path, open_app: Callable[..., AppTest]) -> Callable[..., AppTest]:
    return open_app


@pytest.fixture
def two_studies(demo: Path) -> None:
    """Beside the demo, a paper's run of the same training and σ, with a core network of its own."""
    theirs = synthetic.smoothed(0.25, IMAGES)
    with Store() as store:
        store.put(replace(theirs, meta=replace(theirs.meta, name="their-025")))
        store.put(synthetic.core(IMAGES, name="their-core"))
        Notes(store.runs).change(["their-025", "their-core"], collection="A paper")
    catalog.look_again()
