"""TorchScript files: code that runs only for who trusts its author, and then as any other network."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cache.store import Store
from engine.errors import AcesError
from engine.models import Hints, load
from engine.models.archive import archive
from engine.records import runs
from engine.sampling.config import read_config
from engine.sampling.inference import Layout, check_network, fastest, freeze
from engine.sampling.precompute import precompute
from engine.single_image.messages import Failed, PairSpec, Probe
from engine.single_image.picture import to_png
from engine.single_image.worker import Worker
from tests import toy
from tests.torchscript import Fixed, body, overwriting, scripted, traced

pytestmark = pytest.mark.usefixtures("toy_dataset")
TRUSTED = Hints(dataset=toy.CARD, trust=True)
EXAMPLE = torch.full((1, 8, 8), 0.5)


@pytest.fixture
def victim(tmp_path) -> Path:
    return tmp_path / "victim"


def config(path: Path, trust: str = "") -> Path:
    """Samples the network at ``path`` and takes it for a core network as well."""
    written = path.with_suffix(".yaml")
    entry = f"checkpoint: {path.name}, {trust}"
    written.write_text(
        f"dataset: toy\nevery: 4\nn0: 50\nn: 600\ncertify: [{{{entry} name: a, sigma: [0.25]}}]\n"
        f"core: [{{{entry} name: b}}]\n"
    )
    return written


def image(folder: Path) -> Path:
    path = folder / "image.png"
    path.write_bytes(to_png(toy.images("test").images[2]))
    return path


# --- nothing runs unless it is trusted ------------------------------------------------------------------------------

NAMES = ["net.pt", "net.pth.tar", "net.safetensors", "net", "published.zip"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_overwrites_another_when_loaded_is_refused_whatever_it_is_called(tmp_path, victim, name):
    path = overwriting(tmp_path / name, victim)
    with pytest.raises(AcesError, match=r"is a TorchScript file: .* runs that code with your rights") as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "FILE", "--probe", "0.25"),
        ("precompute", "CONFIG"),
        ("precompute", "CONFIG", "--dry-run"),
        ("certify", "IMAGE", "--certify", "FILE", "--core", "FILE", "--dataset", "toy"),
        ("train", "standard", "--dataset", "toy", "--initial", "FILE", "-o", "OUT"),
        ("train", "selection", "--network", "FILE", "-o", "OUT"),
    ],
    ids=" ".join,
)
def test_no_command_runs_it_without_trust(call, tmp_path, victim, name, arguments):
    path = overwriting(tmp_path / name, victim)
    named = {"FILE": path, "CONFIG": config(path), "IMAGE": image(tmp_path), "OUT": tmp_path / "out"}
    status, _, err = call(*(named.get(argument, argument) for argument in arguments))
    assert (status, err.count("error: ")) == (2, 1)
    assert "is a TorchScript file" in err.splitlines()[-1]
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("command", ["verify", "check"])
def test_neither_verify_nor_check_runs_it_without_trust(call, tmp_path, victim, command):
    honest = toy.config(tmp_path / "honest")
    assert call("precompute", honest)[0] == 0
    networks = ("--certify", tmp_path / "honest/noisy.safetensors", "--core", tmp_path / "honest/plain.safetensors")
    draws = ("--sigma", 1, "--n", 600, "--json")
    certificate = tmp_path / "certificate.json"
    certificate.write_text(call("certify", image(tmp_path), *networks, *draws)[1])
    path = overwriting(tmp_path / "net.pt", victim)
    if command == "verify":
        status, _, err = call("verify", "noisy", "--checkpoint", path)
    else:
        given = ("--certify", path, "--core", path)
        status, _, err = call("check", certificate, image(tmp_path), "--resample", *given)
    assert (status, err.count("error: ")) == (2, 1)
    assert "is a TorchScript file" in err.splitlines()[-1]
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", NAMES)
def test_inspect_says_what_it_is_and_runs_nothing(call, tmp_path, victim, name, monkeypatch):
    path = overwriting(tmp_path / name, victim)
    monkeypatch.setattr(torch.jit, "load", pytest.fail)
    status, out, _ = call("inspect", path, "--format", "json")
    assert status == 0
    said = json.loads(out)
    assert (said["format"], said["outputs"], said["bytes"]) == ("TorchScript", None, path.stat().st_size)
    assert said["sha256"] == hashlib.sha256(path.read_bytes() + b"none").hexdigest()
    assert "Overwriting" in said["code"] or "torchscript.py" in said["code"]
    assert "not run" in call("inspect", path)[1]
    assert victim.read_text() == "mine"


def test_the_dashboards_worker_loads_none(tmp_path, victim):
    path = overwriting(tmp_path / "net.safetensors", victim)
    mine, _ = multiprocessing.Pipe()
    with mine:
        reply = Worker(mine).reply_to(Probe(1, PairSpec(path, path), 0.5))
    assert isinstance(reply, Failed)
    assert "is a TorchScript file" in reply.message
    assert victim.read_text() == "mine"


def test_who_trusts_it_gets_its_network_and_what_it_does(tmp_path, victim):
    path = overwriting(tmp_path / "net.pt", victim)
    loaded = load(path, TRUSTED)
    assert victim.read_text() == "XXXX"
    assert loaded.network(EXAMPLE[None]).tolist() == [[4.5] * 3]


# --- what is one, and what only looks like one ----------------------------------------------------------------------


def test_archives_are_told_by_their_entries(tmp_path):
    weights = tmp_path / "weights.pt"
    torch.save(body().state_dict(), weights)
    found, plain = archive(scripted(tmp_path / "net.pt")), archive(weights)
    assert found is not None
    assert plain is not None
    assert (found.is_torchscript, plain.is_torchscript) == (True, False)
    assert any(name.endswith("resnet.py") for name in found.code)
    assert archive(image(tmp_path)) is None


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in entries.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("entries", "method", "message"),
    [
        ({"net.pt": b"PK"}, zipfile.ZIP_STORED, "is damaged, or no checkpoint of torch"),
        ({"x/constants.pkl": b"", "x/data.pkl": b""}, zipfile.ZIP_STORED, "is a TorchScript file"),
        ({"constants.pkl": b""}, zipfile.ZIP_STORED, "is a TorchScript file"),
        ({"x/archive_format": b"pt2", "x/archive_version": b"0"}, zipfile.ZIP_STORED, "an archive of torch.export"),
        ({"serialized_exported_program.json": b"{}"}, zipfile.ZIP_STORED, "an archive of torch.export"),
        ({"x/data.pkl": b"\0" * 10**7}, zipfile.ZIP_DEFLATED, r"would unpack to 10,000,000 bytes"),
        ({}, zipfile.ZIP_STORED, "it is damaged"),
    ],
)
def test_other_archives_are_refused_in_one_line(tmp_path, entries, method, message):
    with pytest.raises(AcesError, match=message) as caught:
        load(zipped(tmp_path / "net.pt", entries, method))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [0.3, 0.7, 0.999])
def test_a_damaged_file_is_one_line_with_trust_as_well(tmp_path, at):
    path = scripted(tmp_path / "net.pt")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(at * len(whole))])
    with pytest.raises(AcesError) as caught:
        load(path, TRUSTED)
    assert "\n" not in str(caught.value)
    zipped(path, {"x/constants.pkl": b"", "x/data.pkl": b"", "x/code/a.py": b"def", "x/version": b"3\n"})
    with pytest.raises(AcesError, match="is not a readable TorchScript archive") as caught:
        load(path, TRUSTED)
    assert "\n" not in str(caught.value)


# --- with trust it is a network as any other ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [scripted, traced])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("memory_format", ["channels_last", "contiguous"])
def test_frozen_it_gives_the_logits_of_the_network_it_was_made_of(tmp_path, make, precision, memory_format):
    frozen = freeze(load(make(tmp_path / "net.pt"), TRUSTED).network, precision, layout=Layout(memory_format))
    check_network(frozen, EXAMPLE, 3)
    x = torch.rand(50, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        plain = body()(x)
    first = frozen(x)
    assert torch.allclose(first, plain, atol=1e-4 if precision == "float32" else 0.05 * float(plain.abs().max()))
    assert all(torch.equal(frozen(x), first) for _ in range(5))
    assert torch.equal(pickle.loads(pickle.dumps(frozen))(x), first)
    assert torch.equal(frozen.some(x[:7]), first[:7])


@pytest.mark.parametrize("make", [scripted, traced])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precompute_gives_the_same_bytes_again(tmp_path, make, precision, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    settings = read_config(config(make(tmp_path / "net.pt"), "trust: true,")).model_copy(
        update={"precision": precision}
    )
    made = []
    for store in ("one", "two"):
        with Store(tmp_path / store) as opened:
            made.append([runs.to_bytes(run) for run in precompute(settings, opened)])
    assert made[0] == made[1]


def test_its_counts_are_those_of_the_same_network_as_weights(tmp_path):
    toy.checkpoint(tmp_path / "weights.safetensors")
    known = load(tmp_path / "weights.safetensors").network
    traced(tmp_path / "net.pt", known)
    settings = read_config(config(tmp_path / "net.pt", "trust: true,"))
    same = read_config(config(tmp_path / "weights.safetensors"))
    with Store(tmp_path / "one") as one, Store(tmp_path / "two") as two:
        (code, core), (weights, plain) = precompute(settings, one), precompute(same, two)
    differing = int(np.abs(code.class_counts - weights.class_counts).sum()) // 2  # batch norms are folded in one
    assert differing <= 0.01 * weights.class_counts.sum()
    assert core.prediction.tolist() == plain.prediction.tolist()


@pytest.mark.parametrize("make", [scripted, traced])
def test_every_command_takes_it_with_trust(call, tmp_path, make):
    path = make(tmp_path / "net.pt")
    assert call("precompute", config(path), "--dry-run", "--trust")[0] == 0
    assert call("precompute", config(path), "--trust")[0] == 0
    status, out, err = call("verify", "a", "--checkpoint", path, "--trust")
    assert (status, "every count the same" in out) == (0, True), err
    assert call("verify", "a", "--config", config(path, "trust: true,"))[0] == 0
    networks = ("--certify", path, "--core", path, "--trust")
    draws = ("--dataset", "toy", "--sigma", 1, "--n", 600, "--json")
    status, out, err = call("certify", image(tmp_path), *networks, *draws)
    assert status == 0, err
    certificate = tmp_path / "certificate.json"
    certificate.write_text(out)
    status, out, err = call("check", certificate, image(tmp_path), "--resample", *networks)
    assert (status, err) == (0, "")
    assert "no votes otherwise" in out


def test_trust_in_a_config_is_of_the_entry_that_says_it(call, tmp_path, victim):
    written = config(overwriting(tmp_path / "net.pt", victim))
    written.write_text(written.read_text().replace("name: b", "name: b, trust: true"))
    status, _, err = call("precompute", written)
    assert (status, "is a TorchScript file" in err) == (2, True)
    assert victim.read_text() == "mine"


# --- networks that cannot be counted --------------------------------------------------------------------------------


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Scalar(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum()


class Raising(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > -1.0:
            raise ValueError("not this one")
        return x


class Constant(nn.Module):
    """Its code makes a float32 tensor, whatever precision it runs in."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x - torch.full((1, 1, 1), 0.5)).flatten(1)


@pytest.mark.parametrize(
    ("net", "make", "precision", "message"),
    [
        (Pair(), scripted, "float32", "returns a tuple; logits"),
        (Scalar(), scripted, "float32", r"numbers of shape \(\): logits"),
        (Raising(), scripted, "float32", "cannot read images .*not this one"),
        (Constant(), traced, "bfloat16", "in bfloat16: .*tracing writes batch, precision and device"),
        (Fixed(), traced, "float32", "cannot read images .*tracing writes batch, precision and device"),
        (nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 4)), scripted, "float32", "has 4 outputs"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else None,
)
def test_what_cannot_be_counted_is_one_line(call, tmp_path, net, make, precision, message):
    written = config(make(tmp_path / "net.pt", net), "trust: true,")
    written.write_text(f"precision: {precision}\n{written.read_text()}")
    status, _, err = call("precompute", written)
    assert (status, err.count("error: ")) == (2, 1)
    frozen = freeze(load(tmp_path / "net.pt", TRUSTED).network, precision)
    with pytest.raises(AcesError, match=message):
        check_network(frozen, EXAMPLE, 3)


def test_a_batch_that_is_written_into_it_is_kept(tmp_path):
    path = traced(tmp_path / "net.pt", Fixed(), batch=50)
    frozen = fastest(load(path, TRUSTED).network, (1, 8, 8))
    assert frozen.batch == 50
    with Store(tmp_path / "store") as store:  # 6 images: less than a batch of the core network
        run, core = precompute(read_config(config(path, "trust: true,")), store)
    assert len(core.prediction) == len(run.index) == 6


def test_it_cannot_be_compiled(tmp_path):
    with pytest.raises(AcesError, match="cannot be compiled"):
        freeze(load(scripted(tmp_path / "net.pt"), TRUSTED).network, layout=Layout(compiled=True))
