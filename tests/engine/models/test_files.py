from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from engine.errors import AcesError
from engine.models import load
from engine.models.files import read
from engine.models.resnet import CifarResNet
from tests.engine.models.fabricated import saved, weights20


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


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth", "net.bin", "net"])
def test_safetensors_are_known_by_their_first_bytes(tmp_path, name):
    save_file(weights20(), tmp_path / name)
    assert read(tmp_path / name).format.label == "safetensors"
    assert load(tmp_path / name).card.architecture == "resnet20"


def test_a_file_of_torch_is_one_whatever_it_is_called(tmp_path):
    assert load(saved(tmp_path / "net.safetensors", weights20())).format == "state dict"


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [4, 5])
def test_a_pickle_of_a_newer_protocol_says_which(tmp_path, protocol, zipped):
    path = tmp_path / "net.pth"
    torch.save(weights20(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(AcesError, match=rf"pickled with protocol {protocol}, .* save its state dict again"):
        load(path)


def test_protocol_3_is_read(tmp_path):
    same = load(saved(tmp_path / "a.pth", weights20())).sha256
    assert load(saved(tmp_path / "b.pth", weights20(), pickle_protocol=3)).sha256 == same


def test_a_pickle_that_torch_did_not_write_is_refused(tmp_path):
    path = tmp_path / "net.pth"
    path.write_bytes(pickle.dumps(np.float64(3)))
    with pytest.raises(AcesError, match=r"refused|damaged"):
        load(path)


def test_a_folder_is_no_checkpoint(tmp_path):
    with pytest.raises(AcesError, match="is a folder; name the checkpoint in it"):
        load(tmp_path)
