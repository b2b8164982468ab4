from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import datasets
from engine.errors import AcesError
from engine.mechanisms import core_probability
from engine.models import build, load
from engine.training import loop
from engine.training.checkpoint import arch
from engine.training.fit import TrainingPlan, fit, state_file
from engine.training.loop import Recipe, accuracy, augment, train
from engine.training.methods import METHODS, method
from engine.training.objective import BatchResult
from engine.training.presets import override, preset
from engine.training.selection import Selection, fit_selection
from engine.training.standard import standard
from tests import ROOT, toy

pytestmark = pytest.mark.usefixtures("toy_dataset")
RECIPE = Recipe(epochs=3, batch_size=8, lr=0.05, weight_decay=1e-4, schedule="cosine", crop_padding=0, flip=False)
GAUSSIAN = METHODS["gaussian"].objective()
STANDARD = METHODS["standard"].objective()


def network(seed: int = 0, dropout: float = 0.0):
    torch.manual_seed(seed)
    net = build("resnet8", "toy")
    if dropout:
        net.body.fc = torch.nn.Sequential(torch.nn.Dropout(dropout), net.body.fc)
    return net


def plan(name: str = "net", method: str = "gaussian", sigma: float = 0.25, **changes) -> TrainingPlan:
    return TrainingPlan(name, method, "toy", "resnet8", sigma, replace(RECIPE, **changes), seed=4)


# The loop


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


TRAIN = """
import sys
from pathlib import Path
from tests import toy
toy.register()
from tests.engine.training.test_fit import plan
from engine.training.fit import fit
fit(plan(epochs=60), Path(sys.argv[1]), report=lambda e: print(e.epoch, flush=True))
"""


def _start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TRAIN, str(folder)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."})


def _reach(process: subprocess.Popen[str], epoch: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= epoch:
            return
    raise AssertionError(f"ended before epoch {epoch}")


def test_a_run_that_was_killed_twice_gives_the_same_file_to_the_byte(tmp_path):
    for epoch in (5, 20):
        killed = _start(tmp_path / "killed")
        _reach(killed, epoch)
        killed.kill()
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "killed" / "net.safetensors").exists()
    done = [torch.load(tmp_path / "killed" / "net.pth.tar", weights_only=True)["epoch"]]
    for folder in ("killed", "whole"):
        last = _start(tmp_path / folder)
        out, _ = last.communicate(timeout=120)
        assert last.returncode == 0
        done.append(60 - int(out.split()[0]) + 1)  # epochs that this process trained
    assert done[0] >= 19
    assert done[1:] == [60 - done[0], 60]
    killed, whole = ((tmp_path / folder / "net.safetensors").read_bytes() for folder in ("killed", "whole"))
    assert killed == whole


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


# Presets


@pytest.mark.parametrize(("epoch", "lr"), [(0, 0.1), (29.9, 0.1), (30, 0.01), (89.9, 0.001)])
def test_the_paper_schedule_drops_tenfold_every_30_epochs(epoch, lr):
    assert colour_preset("gaussian")[0].lr_at(epoch) == pytest.approx(lr)


def colour_preset(name: str, sigma: float = 0.25):
    colour = replace(toy.CARD, name="colour", shape=(3, 32, 32), recipes="cifar")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(datasets.DATASETS, "colour", colour)
        return preset("paper", name, "colour", sigma)


def test_the_paper_presets_hold_what_was_published_for_cifar10():
    recipe, macer = colour_preset("macer", 1.0)
    assert (recipe.epochs, recipe.lr, recipe.weight_decay, recipe.crop_padding) == (440, 0.01, 5e-4, 4)
    assert (macer.lam, macer.copies, macer.gamma, macer.beta, macer.defer) == (12, 16, 8, 16, 200)
    assert [colour_preset("consistency", sigma)[1].lam for sigma in (0.25, 0.5, 1.0)] == [20, 10, 10]
    recipe, adv = colour_preset("smoothadv", 0.5)
    assert (recipe.batch_size * adv.copies, adv.epsilon, adv.steps, adv.warm_up) == (256, 2.0, 2, 10)
    assert not recipe.nesterov


@pytest.mark.parametrize(("sigma", "lam"), [(0.12, 20), (0.3, 20), (0.45, 10), (2.0, 10)])
def test_between_published_noise_levels_the_nearest_one_serves(sigma, lam):
    assert colour_preset("consistency", sigma)[1].lam == lam


def test_settings_are_replaced_by_name_wherever_they_live():
    recipe, hyper = preset("demo", "smoothadv", "toy", 0.25)
    recipe, hyper = override(recipe, hyper, {"lr": "0.3", "attack": "ddn", "steps": "7", "flip": "false"})
    assert (recipe.lr, recipe.flip, hyper.attack, hyper.steps) == (0.3, False, "ddn", 7)


# From a plan to a checkpoint


def test_fit_writes_a_checkpoint_and_a_card_that_says_how_it_was_made(tmp_path):
    path = fit(plan(), tmp_path)
    checkpoint, card = load(path), json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == checkpoint.sha256
    assert (card["training"], card["sigma_train"], card["seed"]) == ("gaussian", 0.25, 4)
    assert card["recipe"]["epochs"] == len(card["history"]) == 3
    data = toy.images("train")
    assert card["train_sha256"] == hashlib.sha256(data.array().tobytes() + data.label.tobytes()).hexdigest()
    assert (card["own_files"], card["train_encoding"]) == (False, None)
    assert card["test_accuracy"] == pytest.approx(accuracy(checkpoint.network, toy.images("test")), abs=0.01)
    held_out = accuracy(checkpoint.network, toy.images("test").every(5), 0.25)
    assert card["history"][-1]["held_out_accuracy_under_noise"] == pytest.approx(held_out)


def test_fit_leaves_a_checkpoint_in_cohens_structure(tmp_path):
    checkpoint = load(fit(plan(), tmp_path))
    kept = torch.load(state_file(tmp_path, plan()), weights_only=True)
    assert (kept["epoch"], kept["arch"]) == (3, "cifar_resnet8")
    assert next(iter(kept["state_dict"])) == "1.conv1.weight"
    for name, tensor in checkpoint.network.body.state_dict().items():
        assert torch.equal(kept["state_dict"][f"1.{name}"], tensor)
    assert {"state", "param_groups"} <= set(kept["optimizer"])
    assert arch(torch.nn.Linear(1, 1), "resnet50") == "resnet50"


def test_a_finished_run_is_not_trained_again(tmp_path):
    before = fit(plan(), tmp_path).read_bytes()
    reports = []
    assert fit(plan(), tmp_path, report=reports.append).read_bytes() == before
    assert reports == []


@contextmanager
def full_disk(limit: int):
    """No file of this process may grow beyond so many bytes: writing fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_is_one_line_and_keeps_the_last_epoch(tmp_path):
    state = state_file(tmp_path, plan())

    def fill(report):
        if report.epoch == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

    with full_disk(10**9), pytest.raises(AcesError, match=r"cannot write .*; the last whole checkpoint") as caught:
        fit(plan(), tmp_path, report=fill)
    assert "\n" not in str(caught.value)
    assert torch.load(state, weights_only=True)["epoch"] == 1
    assert [p.name for p in tmp_path.iterdir()] == [state.name]
    assert fit(plan(), tmp_path).is_file()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: preset("quick", "gaussian", "toy", 0.25), "unknown preset 'quick'; known: paper, demo"),
        (lambda p: method("macro"), "unknown training method 'macro'; known: standard, gaussian"),
        (lambda p: plan(sigma=0.0), "sigma is 0.0; gaussian trains under noise"),
        (lambda p: plan(sigma=-1.0), "sigma is -1.0"),
        (lambda p: plan(method="standard"), "sigma is 0.25; standard trains without noise"),
        (lambda p: override(RECIPE, None, {"lam": "1"}), "nothing named 'lam' to set; there are: epochs"),
        (lambda p: override(RECIPE, None, {"lr": "fast"}), "lr=fast: 'fast' is not of type float"),
        (lambda p: override(RECIPE, None, {"flip": "maybe"}), "'maybe' is not of type bool"),
        (lambda p: replace(RECIPE, schedule="linear"), "unknown schedule 'linear'; known: step, cosine"),
        (lambda p: replace(RECIPE, batch_size=1), "batch_size 1"),
        (lambda p: replace(RECIPE, momentum=1.0), r"momentum lies in \[0, 1\)"),
        (lambda p: fit(plan(), p, device="nowhere"), "device 'nowhere' is not available"),
        (lambda p: Selection(0.0), r"eta is 0.0; .* in \(0, 1\]"),
        (lambda p: Selection(1.01), "eta is 1.01"),
        (lambda p: Selection(0.5, draws=0), "draws is 0"),
    ],
)
def test_what_cannot_be_trained_says_why(tmp_path, call, message):
    with pytest.raises(AcesError, match=message):
        call(tmp_path)


# The selection network


@pytest.fixture
def teacher(tmp_path):
    """A certification network that knows bright images and is unsure of the others."""
    return load(fit(plan("teacher", epochs=2), tmp_path))


def select(teacher, folder, eta=0.5, draws=8, **calls):
    return fit_selection(teacher, Selection(eta, draws), plan(f"select-{eta}"), folder, **calls)


def test_labels_say_whether_enough_noisy_answers_are_right():
    right = np.array([0, 49, 50, 94, 95, 100], np.int32)
    assert Selection(0.5, 100).labels(right).tolist() == [0, 0, 1, 1, 1, 1]
    assert Selection(0.95, 100).labels(right).tolist() == [0, 0, 0, 0, 1, 1]
    assert Selection(1.0, 100).labels(right).tolist() == [0, 0, 0, 0, 0, 1]


def test_every_eta_is_met_exactly_at_its_own_count():
    for percent in range(1, 101):
        assert Selection(percent / 100, 1000).labels(np.array([10 * percent - 1, 10 * percent])).tolist() == [0, 1]


def test_counts_are_the_teachers_right_answers_under_noise(teacher, tmp_path):
    select(teacher, tmp_path, draws=40)
    with np.load(tmp_path / "teacher-right-train-40.npz") as kept:
        right, draws = kept["right"], int(kept["draws"])
    assert draws == 40
    data, generator = toy.images("train"), torch.Generator().manual_seed(0)
    x = torch.from_numpy(data.pixels())
    with torch.no_grad():
        answers = [
            teacher.network(x + 0.25 * torch.randn(x.shape, generator=generator)).argmax(1).numpy() for _ in range(40)
        ]
    independent = sum(answer == data.label for answer in answers)
    assert np.abs(right - independent).max() <= 20  # other noise: six standard deviations of the difference, at most
    assert np.corrcoef(right, independent)[0, 1] > 0.9


def test_the_selection_network_has_two_outputs_and_a_card_that_names_its_teacher(teacher, tmp_path):
    path = select(teacher, tmp_path)
    checkpoint, card = load(path), json.loads(path.with_suffix(".json").read_text())
    assert checkpoint.network(torch.rand(5, 1, 8, 8)).shape == (5, 2)
    assert core_probability(checkpoint.network(torch.rand(5, 1, 8, 8))).shape == (5,)
    assert (card["training"], card["outputs"], card["sigma_train"]) == ("selection", 2, 0.25)
    assert (card["selection"]["eta"], card["selection"]["draws"]) == (0.5, 8)
    assert card["selection"]["of"] == {"name": "teacher", "sha256": teacher.sha256}
    assert 0 < card["selection"]["labelled_certify"] < 100


def test_counting_goes_on_where_it_was_interrupted_and_serves_every_eta(teacher, tmp_path):
    class KilledError(Exception):
        pass

    def kill(split, done, wanted):
        if (split, done) == ("train", 5):
            raise KilledError

    with pytest.raises(KilledError):
        select(teacher, tmp_path, report_draws=kill)
    drawn = []
    resumed = select(teacher, tmp_path, report_draws=lambda *counted: drawn.append(counted)).read_bytes()
    assert drawn == [("train", d, 8) for d in (6, 7, 8)] + [("test", d, 8) for d in range(1, 9)]
    drawn.clear()
    select(teacher, tmp_path, eta=0.75, report_draws=lambda *counted: drawn.append(counted))
    assert drawn == []
    assert select(teacher, tmp_path / "whole").read_bytes() == resumed


def test_counts_of_another_network_are_refused(teacher, tmp_path):
    select(teacher, tmp_path)
    with pytest.raises(AcesError, match="counts of another network, noise or seed"):
        select(replace(teacher, sha256="0" * 64), tmp_path)


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_damaged_counts_say_what_to_do(teacher, tmp_path, keep):
    select(teacher, tmp_path)
    counts = tmp_path / "teacher-right-train-8.npz"
    counts.write_bytes(counts.read_bytes()[:keep])
    with pytest.raises(AcesError, match="is damaged; remove it to count again"):
        select(teacher, tmp_path)


def test_labels_of_one_kind_are_refused(tmp_path):
    sure = load(fit(plan("sure", "standard", 0.0, epochs=12), tmp_path))
    with pytest.raises(AcesError, match=r"at eta 0.5 all training images are labelled 1; choose another eta"):
        fit_selection(sure, Selection(0.5, 4), plan("select", sigma=0.01), tmp_path)
