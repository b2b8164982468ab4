from __future__ import annotations

from pathlib import Path

import pytest

from engine.mechanisms import ENTROPY
from engine.records.compose import compose
from engine.statistics.aces import DEFAULT_CORRECTION
from engine.statistics.explain import explain
from tests import synthetic
from tests.app_pages import IMAGES


@pytest.fixture(scope="module")
def explanation():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    return explain(c, 20, 0.4, 0.001, DEFAULT_CORRECTION, ENTROPY.words)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo folder of its own, in which catalogs look."""
    folder = synthetic.write_demo(tmp_path / "demo", IMAGES)
    monkeypatch.setenv("ACES_DEMO", str(folder))
    return folder
