from __future__ import annotations

from collections import OrderedDict

import pytest
from torch import nn

from engine import datasets
from engine.models import Hints, Normalizer
from engine.models.own import find
from engine.models.resnet import CifarResNet
from tests.engine.models.fabricated import CIFAR_MEAN, CIFAR_STD, First, cohen, lively, resnet110, same_answers, saved


def test_macer(tmp_path):
    net = resnet110()
    path = saved(tmp_path / "macer" / "noise_0.25" / "0.25.pth", {"net": net.state_dict(), "epoch": 440})
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.normalizer) == ("resnet110-macer", Normalizer.NONE)
    assert (loaded.card.training, loaded.card.sigma_train, loaded.format) == ("macer", 0.25, "MACER")


def test_consistency(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), lively(CifarResNet(3, 10)))
    path = cohen(tmp_path / "consistency" / "noise_0.50" / "checkpoint.pth.tar", net, "cifar_resnet20")
    loaded = same_answers(path, net)
    assert (loaded.card.architecture, loaded.card.training, loaded.card.sigma_train) == ("resnet20", "consistency", 0.5)


@pytest.mark.parametrize(("outputs", "arch"), [(2, "cifar_resnet110"), (2, "cifar_resnet110_binary"), (1, "any")])
def test_the_authors_selection_networks_whatever_arch_says(tmp_path, outputs, arch):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110(outputs))
    folder = tmp_path / "gaussian" / "noise_0.25_selection_model" / "selection_model_gaussian_025_binary_050"
    loaded = same_answers(cohen(folder / "checkpoint.pth.tar", net, arch), net)
    assert (loaded.outputs, loaded.card.architecture, loaded.card.sigma_train) == (outputs, "resnet110", 0.25)


def test_smoothing_ensembles_in_the_old_format_of_torch(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), resnet110())
    state = OrderedDict((name, t) for name, t in net.state_dict().items() if "num_batches_tracked" not in name)
    data = {"epoch": 150, "arch": "cifar_resnet110", "state_dict": state, "optimizer": {}}
    path = saved(tmp_path / "checkpoint-1000.pth.tar", data, _use_new_zipfile_serialization=False)
    assert same_answers(path, net).card.name == "checkpoint-1000"


def test_acr_weakness(tmp_path):
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), lively(CifarResNet(8, 10)))
    assert same_answers(cohen(tmp_path / "a.pth.tar", net, "cifar_resnet50"), net).card.architecture == "resnet50-cifar"
    cifar100 = datasets.card("cifar100")
    net = nn.Sequential(First(cifar100.mean, cifar100.std), resnet110(100))
    path = cohen(tmp_path / "b.pth.tar", net, "cifar100_resnet110")
    assert same_answers(path, net, Hints(dataset=cifar100)).outputs == 100


def test_data_dependent_smoothing(tmp_path):
    body = lively(find("resnet18-ddrs").build(10, 3))
    net = nn.Sequential(First(CIFAR_MEAN, CIFAR_STD), body)
    path = saved(tmp_path / "cifar10.pth", {"state_dict": body.state_dict(), "epoch": 3})
    assert same_answers(path, net).card.architecture == "resnet18-ddrs"
