"""The grid over both stages' thresholds against one evaluation for each pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import AcesError
from engine.statistics import chain_grid as module
from engine.statistics.chain_grid import chain_grid
from engine.statistics.corrections import Correction
from engine.statistics.metrics import evaluate
from tests.engine.statistics.test_aces import OFF_GRID, ON_GRID
from tests.engine.statistics.test_chains import P0, chain


@pytest.mark.parametrize("pairs", [1, 1 << 19])
@pytest.mark.parametrize("bound", ["complement", "margin"])
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    ("by_votes", "thetas", "later", "t"),
    [
        ((False, False), ON_GRID, OFF_GRID, 0.5),
        ((False, False), OFF_GRID, ON_GRID, 0.2),
        ((True, False), P0, ON_GRID, 0.5),
        ((False, True), ON_GRID, P0, 0.3),
    ],
)
def test_every_pair_is_what_evaluate_says(monkeypatch, by_votes, thetas, later, t, correction, bound, pairs):
    monkeypatch.setattr(module, "PAIRS", pairs)
    c = chain(10, by_votes=by_votes, then=((float(later[0]), 0.5 if by_votes[1] else 0.3),))
    grid = chain_grid(c, thetas, later, 0.05, correction, t=t, bound=bound)
    for j, at in enumerate(later):
        one = replace(c, then=(replace(c.then[0], theta=float(at)),))
        m = evaluate(one, thetas, alpha=0.05, correction=correction, t=t, bound=bound)
        assert grid.nac[:, j] == pytest.approx(m.nac)
        assert grid.acr[:, j] == pytest.approx(m.acr, rel=1e-12)
    assert np.ptp(grid.acr, axis=1).max() > 0


def test_a_grid_is_of_two_stages():
    for by_votes, then in (((False,), ()), ((False,) * 3, ((0.5, 0.5), (0.6, 0.5)))):
        with pytest.raises(AcesError, match="two stages"):
            chain_grid(chain(10, by_votes=by_votes, then=then), [0.3], [0.3])


def test_thresholds_and_shares_outside_are_refused():
    c = chain(10, by_votes=(False, False), then=((0.5, 0.5),))
    wrong = [([2.0], [0.3], 0.5, "theta is 2"), ([0.3], [-1.0], 0.5, "theta is -1"), ([0.3], [0.3], 1.0, "t is 1")]
    for thetas, later, t, says in wrong:
        with pytest.raises(AcesError, match=says):
            chain_grid(c, thetas, later, t=t)
