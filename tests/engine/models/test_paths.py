from __future__ import annotations

import pytest
from torch import nn

from engine.models import Normalizer
from tests.engine.models.fabricated import CIFAR_MEAN, CIFAR_STD, ONES, First, cohen, resnet110, same_answers

SALMAN = "PGD_10steps_multiNoiseSamples-8-multitrain-eps_255-cifar10-resnet110-noise_025"


@pytest.mark.parametrize(
    ("place", "std", "kind"),
    [
        (f"cifar10/smoothadv/checkpoint-cifar10-{SALMAN}.pth.tar", ONES, Normalizer.CENTER),
        ("cifar10/PGD_2steps/eps_64/noise_0.25/checkpoint.pth.tar", ONES, Normalizer.CENTER),
        ("cifar10/finetune_cifar_from_imagenetPGD2steps/PGD_10steps/checkpoint.pth.tar", CIFAR_STD, "normalize"),
        ("cifar10/self_training/PGD_4steps/checkpoint.pth.tar", CIFAR_STD, Normalizer.NORMALIZE),
    ],
)
def test_salman_behind_the_normaliser_that_the_path_tells(tmp_path, place, std, kind):
    net = nn.Sequential(First(CIFAR_MEAN, std), resnet110())
    loaded = same_answers(cohen(tmp_path / place, net, "cifar_resnet110"), net)
    assert loaded.normalizer == kind
    assert "SmoothAdv" in loaded.why


def test_salman_on_small_imagenet_uses_the_constants_of_cifar10(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110(1000))
    path = cohen(tmp_path / "imagenet32" / "PGD_2steps" / "checkpoint.pth.tar", net, "imagenet32_resnet110")
    assert same_answers(path, net).outputs == 1000
