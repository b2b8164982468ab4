from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from engine.inference import freeze
from engine.models.registry import Network, Normalize
from engine.sampling import BLOCK, CHUNK, Stage, blocks, chunk_generator, sample_block
from engine.scores import core_probability, entropy


class Linear(nn.Module):
    """Two classes; class 1 wins exactly where the mean pixel exceeds 0.5. Every probability under noise is known."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.flatten(1).mean(1)
        return torch.stack([0.5 - mean, mean - 0.5], 1)


@pytest.fixture
def linear():
    return freeze(Network(Normalize((0.0,), (1.0,)), Linear()))


def draw(network, *, image=None, sigma=0.5, seed=0, index=3, stage=Stage.ESTIMATE, block=0, draws=BLOCK):
    image = torch.full((1, 4, 4), 0.55) if image is None else image
    return sample_block(network, image, sigma, entropy, seed=seed, index=index, stage=stage, block=block, draws=draws)


def test_draws_follow_the_exact_smoothed_probability(linear):
    # mean of 16 pixels at 0.55 with noise 0.5: class 1 with probability Phi(0.05 * 4 / 0.5) = Phi(0.4)
    share = np.mean(np.concatenate([draw(linear, block=b).classes for b in range(8)]))
    expected = 0.6554
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / (8 * BLOCK))


def test_same_stream_gives_same_bytes(linear):
    first, second = draw(linear), draw(linear)
    assert first.scores.tobytes() == second.scores.tobytes()
    assert first.classes.tobytes() == second.classes.tobytes()


@pytest.mark.parametrize("other", [{"seed": 1}, {"index": 4}, {"stage": Stage.GUESS}, {"block": 1}])
def test_streams_differ_in_everything_that_names_them(linear, other):
    assert not np.array_equal(draw(linear).scores, draw(linear, **other).scores)


@pytest.mark.parametrize("k", [1, CHUNK - 1, CHUNK, CHUNK + 1, 600])
def test_a_part_of_a_block_is_its_beginning(linear, k):
    part, whole = draw(linear, draws=k), draw(linear)
    assert len(part) == k
    assert np.array_equal(part.scores, whole.first(k).scores)


def test_chunk_seeds_do_not_collide():
    device = torch.device("cpu")
    seeds = {
        chunk_generator(seed, index, stage, chunk, device).initial_seed()
        for seed in range(3)
        for index in range(20)
        for stage in Stage
        for chunk in range(20)
    }
    assert len(seeds) == 3 * 20 * 2 * 20


@pytest.mark.parametrize(("draws", "expected"), [(1, [0]), (BLOCK, [0]), (BLOCK + 1, [0, 1])])
def test_blocks_cover_the_draws(draws, expected):
    assert list(blocks(draws)) == expected


def test_noise_is_neither_clamped_nor_scaled(linear):
    # An image of zeros leaves [0, 1] half of the time; clamping would make every mean positive.
    classes = draw(linear, image=torch.zeros(1, 4, 4), sigma=10.0).classes
    assert 0.4 < classes.mean() < 0.55


def test_entropy_is_in_units_of_log_m():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [1000.0, 0.0, 0.0, 0.0], [5.0, 5.0, -1e4, -1e4]])
    assert torch.allclose(entropy(logits), torch.tensor([1.0, 0.0, 0.5]))


def test_core_probability_is_the_softmax_of_class_0():
    assert torch.allclose(core_probability(torch.tensor([[0.0, 0.0], [3.0, 0.0]])), torch.tensor([0.5, 0.952574]))
