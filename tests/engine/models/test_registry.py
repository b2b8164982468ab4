from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

from engine import datasets
from engine.errors import AcesError
from engine.models import ARCHITECTURES, NetworkCard, build, load, save, weights_sha256

CARD = NetworkCard("net", "resnet8", "fashion_mnist", "gaussian", 0.25)


@pytest.mark.parametrize(
    ("architecture", "parameters"), [("resnet8", 77_754), ("resnet14", 174_970), ("resnet20", 272_186)]
)
def test_parameter_counts_on_grey_images(architecture, parameters):
    network = build(architecture, "fashion_mnist")
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize("card", ARCHITECTURES.values(), ids=list(ARCHITECTURES))
def test_the_cards_count_parameters_and_multiplications_right(card):
    data = datasets.card(card.dataset)
    with torch.device("meta"):  # shapes only
        body = card.build(data.num_classes, data.shape[0]).eval()
        with FlopCounterMode(display=False) as counter:
            outputs = body(torch.empty(1, data.shape[0], card.size, card.size))
    assert sum(p.numel() for p in body.parameters()) == card.parameters
    assert counter.get_total_flops() == 2 * card.macs
    assert outputs.shape == (1, data.num_classes)
    assert len(body.state_dict()[card.head]) == data.num_classes


def test_unknown_architecture_lists_the_known_ones():
    with pytest.raises(AcesError, match="unknown architecture 'resnet9'; known: resnet8"):
        build("resnet9", "fashion_mnist")


def test_a_checkpoint_comes_back_with_the_same_answers_and_identity(tmp_path):
    network, path = build("resnet8", "fashion_mnist").eval(), tmp_path / "net.safetensors"
    save(path, network, CARD)
    loaded = load(path)
    x = torch.rand(3, 1, 28, 28)
    assert torch.equal(loaded.network(x), network(x))
    assert loaded.card == CARD
    assert loaded.sha256 == weights_sha256(network)


def test_identity_ignores_memory_format_and_sees_every_weight():
    network = build("resnet8", "fashion_mnist")
    before = weights_sha256(network)
    assert weights_sha256(network.to(memory_format=torch.channels_last)) == before
    with torch.no_grad():
        network.body.fc.bias[3] += 1e-6
    assert weights_sha256(network) != before


def bad(tmp_path, kind):
    path = tmp_path / "net.safetensors"
    save(path, build("resnet8", "fashion_mnist"), CARD)
    whole = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "no card":
        save_file({"x": torch.zeros(1)}, path)
    else:
        card = {"name": "n", "architecture": "resnet14", "dataset": "fashion_mnist", "training": "g", "sigma_train": 0}
        save_file(build("resnet8", "fashion_mnist").state_dict(), path, metadata={"aces": json.dumps(card)})
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "no checkpoint at"),
        ("truncated", "not a readable safetensors file"),
        ("empty", "is empty"),
        ("no card", "fits no known architecture; nearest is"),
        ("other architecture", r"does not fit resnet14 on fashion_mnist: \d+ missing: layer1"),
    ],
)
def test_checkpoints_that_cannot_be_used_say_why(tmp_path, kind, message):
    with pytest.raises(AcesError, match=message) as caught:
        load(bad(tmp_path, kind))
    assert "\n" not in str(caught.value)
