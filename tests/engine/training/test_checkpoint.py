from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.errors import AcesError
from engine.models import load
from engine.training.checkpoint import arch
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


def test_fit_leaves_a_checkpoint_in_cohens_structure(tmp_path):
    checkpoint = load(fit(plan(), tmp_path))
    kept = torch.load(state_file(tmp_path, plan()), weights_only=True)
    assert (kept["epoch"], kept["arch"]) == (3, "cifar_resnet8")
    assert next(iter(kept["state_dict"])) == "1.conv1.weight"
    for name, tensor in checkpoint.network.body.state_dict().items():
        assert torch.equal(kept["state_dict"][f"1.{name}"], tensor)
    assert {"state", "param_groups"} <= set(kept["optimizer"])
    assert arch(torch.nn.Linear(1, 1), "resnet50") == "resnet50"
