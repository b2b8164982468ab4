from __future__ import annotations

import pytest

from cache.store import Store
from tests import toy


@pytest.fixture
def store(tmp_path):
    """A store with a certification and a core run in it."""
    place = tmp_path / "store"
    with Store(place) as opened:
        opened.put(toy.smoothed_run())
        opened.put(toy.core_run())
    return place
