from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cache.catalog import Catalog
from engine import datasets
from tests import toy


@pytest.mark.usefixtures("toy_dataset")
def test_train_writes_a_checkpoint(call, tmp_path):
    status, out, _ = call("train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "1", "-o", tmp_path)
    assert status == 0
    assert Path(out.strip()) == tmp_path / "toy-gaussian-0.25.safetensors"
    assert Path(out.strip()).is_file()


@pytest.mark.usefixtures("toy_dataset")
def test_train_goes_from_a_certification_network_to_its_selection_network(call, tmp_path):
    short = ["--epochs", "1", "--set", "batch_size=8", "--set", "crop_padding=0", "-o", tmp_path]
    call("train", "macer", "--dataset", "toy", "--sigma", "0.25", "--set", "lam=2", *short)
    teacher = tmp_path / "toy-macer-0.25.safetensors"
    assert json.loads(teacher.with_suffix(".json").read_text())["hyper"]["lam"] == 2
    status, out, _ = call("train", "selection", "--network", teacher, "--eta", "0.3", "--draws", "4", *short)
    assert status == 0
    card = json.loads(Path(out.strip()).with_suffix(".json").read_text())
    assert card["name"] == "toy-macer-0.25-selection-0.3"
    assert card["selection"]["draws"] == 4
    assert "copies" in card["hyper"]  # trained by its teacher's method


@pytest.mark.usefixtures("toy_dataset")
def test_an_interrupted_training_says_what_is_kept(call, tmp_path, monkeypatch):
    from engine.cli.progress import TrainingBar

    def interrupt(bar, report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingBar, "__call__", interrupt)
    command = ["train", "gaussian", "--dataset", "toy", "--sigma", "0.25", "--epochs", "3", "-o", tmp_path]
    status, out, err = call(*command)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == (
        f"interrupted; {tmp_path / 'toy-gaussian-0.25.pth.tar'} holds the last whole epoch: the same command goes on "
        f"from there"
    )
    monkeypatch.undo()
    monkeypatch.setitem(datasets.DATASETS, "toy", toy.CARD)
    assert call(*command)[0] == 0


@pytest.mark.usefixtures("toy_dataset")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["macro"], "unknown training method 'macro'"),
        (["gaussian"], "sigma is 0.0; gaussian trains under noise"),
        (["macer", "--sigma", "0.25", "--preset", "quick"], "unknown preset 'quick'"),
        (["macer", "--sigma", "0.25", "--set", "lam"], "expected NAME=VALUE"),
        (["macer", "--sigma", "0.25", "--set", "lambda=1"], "nothing named 'lambda'"),
        (["selection"], "name its checkpoint by --network"),
        (["selection", "--network", "{}", "--eta", "1.5"], "eta is 1.5"),
        (["selection", "--network", "{}", "--preset", "quick"], "unknown preset 'quick'"),
    ],
)
def test_a_training_that_cannot_be_is_one_line_and_status_2(call, tmp_path, arguments, message):
    teacher = str(toy.checkpoint(tmp_path / "teacher.safetensors"))
    status, out, err = call("train", "--dataset", "toy", *(a.format(teacher) for a in arguments), "-o", tmp_path / "o")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


@pytest.mark.usefixtures("toy_dataset")
def test_train_denoiser_goes_before_a_classifier(call, tmp_path):
    classifier = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0)
    short = ["--epochs", "1", "--set", "batch_size=8", "--set", "crop_padding=0", "-o", tmp_path]
    asked = ["train", "denoiser", "--classifier", classifier, "--sigma", "0.25"]
    status, out, _ = call(*asked, "--objective", "stability", *short)
    made = Path(out.strip())
    assert (status, made) == (0, tmp_path / "toy-denoiser-stability-0.25.safetensors")
    assert json.loads(made.with_suffix(".json").read_text())["architecture"] == "dncnn-half"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "name its checkpoint by --classifier"),
        (["--classifier", "x", "--objective", "l1"], "unknown objective 'l1'; known: mse, stability"),
        (["--classifier", "absent.safetensors"], "no checkpoint at absent.safetensors"),
    ],
)
def test_train_denoiser_refuses_in_one_line(call, tmp_path, more, message):
    status, _, err = call("train", "denoiser", "--sigma", "0.25", "-o", tmp_path, *more)
    assert status == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


SHORT = ["--epochs", "1", "--set", "batch_size=4"]


def picture(folder: Path, name: str, brightness: int, seed: int) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    pixels = brightness + np.random.default_rng(seed).integers(0, 50, (8, 8, 3))
    Image.fromarray(pixels.astype(np.uint8)).save(folder / name)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A config of pictures of two classes: eight to learn from, six to be tested on."""
    for k in range(14):
        place = tmp_path / ("learn" if k < 8 else "pets") / ("cats", "dogs")[k % 2]
        picture(place, f"{k}.png", (20, 150)[k % 2], k)
    config = tmp_path / "pets.yaml"
    config.write_text("dataset: pets\ndata: {path: pets, train: learn, size: 8}\nn: 100\n")
    monkeypatch.chdir(tmp_path)
    return config


def card_at(folder: Path, name: str) -> dict:
    return json.loads((folder / f"{name}.json").read_text())


def test_train_learns_from_pictures_of_ones_own_and_its_network_is_sampled_on_the_others(call, own, tmp_path):
    command = ["train", "gaussian", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models"]
    status, out, err = call(*command)
    assert (status, Path(out.strip())) == (0, Path("models/pets-gaussian-0.25.safetensors")), err
    card = card_at(tmp_path / "models", "pets-gaussian-0.25")
    assert (card["dataset"], card["classes"]) == ("pets", ["cats", "dogs"])
    assert (card["train_images"], card["test_images"], card["test_images_also_trained_on"]) == (8, 6, 0)
    own.write_text(own.read_text() + "certify: [{checkpoint: models/pets-gaussian-0.25.safetensors}]\n")
    status, _, err = call("precompute", own)
    assert status == 0, err
    run = Catalog().load("pets-gaussian-0.25")
    assert (run.meta.dataset, run.meta.network.sigma_train, len(run.label)) == ("pets", 0.25, 6)
    assert run.meta.network.sha256 == card["sha256"]


@pytest.mark.usefixtures("toy_dataset")
def test_other_networks_are_trained_after_one_of_ones_own_pictures(call, own, tmp_path):
    call("train", "gaussian", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models")
    network = "models/pets-gaussian-0.25.safetensors"
    labels = ["--eta", "0.5", "--draws", "3"]
    status, _, err = call("train", "selection", "--network", network, *labels, "--config", own, *SHORT, "-o", "models")
    assert status == 0, err
    status, said, err = call("inspect", network, "--config", own)
    assert (status, err) == (0, "")
    assert re.search(r"^dataset +pets$", said, re.M)
    behind = ["--classifier", network, "--sigma", "0.25", "--config", own]
    status, _, err = call("train", "denoiser", *behind, *SHORT, "-o", "models")
    assert status == 0, err
    assert card_at(tmp_path / "models", "pets-denoiser-mse-0.25")["classes"] == ["cats", "dogs"]
    denoiser = "models/pets-denoiser-mse-0.25.safetensors"
    status, said, err = call("denoise", "--denoiser", denoiser, *behind, "-o", "models")
    assert (status, said, err) == (0, "models/pets-gaussian-0.25-denoised-0.25.denoised.json\n", "")
    picture(tmp_path / "learn" / "cats", "0.png", 20, 99)
    again = ("--config", own, *SHORT, "-o", "models", "--name", "again")
    status, _, err = call("train", "selection", "--network", network, *labels, *again)
    assert (status, "or of other pictures" in err) == (2, True)
    other = toy.checkpoint(tmp_path / "toy.safetensors")
    status, _, err = call("train", "selection", "--network", other, "--config", own, "-o", "models")
    assert (status, err) == (2, f"error: {other} is for toy; the config is for pets\n")
    for learning in (("selection", "--network"), ("denoiser", "--sigma", "0.25", "--classifier")):
        status, _, err = call("train", *learning, network, "-o", "models")
        assert (status, err.startswith(f"error: {network}: unknown dataset 'pets'; known: ")) == (2, True)
        assert err.endswith("; for pictures of your own, name the config that describes them\n")


def test_a_network_of_ones_own_is_trained_by_the_methods_here(call, own, tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\ndef make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 2))\n"
        "def three():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))\n"
        "def large():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))\n"
        "class Wordy(nn.Module):\n    def forward(self, x):\n        raise ValueError('a\\nb')\n"
    )
    command = ["train", "consistency", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models", "--architecture"]
    status, _, err = call(*command, "net.py:make")
    assert status == 0, err
    assert card_at(tmp_path / "models", "pets-consistency-0.25")["architecture"] == "net.py:make"
    status, _, err = call(*command, "net.py:three")
    assert (status, err.splitlines()[-1]) == (
        2,
        "error: net.py:three answers two images with (2, 3); pets needs (2, 2)",
    )
    status, _, err = call(*command, "net.py:large")
    assert status == 2
    assert "net.py:large does not read images of (3, 8, 8)" in err
    assert call(*command, "net.py:Wordy")[2].endswith("net.py:Wordy does not read images of (3, 8, 8): a b\n")


def test_pictures_that_are_learnt_from_and_tested_on_are_counted_and_all_of_them_refused(call, own, tmp_path):
    shutil.copy(tmp_path / "pets" / "cats" / "8.png", tmp_path / "learn" / "cats" / "copy.png")
    command = ["train", "gaussian", "--sigma", "0.25", *SHORT, "-o", "models", "--config"]
    assert call(*command, own)[0] == 0
    assert card_at(tmp_path / "models", "pets-gaussian-0.25")["test_images_also_trained_on"] == 1
    same = tmp_path / "same.yaml"
    same.write_text(own.read_text().replace("train: learn, ", ""))
    status, _, err = call(*command, same, "--name", "same")
    assert status == 2
    assert "all 6 test pictures of pets are among those to learn from" in err
    assert not (tmp_path / "models" / "same.safetensors").exists()


def test_training_does_not_go_on_with_exchanged_pictures(call, own, tmp_path):
    command = ["train", "gaussian", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models"]
    assert call(*command)[0] == 0
    picture(tmp_path / "learn" / "cats", "0.png", 20, 99)
    status, _, err = call(*command)
    assert status == 2
    assert "belongs to a run with other pictures" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("train: learn", "train: absent"), "there is no folder "),
        (("size: 8", "skip_damaged: true"), "`train` goes with pictures of your own, which need a `size`"),
        (("train: learn", "train: [learn]"), "data.train"),
    ],
)
def test_a_config_to_train_from_that_is_wrong_is_one_line(call, own, change, message):
    own.write_text(own.read_text().replace(*change))
    status, out, err = call("train", "gaussian", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models")
    assert (status, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_damaged_pictures_to_learn_from_are_refused_or_skipped(call, own, tmp_path):
    (tmp_path / "learn" / "cats" / "0.png").write_bytes(b"")
    command = ["train", "gaussian", "--config", own, "--sigma", "0.25", *SHORT, "-o", "models"]
    status, _, err = call(*command)
    assert status == 2
    assert "1 of 8 pictures cannot be read" in err
    own.write_text(own.read_text().replace("size: 8", "size: 8, skip_damaged: true"))
    assert call(*command)[0] == 0
    assert card_at(tmp_path / "models", "pets-gaussian-0.25")["train_images"] == 7


def test_a_dataset_is_named_once(call, own):
    status, _, err = call("train", "gaussian", "--config", own, "--dataset", "cifar10", "--sigma", "0.25", "-o", "m")
    assert (status, err) == (2, "error: --config names the dataset: leave --dataset out\n")
