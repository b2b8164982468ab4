from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import AcesError
from engine.models import build, load
from engine.training import METHODS, Recipe, gaussian, recipe, standard, train
from engine.training.fit import fit
from engine.training.loop import _augment, accuracy
from tests import toy

pytestmark = pytest.mark.usefixtures("toy_dataset")
RECIPE = Recipe(epochs=3, batch_size=8, lr=0.05, weight_decay=1e-4, schedule="cosine", crop_padding=0, flip=False)


def network(seed: int = 0):
    torch.manual_seed(seed)
    return build("resnet8", "toy")


def test_gaussian_loss_is_the_cross_entropy_under_the_generators_noise():
    net = network().eval()
    x, y = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    loss, logits = gaussian(net, x, y, 0.5, torch.Generator().manual_seed(3))
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    z = net(x + 0.5 * noise).detach().numpy().astype(np.float64)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    assert loss.item() == pytest.approx(-np.log(p[np.arange(4), y.numpy()]).mean(), rel=1e-5)
    assert logits.detach().numpy() == pytest.approx(z, rel=1e-5)


def test_standard_loss_sees_no_noise():
    net, x, y = network().eval(), torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    loss, _ = standard(net, x, y, 9.0, torch.Generator())
    assert loss.item() == pytest.approx(torch.nn.functional.cross_entropy(net(x), y).item())


def test_training_learns_the_toy_task():
    net = network()
    train(net, toy.images("train"), METHODS["standard"].objective, 0.0, replace(RECIPE, epochs=12))
    assert accuracy(net, toy.images("test")) == 100


def test_a_resumed_run_ends_in_the_same_weights(tmp_path):
    whole, data = network(), toy.images("train")
    train(whole, data, METHODS["gaussian"].objective, 0.1, RECIPE)

    class KilledError(Exception):
        pass

    def kill(report):
        if report.epoch == 2 and report.seen == 16:
            raise KilledError

    state, resumed = tmp_path / "state.pt", network()
    with pytest.raises(KilledError):
        train(resumed, data, METHODS["gaussian"].objective, 0.1, RECIPE, state_file=state, report=kill)
    resumed = network(seed=9)
    history = train(resumed, data, METHODS["gaussian"].objective, 0.1, RECIPE, state_file=state)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_state_of_other_settings_is_refused(tmp_path):
    state = tmp_path / "state.pt"
    train(network(), toy.images("train"), METHODS["standard"].objective, 0.0, RECIPE, state_file=state)
    other = replace(RECIPE, lr=0.01)
    with pytest.raises(AcesError, match="other lr"):
        train(network(), toy.images("train"), METHODS["standard"].objective, 0.0, other, state_file=state)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    state = tmp_path / "state.pt"

    def breaks(net, x, y, sigma, generator):
        loss, logits = standard(net, x, y, sigma, generator)
        return (loss * float("nan") if state.exists() else loss), logits

    with pytest.raises(AcesError, match="became nan in epoch 2"):
        train(network(), toy.images("train"), breaks, 0.0, RECIPE, state_file=state)
    assert len(torch.load(state, weights_only=True)["history"]) == 1


def test_augmentation_crops_and_flips_each_image_on_its_own():
    x = torch.arange(1, 65, dtype=torch.float32).view(1, 1, 8, 8).repeat(200, 1, 1, 1)
    out = _augment(x, replace(RECIPE, crop_padding=1, flip=True), torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    kinds = {tuple(image.flatten().tolist()) for image in out}
    assert len(kinds) == 3 * 3 * 2  # shifts by -1, 0, 1 both ways, mirrored or not
    assert tuple(x[0].flatten().tolist()) in kinds
    assert tuple(x[0].flip(2).flatten().tolist()) in kinds


@pytest.mark.parametrize(("epoch", "lr"), [(0, 0.1), (29.9, 0.1), (30, 0.01), (89.9, 0.001)])
def test_the_paper_schedule_drops_tenfold_every_30_epochs(epoch, lr):
    assert recipe("paper").lr_at(epoch) == pytest.approx(lr)


def test_fit_writes_a_checkpoint_and_a_card_that_says_how_it_was_made(tmp_path):
    path = fit("gaussian", "toy", "resnet8", 0.25, RECIPE, tmp_path, name="net", seed=4)
    checkpoint, card = load(path), json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == checkpoint.sha256
    assert (card["training"], card["sigma_train"], card["seed"]) == ("gaussian", 0.25, 4)
    assert card["recipe"]["epochs"] == len(card["history"]) == 3
    assert card["test_accuracy"] == pytest.approx(accuracy(checkpoint.network, toy.images("test")), abs=0.01)
    assert not list(tmp_path.glob("*.state.pt"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: recipe("quick"), "unknown preset 'quick'; known: paper, demo"),
        (lambda p: fit("macro", "toy", "resnet8", 0.1, RECIPE, p, name="x"), "unknown training method 'macro'"),
    ],
)
def test_unknown_names_list_the_known_ones(tmp_path, call, message):
    with pytest.raises(AcesError, match=message):
        call(tmp_path)
