from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import AcesError
from engine.models import load
from engine.training.fit import fit, state_file
from engine.training.loop import accuracy
from engine.training.methods import method
from engine.training.presets import override, preset
from engine.training.selection import Selection
from tests import ROOT, toy
from tests.disk import full_disk
from tests.engine.training.recipes import RECIPE, plan

pytestmark = pytest.mark.usefixtures("toy_dataset")


TRAIN = """
import sys
from pathlib import Path
from tests import toy
toy.register()
from tests.engine.training.recipes import plan
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


def test_a_finished_run_is_not_trained_again(tmp_path):
    before = fit(plan(), tmp_path).read_bytes()
    reports = []
    assert fit(plan(), tmp_path, report=reports.append).read_bytes() == before
    assert reports == []


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
