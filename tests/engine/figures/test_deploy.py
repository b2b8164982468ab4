from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.figures.deploy import best, envelope
from engine.figures.views import Front
from engine.statistics.intervals import rate_interval


def front(nac, robustness, position: int = 0, images: int = 100) -> Front:
    nac, robustness = np.array(nac, float), np.array(robustness, float)
    thetas = np.linspace(0, 1, len(nac))
    address = ("gaussian", str(position), "core", "entropy")
    return Front(
        f"σ {position}", position, address, thetas, nac, robustness, (0.0, 0.0), (0.0, 0.0), "net", 0.25, images, 1
    )


LOW = front([90, 85, 80], [0.0, 0.2, 0.3])
HIGH = front([90, 75, 70], [0.0, 0.5, 0.6], position=1)


def test_the_envelope_holds_the_points_that_no_front_beats():
    x, y = envelope([LOW, HIGH])
    assert list(zip(x, y, strict=True)) == [(70, 0.6), (75, 0.5), (80, 0.3), (85, 0.2), (90, 0.0)]


def test_without_fronts_the_envelope_is_empty():
    assert [len(part) for part in envelope([])] == [0, 0]


@pytest.mark.parametrize(
    ("floor", "position", "theta"), [(0, 1, 1.0), (70, 1, 1.0), (75, 1, 0.5), (75.1, 0, 1.0), (86, 0, 0.0)]
)
def test_the_most_robust_point_above_the_floor_is_deployed(floor, position, theta):
    found = best([LOW, HIGH], floor, confident=False)
    assert found is not None
    assert (found.front.position, found.theta) == (position, theta)
    assert found.nac.value >= floor


def test_confidence_asks_the_lower_end_of_the_interval():
    floor = 75.0
    found = best([LOW, HIGH], floor, confident=True)
    assert found is not None
    assert (found.front.position, found.theta) == (0, 0.5)
    assert found.nac.low == rate_interval(85.0, 100)[0] >= floor
    assert rate_interval(80.0, 100)[0] < floor


def test_what_nothing_reaches_is_none():
    assert best([LOW, HIGH], 95, confident=False) is None
    assert best([], 0, confident=False) is None


def test_of_equally_robust_points_the_most_accurate_is_taken():
    found = best([front([70, 90, 80], [0.3, 0.3, 0.3])], 60, confident=False)
    assert found is not None
    assert found.nac.value == 90


def test_with_best_t_the_share_is_of_the_deployment():
    found = best([replace(LOW, ts=np.array([0.5, 0.2, 0.1]))], 82, confident=False)
    assert found is not None
    assert (found.theta, found.t) == (0.5, 0.2)
