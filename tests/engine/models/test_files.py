from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from engine.errors import AcesError
from engine.models import load
from engine.models.files import strip_prefixes
from engine.models.resnet import CifarResNet
from tests.engine.models.fabricated import saved


def test_prefixes_are_stripped_only_when_all_names_share_them():
    tensor = torch.zeros(1)
    assert list(strip_prefixes({"module.1.a": tensor, "module.1.b": tensor})) == ["a", "b"]
    assert list(strip_prefixes({"1.module.a": tensor, "1.module.1.b": tensor})) == ["a", "1.b"]
    assert list(strip_prefixes({"1.a": tensor, "fc.b": tensor})) == ["1.a", "fc.b"]


class Payload:
    """What a malicious pickle does when it is loaded carelessly."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("wrap", [lambda p: p, lambda p: {"state_dict": {"a": p}}, lambda p: {"net": {}, "epoch": p}])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_malicious_pickle_does_nothing(tmp_path, wrap, zipped):
    marker = tmp_path / "it-ran"
    path = saved(tmp_path / "evil.pth.tar", wrap(Payload(marker)), _use_new_zipfile_serialization=zipped)
    with pytest.raises(AcesError, match=r"refused: it names \w+\.system"):
        load(path)
    assert not marker.exists()


def test_a_whole_pickled_network_is_refused(tmp_path):
    with pytest.raises(AcesError, match=r"refused: it names .*; save its state dict alone"):
        load(saved(tmp_path / "net.pt", CifarResNet(1, 10)))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("keep", [0.5, 0.99, 0.0])
def test_a_truncated_checkpoint_says_so(tmp_path, keep, zipped):
    net = CifarResNet(1, 10)
    path = saved(tmp_path / "net.pth.tar", {"state_dict": net.state_dict()}, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(AcesError, match=r"net\.pth\.tar is (damaged|empty|refused)") as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([torch.zeros(1)], "holds a list, not weights by name"),
        ({}, "holds no weights by name"),
        ({"state_dict": {}}, "holds no weights by name"),
        ({"state_dict": {"a": 1}}, "'a' is no tensor"),
        ({"epoch": 3}, "'epoch' is no tensor"),
    ],
)
def test_files_without_weights_say_what_they_hold(tmp_path, data, message):
    with pytest.raises(AcesError, match=message):
        load(saved(tmp_path / "net.pth", data))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(AcesError, match=r"no checkpoint at .*absent\.pth"):
        load(tmp_path / "absent.pth")
