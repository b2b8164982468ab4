from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from engine import datasets
from engine.errors import AcesError
from engine.models import Hints, load
from engine.models.resnet import CifarResNet
from tests import ROOT
from tests.engine.models.fabricated import saved


def test_weights_that_fit_nothing_name_the_nearest_architecture_and_what_differs(tmp_path):
    state = CifarResNet(3, 10).state_dict()
    del state["layer1.0.conv1.weight"]
    path = saved(tmp_path / "net.pth.tar", {"state_dict": {**state, "extra": torch.zeros(1)}, "arch": "lenet"})
    differs = r"nearest is resnet20: 1 missing: layer1\.0\.conv1\.weight; 1 unexpected: extra"
    with pytest.raises(AcesError, match=rf"\(the file says lenet\); {differs}"):
        load(path)


def test_a_wrong_architecture_is_refused_with_the_one_that_fits(tmp_path):
    path = saved(tmp_path / "net.pth", CifarResNet(3, 10).state_dict())
    with pytest.raises(AcesError, match=r"do not fit resnet110 \(450 missing: .*\); they fit resnet20"):
        load(path, Hints(architecture="resnet110"))


def test_colour_networks_are_refused_on_grey_images(tmp_path):
    path = saved(tmp_path / "net.pth", CifarResNet(3, 10).state_dict())
    with pytest.raises(AcesError, match="reads images of 3 channels; those of fashion_mnist have 1"):
        load(path, Hints(dataset=datasets.card("fashion_mnist")))


def test_recognising_a_network_by_its_shapes_does_not_load_torchs_compiler():
    """It would cost every certificate a second and 150 MB."""
    code = (
        "import sys; from pathlib import Path; from engine.models import load; "
        f"load(Path({str(ROOT / 'cache' / 'demo' / 'cifar10-gaussian-0.25.safetensors')!r})); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
