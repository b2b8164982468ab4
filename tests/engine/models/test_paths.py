from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from engine.models import Constants, Hints, Normalizer
from engine.models.efficientnet import efficientnet
from engine.models.paths import HALVES, IMAGENET, published_normalizer
from tests.engine.models.fabricated import (
    CIFAR_MEAN,
    CIFAR_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ONES,
    First,
    cohen,
    lively,
    resnet20,
    resnet110,
    same_answers,
    saved,
)

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


HALF = (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "mean", "std", "kind"),
    [
        ("adv-efficientnet-b0-b64d5a18.pth", HALF, HALF, HALVES),
        ("efficientnet-b0-355c32eb.pth", IMAGENET_MEAN, IMAGENET_STD, Normalizer.NORMALIZE),
        ("mine.pth", IMAGENET_MEAN, IMAGENET_STD, Normalizer.NORMALIZE),
    ],
)
def test_advprops_networks_read_other_images_than_their_architecture_says(tmp_path, name, mean, std, kind):
    torch.manual_seed(0)
    body = lively(efficientnet(0, 1000, 3))
    net = nn.Sequential(First(mean, std), body)
    assert same_answers(saved(tmp_path / name, body.state_dict()), net, size=64).normalizer == kind


def test_what_is_asked_for_wins_over_the_name(tmp_path):
    asked = Constants((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    path = saved(tmp_path / "resnet20-12ac28fb.pth", resnet20().state_dict())
    net = nn.Sequential(First(asked.mean, asked.std), resnet20())
    assert same_answers(path, net, Hints(normalizer=asked)).why == "as asked for"


def test_a_small_network_of_that_name_is_not_torchvisions(tmp_path):
    path = saved(tmp_path / "resnet20-12ac28fb.pth", resnet20().state_dict())
    same_answers(path, nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet20()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchvisions_files_are_known_by_their_name(tmp_path):
    from torchvision.models import resnet18

    torch.manual_seed(0)
    body = lively(resnet18())
    path = saved(tmp_path / "resnet18-f37072fd.pth", body.state_dict())
    hints = Hints(architecture="torchvision.models:resnet18")
    net = nn.Sequential(First(IMAGENET_MEAN, IMAGENET_STD), body)
    assert same_answers(path, net, hints, size=64).normalizer == IMAGENET
    other = saved(tmp_path / "mine.pth", body.state_dict())
    assert same_answers(other, body, hints, size=64).normalizer == Normalizer.NONE


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("resnet50-0676ba61.pth", IMAGENET),
        ("tf_efficientnet_b0_ap-f262efe1.pth", HALVES),
        ("convnext_tiny-983f1562.pth", IMAGENET),
        ("resnet50.pth", None),
        ("checkpoint.pth.tar", None),
        ("my-resnet50-0676ba61.pth", None),
    ],
)
def test_names_of_published_files(name, constants):
    found = published_normalizer(Path("somewhere") / name)
    assert (found and found[0]) == constants
