from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import AcesError
from engine.models import load
from engine.training.checkpoint import arch, keep, restore
from engine.training.fit import fit, state_file
from engine.training.loop import train
from tests import toy
from tests.engine.training.recipes import RECIPE, STANDARD, network, plan

pytestmark = pytest.mark.usefixtures("toy_dataset")


def test_a_state_of_other_settings_is_refused(tmp_path):
    state = tmp_path / "state.pth.tar"
    train(network(), toy.images("train"), STANDARD, 0.0, RECIPE, state_file=state)
    other = replace(RECIPE, lr=0.01)
    with pytest.raises(AcesError, match="other lr"):
        train(network(), toy.images("train"), STANDARD, 0.0, other, state_file=state)


@pytest.mark.parametrize("keep", [0, 1000, -100])
def test_a_damaged_state_says_what_to_do(tmp_path, keep):
    state = tmp_path / "state.pth.tar"
    train(network(), toy.images("train"), STANDARD, 0.0, RECIPE, state_file=state)
    state.write_bytes(state.read_bytes()[:keep])
    with pytest.raises(AcesError, match="is damaged; remove it to start this training again"):
        train(network(), toy.images("train"), STANDARD, 0.0, RECIPE, state_file=state)


def test_a_flipped_bit_in_a_state_is_damage_and_no_other_weight(tmp_path):
    state, net = tmp_path / "state.pth.tar", network()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    keep(state, net, optimizer, {"seed": 1}, [{"epoch": 1}])
    assert restore(state, net, optimizer, {"seed": 1}) == [{"epoch": 1}]
    data = state.read_bytes()
    weight = net.body.state_dict()["conv1.weight"].numpy().tobytes()
    for at in (data.index(b"state_dict"), data.index(weight), data.index(weight) + 3):  # 3: of an exponent
        state.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(AcesError, match="is damaged; remove it to start this training again"):
            restore(state, net, optimizer, {"seed": 1})
    state.write_bytes(data)
    with pytest.raises(AcesError, match="other seed"):
        restore(state, net, optimizer, {"seed": 2})


def test_fit_leaves_a_checkpoint_in_cohens_structure(tmp_path):
    checkpoint = load(fit(plan(), tmp_path))
    kept = torch.load(state_file(tmp_path, plan()), weights_only=True)
    assert (kept["epoch"], kept["arch"]) == (3, "cifar_resnet8")
    assert next(iter(kept["state_dict"])) == "1.conv1.weight"
    for name, tensor in checkpoint.network.body.state_dict().items():
        assert torch.equal(kept["state_dict"][f"1.{name}"], tensor)
    assert {"state", "param_groups"} <= set(kept["optimizer"])
    assert arch(torch.nn.Linear(1, 1), "resnet50") == "resnet50"
