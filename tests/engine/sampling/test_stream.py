from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from engine.errors import AcesError
from engine.mechanisms import entropy
from engine.models import Network, Normalize
from engine.records.draws import BLOCK, CHUNK, to_bytes
from engine.sampling.inference import Layout, freeze, intra_op_threads
from engine.sampling.stream import Source, Stage, StreamPart, chunk_generator, sample, sample_block, segments


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


def sampled(network, wanted, images=None) -> dict[StreamPart, bytes]:
    pixels = images or (lambda index: torch.full((1, 4, 4), 0.5 + 0.01 * index))
    source = Source(network, entropy, 0.5, 0, pixels)
    return {segment: to_bytes(draws) for segment, draws in sample(source, wanted)}


@pytest.mark.parametrize(("first", "last"), [(0, 1), (0, BLOCK), (100, 260), (249, 251), (2600, 2700), (5, 5)])
def test_segments_cover_the_draws_once_and_stay_within_chunks(first, last):
    found = list(segments(3, Stage.GUESS, first, last))
    covered = [s.chunk * CHUNK + at for s in found for at in range(s.start, s.stop)]
    assert covered == list(range(first, last))
    assert all(0 <= s.start < s.stop <= CHUNK for s in found)


@pytest.mark.parametrize("batch", [25, 50, 125, 250, 500, 1250])
@pytest.mark.parametrize("threads", [1, 3])
def test_draws_do_not_depend_on_batch_threads_or_company(batch, threads):
    network = Network(Normalize((0.0,), (1.0,)), Linear())
    alone = {}
    for index in range(3):
        alone |= sampled(freeze(network), segments(index, Stage.GUESS, 0, 100))
        alone |= sampled(freeze(network), segments(index, Stage.ESTIMATE, 40, 720))
    mixed = sorted(alone, key=lambda segment: (segment.chunk, -segment.index))
    with intra_op_threads(threads):
        assert sampled(freeze(network, layout=Layout(batch=batch)), mixed) == alone


def test_segments_come_in_order_and_are_asked_for_as_they_are_needed(linear):
    asked = []

    def wanted():
        for segment in segments(0, Stage.ESTIMATE, 0, 100 * CHUNK):
            asked.append(segment)
            yield segment

    source = Source(linear, entropy, 0.5, 0, lambda _: torch.zeros(1, 4, 4))
    found = [segment for segment, _ in islice(sample(source, wanted()), 5)]
    assert found == asked[:5]
    assert len(asked) < 5 + 20


def test_a_failing_network_ends_the_pass(linear):
    def failing(_):
        raise ValueError("no such image")

    with pytest.raises(ValueError, match="no such image"):
        sampled(linear, segments(0, Stage.GUESS, 0, 1000), failing)


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_an_image_outside_the_unit_range_is_refused(linear, value):
    image = torch.full((1, 4, 4), 0.5)
    image[0, 2, 2] = value
    with pytest.raises(AcesError, match=r"image 3 does not lie in \[0, 1\]"):
        draw(linear, image=image)


def test_noise_is_neither_clamped_nor_scaled(linear):
    # An image of zeros leaves [0, 1] half of the time; clamping would make every mean positive.
    classes = draw(linear, image=torch.zeros(1, 4, 4), sigma=10.0).classes
    assert 0.4 < classes.mean() < 0.55


def test_small_chunks_let_one_batch_hold_many_images(linear):
    """Each image's draws depend on its own parts alone, however many stand in a batch and wherever a part ends."""
    images = {index: torch.full((1, 4, 4), 0.1 * index) for index in range(5)}

    def drawn(indices, last, batch=125):
        network = freeze(linear.origin, layout=Layout(batch=batch))
        source = Source(network, entropy, 0.5, 0, images.__getitem__, chunk=25)
        wanted = [part for index in indices for part in segments(index, Stage.ESTIMATE, 0, last, 25)]
        found = {index: [] for index in indices}
        for part, draws in sample(source, wanted):
            assert len(draws) == len(part)
            found[part.index].append(draws)
        return {index: np.concatenate([draws.scores for draws in parts]) for index, parts in found.items()}

    together, alone = drawn(range(5), 60), drawn([3], 60)
    assert {index: len(scores) for index, scores in together.items()} == dict.fromkeys(range(5), 60)
    assert np.array_equal(together[3], alone[3])
    assert np.array_equal(drawn([3], 75)[3][:60], alone[3])
    assert np.array_equal(drawn([1, 3], 60, batch=250)[3], alone[3])
