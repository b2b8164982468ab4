"""The one ascent: it goes uphill, and leaves neither the box nor the ball."""

from __future__ import annotations

import pytest
import torch

from engine.models.ascent import ascend, at_most, norms

X = torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))


def up(x: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(x) / x[0].numel() ** 0.5


@pytest.mark.parametrize("epsilon", [0.01, 0.5, 100.0])
def test_it_stays_in_the_ball_and_the_box_and_goes_uphill(epsilon):
    found = ascend(X, epsilon, 10, up)
    assert (norms(found - X) <= epsilon * (1 + 1e-5)).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found.flatten(1).sum(1) > X.flatten(1).sum(1)).all()


def test_with_room_for_it_the_whole_radius_is_used():
    found = ascend(torch.full((2, 1, 4, 4), 0.5), 0.4, 5, up)
    torch.testing.assert_close(norms(found - 0.5), torch.full((2,), 0.4))


def test_without_steps_nothing_moves():
    assert ascend(X, 1.0, 0, up) is X


def test_only_what_is_too_long_is_shortened():
    short, long = torch.full((1, 1, 2, 2), 0.1), torch.full((1, 1, 2, 2), 3.0)
    torch.testing.assert_close(at_most(torch.cat([short, long]), 1.0), torch.cat([short, long / 6]))
    assert not at_most(torch.zeros(1, 1, 2, 2), 1.0).any()
