from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.errors import AcesError
from engine.models import Hints, build, load
from tests.engine.models.fabricated import CARD, weights

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("fc.weight", torch.zeros(1, 64).expand(10**12, 64), "no plain tensor that holds all its values"),
        ("conv1.weight", torch.zeros(1).expand(16, 10**10, 3, 3), "no plain tensor that holds all its values"),
        ("fc.weight", torch.zeros(10**12, 0), "of another shape: fc.weight"),
        ("conv1.weight", torch.zeros(0, 10**12, 1, 1), "of another shape: conv1.weight"),
        ("fc.weight", torch.zeros(10, 64).to_sparse(), "is sparse"),
        ("fc.weight", torch.zeros(10, 64, device="meta"), "is on the device meta"),
        ("x" * 10_000, torch.zeros(1), r"1 unexpected: x{60}\)"),
    ],
    ids=lambda value: str(getattr(value, "shape", value))[:40],
)
def test_a_size_that_a_file_claims_allocates_nothing(tmp_path, name, tensor, message):
    path = tmp_path / "net.pth"
    torch.save({**weights(), name: tensor}, path)
    with pytest.raises(AcesError, match=message):
        load(path, Hints(architecture="resnet8"))


@pytest.mark.parametrize("carries", [True, False])
def test_nor_does_a_safetensors_file(tmp_path, carries):
    path = tmp_path / "net.safetensors"
    state = build("resnet8", "toy").state_dict() if carries else weights()
    name = "body.fc.weight" if carries else "fc.weight"
    save_file({**state, name: torch.zeros(10**12, 0)}, path, {"aces": json.dumps(CARD)} if carries else None)
    with pytest.raises(AcesError, match=r"of another shape: fc\.bias, fc\.weight"):
        load(path)


class Allocating:
    def __reduce__(self):
        return bytearray, (2**62,)


def test_a_pickle_that_asks_for_all_memory_is_damaged(tmp_path):
    path = tmp_path / "net.pth"
    torch.save({"state_dict": Allocating()}, path)
    with pytest.raises(AcesError, match=r"net\.pth is (damaged|refused)"):
        load(path)


def nested(depth: int) -> bytes:
    return b"\x80\x02" + b"(" * depth + b"l" * depth + b"."


@pytest.mark.parametrize(
    "data", [nested(10**5), b"\x80\x02.", b"\x80\x04\x95" + b"\xff" * 8 + b"N.", b"cos\nabort\n(tR."]
)
def test_odd_pickles_are_one_line(tmp_path, data):
    path = tmp_path / "net.pth"
    path.write_bytes(data)
    with pytest.raises(AcesError, match=r"net\.pth is (damaged|refused)") as caught:
        load(path)
    assert "\n" not in str(caught.value)
