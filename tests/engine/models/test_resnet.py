from __future__ import annotations

import pytest

from engine.models import ARCHITECTURES


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
