from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import AcesError
from engine.training import loop
from engine.training.loop import accuracy, augment, train
from engine.training.methods import METHODS
from engine.training.objective import BatchResult
from engine.training.presets import override, preset
from engine.training.standard import standard
from tests import toy
from tests.engine.training.recipes import GAUSSIAN, RECIPE, STANDARD, colour_preset, network

pytestmark = pytest.mark.usefixtures("toy_dataset")


def test_training_learns_the_toy_task():
    net = network()
    train(net, toy.images("train"), STANDARD, 0.0, replace(RECIPE, epochs=12))
    assert accuracy(net, toy.images("test")) == 100


@pytest.mark.parametrize("name", [name for name in METHODS if name != "standard"])
def test_every_method_learns_the_toy_task_under_noise(name):
    recipe, hyper = preset("demo", name, "toy", 0.25)
    recipe, hyper = override(recipe, hyper, {"epochs": "10", "batch_size": "8", "crop_padding": "0", "lr": "0.05"})
    net = network()
    history = train(net, toy.images("train"), METHODS[name].objective(hyper), 0.1, recipe)
    assert accuracy(net, toy.images("test"), 0.1) > 90
    assert history[-1].loss < history[0].loss or name == "macer"  # whose robustness term comes late


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_resumed_run_ends_in_the_same_weights(tmp_path, dropout):
    whole, data = network(dropout=dropout), toy.images("train")
    train(whole, data, GAUSSIAN, 0.1, RECIPE)

    class KilledError(Exception):
        pass

    def kill(report):
        if report.epoch == 2:
            raise KilledError

    state, resumed = tmp_path / "state.pth.tar", network(dropout=dropout)
    with pytest.raises(KilledError):
        train(resumed, data, GAUSSIAN, 0.1, RECIPE, state_file=state, report=kill)
    resumed = network(seed=9, dropout=dropout)
    history = train(resumed, data, GAUSSIAN, 0.1, RECIPE, state_file=state)
    assert [epoch.epoch for epoch in history] == [1, 2, 3]
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_images_that_memory_would_not_hold_are_refused(monkeypatch):
    monkeypatch.setattr(loop, "MEMORY", 1000)
    with pytest.raises(AcesError, match="training keeps images in memory"):
        train(network(), toy.images("train"), STANDARD, 0.0, RECIPE)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(tmp_path):
    state = tmp_path / "state.pth.tar"

    def breaks(net, x, y, step):
        outcome = standard(net, x, y, step)
        return BatchResult(outcome.loss * float("nan"), outcome.answer) if step.epoch == 1 else outcome

    with pytest.raises(AcesError, match=r"became nan in epoch 2, .* learning rate 0.0\d+: the weights diverged"):
        train(network(), toy.images("train"), breaks, 0.0, RECIPE, state_file=state)
    kept = torch.load(state, weights_only=True)
    assert kept["epoch"] == len(kept["history"]) == 1
    assert all(torch.isfinite(tensor).all() for tensor in kept["state_dict"].values())


def test_the_accuracy_by_epoch_is_that_of_the_held_out_images_under_noise():
    net, held_out = network(), toy.images("test").every(2)
    history = train(net, toy.images("train"), GAUSSIAN, 0.3, RECIPE, held_out=held_out)
    assert history[-1].held_out == accuracy(net, held_out, 0.3)


def test_tallies_are_summed_over_the_epoch():
    def counting(net, x, y, step):
        outcome = standard(net, x, y, step)
        return BatchResult(outcome.loss, outcome.answer, {"dark": (y == 0).sum()})

    history = train(network(), toy.images("train"), counting, 0.0, RECIPE)
    assert [epoch.tally for epoch in history] == [{"dark": 8}] * 3


def test_images_of_one_class_are_refused():
    data = toy.images("train")
    with pytest.raises(AcesError, match="all 24 training images of toy have the same label"):
        train(network(), replace(data, label=np.zeros(24, np.int64)), STANDARD, 0.0, RECIPE)


def test_augmentation_crops_and_flips_each_image_on_its_own():
    x = torch.arange(1, 65, dtype=torch.float32).view(1, 1, 8, 8).repeat(200, 1, 1, 1)
    out = augment(x, replace(RECIPE, crop_padding=1, flip=True), torch.Generator().manual_seed(0))
    assert out.shape == x.shape
    kinds = {tuple(image.flatten().tolist()) for image in out}
    assert len(kinds) == 3 * 3 * 2  # shifts by -1, 0, 1 both ways, mirrored or not
    assert tuple(x[0].flatten().tolist()) in kinds
    assert tuple(x[0].flip(2).flatten().tolist()) in kinds


@pytest.mark.parametrize(("epoch", "lr"), [(0, 0.1), (29.9, 0.1), (30, 0.01), (89.9, 0.001)])
def test_the_paper_schedule_drops_tenfold_every_30_epochs(epoch, lr):
    assert colour_preset("gaussian")[0].lr_at(epoch) == pytest.approx(lr)
