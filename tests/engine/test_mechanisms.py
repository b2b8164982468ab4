from __future__ import annotations

import pytest
import torch

from engine.errors import AcesError
from engine.mechanisms import ENTROPY, NETWORK, core_probability, entropy, mechanism, words_for, words_of
from tests import toy


def test_entropy_is_in_units_of_log_m():
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [1000.0, 0.0, 0.0, 0.0], [5.0, 5.0, -1e4, -1e4]])
    assert torch.allclose(entropy(logits), torch.tensor([1.0, 0.0, 0.5]))


def test_core_probability_is_the_softmax_of_class_0():
    assert torch.allclose(core_probability(torch.tensor([[0.0, 0.0], [3.0, 0.0]])), torch.tensor([0.5, 0.952574]))


@pytest.mark.parametrize("scale", [0.0, 1.0, 50.0, 1e4])
def test_scores_lie_in_0_1_in_float32_whatever_the_logits(scale):
    logits = scale * torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    for card, some in ((ENTROPY, logits), (NETWORK, logits[:, :2])):
        for x in (some, some.bfloat16()):
            score = card.score(x)
            assert score.dtype == torch.float32
            assert ((score >= 0) & (score <= 1)).all()


def test_a_network_whose_outputs_the_score_is_not_made_for_is_refused():
    for card, right in ((ENTROPY, 10), (NETWORK, 2)):
        card.check(right, 10, "file")
        card.check(None, 10, "file")  # not known: sampling will see
        with pytest.raises(AcesError, match=f"file has 7 outputs; selection by {card.name} needs {right}"):
            card.check(7, 10, "file")
    with pytest.raises(AcesError, match="one output: its softmax is 1 whatever the image"):
        NETWORK.check(1, 10, "file")


def test_words_are_the_cards_and_those_of_an_unknown_mechanism_say_entropy_of_nothing():
    run = toy.smoothed_run().meta
    assert words_of(run) == words_for("entropy") == ENTROPY.words
    unknown = words_for("temperature")
    assert unknown.median == "temperature score (median)"
    assert "entropy" not in f"{unknown}"
    with pytest.raises(AcesError, match="unknown selection mechanism 'temperature'; known: network, entropy"):
        mechanism("temperature")
