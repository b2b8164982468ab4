from __future__ import annotations

import hashlib
import json
import resource
import signal
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as EventType
from pathlib import Path

import pytest
import torch

from engine.errors import AcesError
from engine.models import load
from engine.training.fit import fit, state_file
from engine.training.loop import EpochReport, accuracy
from engine.training.methods import method
from engine.training.presets import override, preset
from engine.training.selection import Selection
from tests import toy
from tests.disk import full_disk
from tests.engine.training.recipes import RECIPE, plan

pytestmark = pytest.mark.usefixtures("toy_dataset")


EPOCHS = 24


def _train(folder: Path, told: Connection, may_end: EventType) -> None:
    """What the killed processes do: they say every epoch, and do not end before they may."""
    toy.register()
    torch.set_num_threads(1)  # more would wait for each other where other work shares the machine

    def report(epoch: EpochReport) -> None:
        told.send(epoch.epoch)
        if epoch.epoch == EPOCHS - 1:
            may_end.wait()

    fit(plan(epochs=EPOCHS), folder, report=report)


def _trained(forkserver, folder: Path, killed_at: int | None = None) -> list[int]:
    """The epochs of a training in a process of its own, which is killed as soon as it has told of the last of them."""
    hears, told = forkserver.Pipe(duplex=False)
    may_end = forkserver.Event()
    if killed_at is None:
        may_end.set()
    process = forkserver.Process(target=_train, args=(folder, told, may_end))
    process.start()
    told.close()
    epochs: list[int] = []
    with hears:
        with suppress(EOFError):
            while killed_at is None or killed_at not in epochs:
                epochs.append(hears.recv())
        if killed_at is not None:
            process.kill()
        process.join()
    assert process.exitcode == (0 if killed_at is None else -signal.SIGKILL)
    return sorted(set(epochs))


def test_a_run_that_was_killed_twice_gives_the_same_file_to_the_byte(tmp_path, forkserver):
    for epoch in (3, 8):
        assert _trained(forkserver, tmp_path / "killed", epoch)[-1] == epoch
    assert not (tmp_path / "killed" / "net.safetensors").exists()
    done = torch.load(tmp_path / "killed" / "net.pth.tar", weights_only=True)["epoch"]
    assert done >= 7
    assert _trained(forkserver, tmp_path / "killed") == list(range(done + 1, EPOCHS + 1))
    assert _trained(forkserver, tmp_path / "whole") == list(range(1, EPOCHS + 1))
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
