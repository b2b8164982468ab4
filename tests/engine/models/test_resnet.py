from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from engine.models import ARCHITECTURES, build, load


@pytest.mark.parametrize(
    ("depth", "classes", "parameters", "entries"),
    [
        (110, 10, 1_730_714, 668),
        (110, 2, 1_730_194, 668),
        (110, 1, 1_730_129, 668),
        (110, 100, 1_736_564, 668),
        (110, 1000, 1_795_064, 668),
        (20, 10, 272_474, 128),
    ],
)
def test_cifar_resnets_have_the_published_names_in_the_published_order(depth, classes, parameters, entries):
    n = (depth - 2) // 6
    batch_norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    names = ["conv1.weight", *(f"bn1.{x}" for x in batch_norm)]
    for stage in (1, 2, 3):
        for block in range(n):
            at = f"layer{stage}.{block}"
            for k in (1, 2):
                names += [f"{at}.conv{k}.weight", *(f"{at}.bn{k}.{x}" for x in batch_norm)]
            if stage > 1 and block == 0:
                names += [f"{at}.downsample.0.weight", *(f"{at}.downsample.1.{x}" for x in batch_norm)]
    net = ARCHITECTURES[f"resnet{depth}"].build(classes, 3)
    assert list(net.state_dict()) == [*names, "fc.weight", "fc.bias"]
    assert len(net.state_dict()) == entries
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_a_stem_that_halves_the_sides():
    """5x5, stride 2: 32 pixels become 16 before the first block, and a network of odd sides is one as well."""
    net = build("resnet8x4-half", "cifar10").body
    assert net.conv1(torch.rand(1, 3, 32, 32)).shape == (1, 64, 16, 16)
    assert net.layer3(net.layer2(net.layer1(torch.rand(1, 64, 16, 16)))).shape == (1, 256, 4, 4)
    assert build("resnet8x4-half", "fashion_mnist")(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("name", ["resnet8x4-half", "resnet14x4-half"])
def test_weights_tell_a_halving_stem_from_another(tmp_path, name):
    save_file(build(name, "cifar10").body.state_dict(), tmp_path / "net.safetensors")
    assert load(tmp_path / "net.safetensors").card.architecture == name
