from __future__ import annotations

import pytest
import torch

from engine.errors import AcesError
from engine.models import Constants, Normalizer, build, read_normalizer, weights_sha256
from engine.models.network import normalizer


def test_normalisation_is_part_of_the_network():
    network = build("resnet8", "fashion_mnist")
    x = torch.full((1, 1, 28, 28), 0.2860)
    assert torch.allclose(network.normalize(x), torch.zeros_like(x), atol=1e-6)


def test_identity_sees_the_normalisation():
    network = build("resnet8", "fashion_mnist")
    before = weights_sha256(network)
    network.normalize.std *= 2
    assert weights_sha256(network) != before


def test_any_constants_normalise_each_channel_or_all_alike():
    x = torch.rand(2, 3, 4, 4)
    each = normalizer(Constants((0.1, 0.2, 0.3), (1.0, 2.0, 4.0)), (0.0,) * 3, (1.0,) * 3)
    assert torch.allclose(each(x)[:, 2], (x[:, 2] - 0.3) / 4)
    assert torch.allclose(normalizer(Constants((0.5,), (0.5,)), (0.0,) * 3, (1.0,) * 3)(x), 2 * x - 1)


@pytest.mark.parametrize("text", ["normalize", "center", "none", "0.5/0.5", "0.1,0.2,0.3/1,2,4"])
def test_a_normaliser_is_read_as_it_is_written(text):
    assert str(read_normalizer(text)) == text


def test_names_of_normalisers_are_kinds():
    assert read_normalizer("center") is Normalizer.CENTER


@pytest.mark.parametrize(
    "text", ["", "centre", "0.5", "0.5/0", "0.5/-1", "nan/1", "0.5/inf", "/", "1/2/3", "a/b", "1,/1"]
)
def test_what_is_no_normaliser_is_refused(text):
    with pytest.raises(AcesError, match="normalizer"):
        read_normalizer(text)


def test_constants_of_other_channels_are_refused():
    with pytest.raises(AcesError, match="is for 2 channels; the images have 3"):
        normalizer(Constants((0.1, 0.2), (1.0,)), (0.0,) * 3, (1.0,) * 3)
