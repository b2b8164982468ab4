"""Checkpoints as the field publishes them, fabricated key by key, come back with the logits they were made with."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import AcesError
from engine.models import Hints, Normalizer, load, weights_sha256
from engine.models.own import find
from engine.models.resnet import CifarResNet
from tests import ROOT
from tests.engine.models.fabricated import (
    CIFAR_MEAN,
    CIFAR_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ONES,
    First,
    cohen,
    lively,
    resnet110,
    same_answers,
    saved,
)


def test_cohen_on_cifar10(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110())
    path = cohen(tmp_path / "cifar10" / "gaussian" / "noise_0.25" / "checkpoint.pth.tar", net, "cifar_resnet110")
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.outputs, loaded.normalizer) == ("resnet110", 10, Normalizer.NORMALIZE)
    assert (loaded.card.name, loaded.card.training, loaded.card.sigma_train) == ("noise_0.25", "gaussian", 0.25)


def test_cohen_on_imagenet(tmp_path):
    net = nn.Sequential(First(IMAGENET_MEAN, IMAGENET_STD), nn.DataParallel(lively(find("resnet50").build(1000, 3))))
    assert "1.module.conv1.weight" in net.state_dict()
    assert len(net.state_dict()) == 320
    path = cohen(tmp_path / "checkpoint.pth.tar", net, "resnet50")
    loaded = same_answers(path, net, size=64)
    assert (loaded.card.architecture, loaded.card.dataset, loaded.outputs) == ("resnet50", "imagenet", 1000)


@pytest.mark.parametrize(("kind", "mean", "std"), [("center", CIFAR_MEAN, ONES), ("none", (0.0, 0.0, 0.0), ONES)])
def test_a_normaliser_that_is_asked_for_wins(tmp_path, kind, mean, std):
    net = nn.Sequential(First(mean, std), resnet110())
    path = cohen(tmp_path / "checkpoint.pth.tar", net, "cifar_resnet110")
    assert same_answers(path, net, Hints(normalizer=Normalizer(kind))).why == "as asked for"


def test_a_bare_state_dict_as_safetensors(tmp_path):
    body = lively(CifarResNet(3, 10))
    save_file(body.state_dict(), tmp_path / "net.safetensors")
    same_answers(tmp_path / "net.safetensors", nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body))


def test_forks_that_register_the_normalisers_constants(tmp_path):
    body = lively(CifarResNet(3, 10))
    inside = {f"1.{name}": tensor for name, tensor in body.state_dict().items()}
    center = {"0.means": torch.tensor(CIFAR_MEAN), **inside}
    path = saved(tmp_path / "a.pth.tar", {"state_dict": center, "arch": "cifar_resnet20"})
    assert same_answers(path, nn.Sequential(First(CIFAR_MEAN), body)).normalizer == Normalizer.CENTER
    other = {"0.means": torch.tensor(IMAGENET_MEAN), "0.sds": torch.tensor(IMAGENET_STD), **inside}
    path = saved(tmp_path / "b.pth.tar", {"state_dict": other})
    with pytest.raises(AcesError, match=r"normalises with means .* name the right dataset"):
        load(path)


def test_identity_depends_on_weights_and_normaliser_not_on_the_file(tmp_path):
    body = lively(CifarResNet(3, 10))
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body)
    a = cohen(tmp_path / "a.pth.tar", net, "cifar_resnet20")
    b = saved(tmp_path / "b.pt", body.state_dict(), _use_new_zipfile_serialization=False)
    assert load(a).sha256 == load(b).sha256 == weights_sha256(load(a).network)
    assert load(a, Hints(normalizer=Normalizer.CENTER)).sha256 != load(a).sha256


def test_the_demos_networks_keep_their_identity():
    demo = ROOT / "cache" / "demo"
    known = {
        "fashion_mnist-core": "cea10843f4efd3e2",
        "fashion_mnist-gaussian-0.5": "871952072a44ce74",
    }
    assert {name: load(demo / f"{name}.safetensors").sha256[:16] for name in known} == known
