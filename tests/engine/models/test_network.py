from __future__ import annotations

import torch

from engine.models import build, weights_sha256


def test_normalisation_is_part_of_the_network():
    network = build("resnet8", "fashion_mnist")
    x = torch.full((1, 1, 28, 28), 0.2860)
    assert torch.allclose(network.normalize(x), torch.zeros_like(x), atol=1e-6)


def test_identity_sees_the_normalisation():
    network = build("resnet8", "fashion_mnist")
    before = weights_sha256(network)
    network.normalize.std *= 2
    assert weights_sha256(network) != before
