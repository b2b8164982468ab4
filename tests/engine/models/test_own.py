from __future__ import annotations

import sys

import pytest
import torch

from engine import datasets
from engine.errors import AcesError
from engine.models import Hints, Normalizer, load
from engine.models.own import find
from tests.engine.models.fabricated import lively, same_answers, saved, tiny


def test_a_function_of_ones_own_reads_images_as_they_are(tmp_path):
    net = tiny()
    path = saved(tmp_path / "mine.pth", net.state_dict())
    hints = Hints(architecture=f"{__name__}:tiny", dataset=datasets.card("cifar10"))
    assert same_answers(path, net, hints).normalizer == Normalizer.NONE
    with pytest.raises(AcesError, match="is the module on PYTHONPATH"):
        load(path, Hints(architecture="nowhere:tiny"))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_torchscript_brings_its_own_code(tmp_path):
    net = tiny().eval()
    path = tmp_path / "mine.pt"
    torch.jit.script(net).save(str(path))
    hints = Hints(dataset=datasets.card("cifar10"), trust=True)
    loaded = same_answers(path, net, hints)
    assert (loaded.format, loaded.card.architecture, loaded.outputs) == ("TorchScript", "torchscript", None)
    path.write_bytes(path.read_bytes() + b" ")
    assert load(path, hints).sha256 != loaded.sha256


def test_any_model_of_timm_by_name(tmp_path):
    timm = pytest.importorskip("timm")
    net = lively(timm.create_model("resnet10t", num_classes=10))
    path = saved(tmp_path / "net.pth", net.state_dict())
    loaded = load(path, Hints(architecture="timm:resnet10t"))
    assert (loaded.outputs, loaded.transform.crop) == (10, 176)
    with pytest.raises(AcesError, match="timm knows no model 'resnet10x'"):
        load(path, Hints(architecture="timm:resnet10x"))


def test_without_timm_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(AcesError, match="pip install timm"):
        find("timm:resnet18")
