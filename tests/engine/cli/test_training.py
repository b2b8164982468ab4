from __future__ import annotations

import json
from pathlib import Path

import pytest

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
