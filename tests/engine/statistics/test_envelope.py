"""The envelope over (theta, t): against ``evaluate`` at every share, and never below the plain front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.errors import AcesError
from engine.records.compose import LaterStage
from engine.statistics import envelope as module
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.envelope import SHARES, envelope, over_shares, usable_shares
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention, evaluate, pareto_front
from tests.random_runs import composed

ALPHA = 0.05


def by_evaluate(c, t, radius=None, **how):
    m = evaluate(c, c.thetas, alpha=ALPHA, t=t, radii=() if radius is None else (radius,), **how)
    return m.nac, m.acr if radius is None else m.certified_accuracy[:, 0]


@pytest.mark.parametrize("radius", [None, 0.0, 0.1, 0.4])
@pytest.mark.parametrize("bound", Bound)
@pytest.mark.parametrize("correction", Correction)
@pytest.mark.parametrize(
    ("seed", "thetas"), [(10, None), (20, np.array([0.1, 0.25, 0.3, 0.305, 0.7])), (30, np.array([0.125, 0.3, 0.777]))]
)
def test_every_share_has_the_numbers_of_evaluate(seed, thetas, correction, bound, radius, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ENTRIES", 20)  # several blocks
    c = composed(seed, separate=True, **({} if thetas is None else {"thetas": thetas}))
    ts = usable_shares(c, ALPHA, correction)
    assert len(ts) > 5
    found = over_shares(c, ts, ALPHA, correction, bound=bound, radius=radius)
    for k, t in enumerate(ts):
        want = by_evaluate(c, t, radius, correction=correction, bound=bound)
        assert found[0][k] == pytest.approx(want[0], abs=1e-12)
        assert found[1][k] == pytest.approx(want[1], abs=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 0.9, 0.99])
def test_levels_so_large_that_both_tests_hold_count_as_predict_does(alpha):
    c = composed(10, separate=True)
    nac, _ = over_shares(c, (0.3, MAJORITY, 0.7), alpha)
    for k, t in enumerate((0.3, MAJORITY, 0.7)):
        assert nac[k] == pytest.approx(evaluate(c, c.thetas, alpha=alpha, t=t).nac, abs=1e-12)


@pytest.mark.parametrize("radius", [None, 0.2])
def test_is_the_upper_envelope_by_brute_force(radius):
    c = composed(10, separate=True)
    found = envelope(c, ALPHA, radius=radius)
    points = [
        (nac, robustness, theta, t)
        for t in usable_shares(c, ALPHA)
        for nac, robustness, theta in zip(*by_evaluate(c, t, radius), c.thetas, strict=True)
    ]
    for nac, robustness, theta, t in zip(found.nac, found.robustness, found.thetas, found.ts, strict=True):
        at = [p for p in points if (p[2], p[3]) == (theta, t)]
        assert at[0][:2] == pytest.approx((nac, robustness), abs=1e-12)
    for nac, robustness, _, _ in points:  # each is at or below a point of the envelope
        assert ((found.nac >= nac - 1e-9) & (found.robustness >= robustness - 1e-9)).any()
    assert (np.diff(found.nac) > 0).all()
    assert (np.diff(found.robustness) < 0).all()
    assert found.images == len(c)


@pytest.mark.parametrize("seed", [10, 20, 30])
def test_is_never_below_the_plain_front_and_beats_it_somewhere(seed):
    c = composed(seed, separate=True)
    found, (nac, robustness) = envelope(c, ALPHA), by_evaluate(c, MAJORITY)
    kept = pareto_front(nac, robustness)
    for x, y in zip(nac[kept], robustness[kept], strict=True):
        assert found.robustness[found.nac >= x - 1e-9].max() >= y - 1e-12
    assert set(found.ts) - {MAJORITY}


def test_of_equal_points_the_majority_is_kept():
    c = composed(10, separate=True)
    same = replace(c, select_counts0=np.full_like(c.select_counts0, c.n0_select), select_counts=0 * c.select_counts)
    assert envelope(same, ALPHA).ts.tolist() == [MAJORITY]


def test_there_are_21_shares_and_those_that_the_draws_cannot_tell_are_left_out():
    assert len(set(SHARES)) == 21
    c = composed(10, separate=True)
    few = replace(c, n_select=20)
    assert usable_shares(few, 0.001) == tuple(t for t in SHARES if max(t, 1 - t) < 0.0005 ** (1 / 20))
    with pytest.raises(AcesError, match="cannot tell"):
        over_shares(few, (0.01,), 0.001)


def test_of_logs_and_under_the_papers_convention_it_is_the_plain_front():
    c = composed(10, separate=True)
    for of, how in ((replace(c, from_log_select=True), {}), (c, {"convention": Convention.PAPER})):
        found, (nac, robustness) = envelope(of, ALPHA, **how), by_evaluate(of, MAJORITY, **how)
        kept = pareto_front(nac, robustness)
        assert found.nac.tolist() == nac[kept].tolist()
        assert found.robustness.tolist() == robustness[kept].tolist()
        assert found.thetas.tolist() == of.thetas[kept].tolist()
        assert set(found.ts) == {MAJORITY}


def test_of_a_chain_it_is_over_the_first_stages_shares():
    c = composed(10, separate=True)
    chain = replace(c, then=(LaterStage(composed(20, separate=True), 0.3, 0.4),))
    ts = (MAJORITY, 0.2)
    nac, robustness = over_shares(chain, ts, ALPHA)
    for k, t in enumerate(ts):
        want = by_evaluate(chain, t)
        assert nac[k].tolist() == want[0].tolist()
        assert robustness[k].tolist() == want[1].tolist()
