from __future__ import annotations

import pytest

from engine.mechanisms import ENTROPY
from engine.records.compose import compose
from engine.statistics.aces import DEFAULT_CORRECTION
from engine.statistics.explain import explain
from tests import synthetic


@pytest.fixture(scope="module")
def explanation():
    c = compose(synthetic.smoothed(0.5, images=5), synthetic.core(5))
    return explain(c, 20, 0.4, 0.001, DEFAULT_CORRECTION, ENTROPY.words)
