from __future__ import annotations

from pathlib import Path

import pytest

from engine import datasets
from tests import toy


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test looks into, or writes to, the store of the person who runs it."""
    monkeypatch.setenv("ACES_CACHE", str(tmp_path / "store"))


@pytest.fixture
def toy_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(datasets.DATASETS, "toy", toy.CARD)
