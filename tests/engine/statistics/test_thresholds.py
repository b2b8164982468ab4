import numpy as np
import pytest

from engine.errors import AcesError
from engine.statistics.corrections import Correction
from engine.statistics.thresholds import check_thetas, neighbours, usable_thresholds
from tests.engine.statistics.test_aces import assert_agrees_with_oracle
from tests.random_runs import composed


def test_thresholds_that_nearly_are_one_of_the_101_share_its_alpha():
    """Ten beside each would be 1010 chances of a wrong bound, where alpha was divided by 101."""
    stored = np.sort((np.arange(101)[:, None] / 100 + np.linspace(0, 9e-9, 10)).ravel().clip(0, 1))
    stored = np.unique(stored)
    usable = usable_thresholds(stored, Correction.SIMULTANEOUS)
    assert usable.sum() == 101
    assert usable_thresholds(stored, Correction.BONFERRONI).all()
    c = composed(47, images=10, thetas=stored[10:60])
    assert_agrees_with_oracle(c, stored[10:60:7], 0.05, Correction.SIMULTANEOUS)


@pytest.mark.parametrize("theta", [-0.01, 1.01, float("nan"), float("inf")])
def test_thresholds_outside_0_1_are_refused_by_value(theta):
    with pytest.raises(AcesError, match=rf"theta is {theta:g}; thresholds lie in \[0, 1\]"):
        check_thetas([0.5, theta])


def test_beside_each_theta_lie_the_usable_thresholds_next_below_and_above_or_at_it():
    stored = np.array([0.005, 0.25, 0.3, 0.305])
    thetas = np.array([0.0, 0.1 * 3, 0.27, 0.301, 1.0])
    lower, upper = neighbours(stored, thetas, None)
    assert lower.tolist() == [-1, 2, 1, 2, 3]
    assert upper.tolist() == [0, 2, 2, 3, 4]
    lower, upper = neighbours(stored, thetas, Correction.SIMULTANEOUS)  # 0.005 and 0.305 are none of its 101
    assert lower.tolist() == [-1, 2, 1, 2, 2]
    assert upper.tolist() == [1, 2, 2, 4, 4]
