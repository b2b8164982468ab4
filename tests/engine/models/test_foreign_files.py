"""Checkpoints that strangers wrote: nothing that one says of itself is run, imported, printed raw or allocated."""

from __future__ import annotations

import io
import json
import pickle
import random
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from engine.errors import AcesError
from engine.models import Hints, NetworkCard, build, load, save
from engine.models.own import find
from engine.models.resnet import CifarResNet
from engine.sampling.inference import Layout
from tests import toy
from tests.engine.models.fabricated import CARD, weights

pytestmark = pytest.mark.usefixtures("toy_dataset")


def carded(path: Path, card: object = None, **changes: object) -> Path:
    """A resnet8 under a card of which some entries are changed, or under another card."""
    said = {**CARD, **changes} if card is None else card
    text = said if isinstance(said, str) else json.dumps(said)
    save_file(build("resnet8", "toy").state_dict(), path, metadata={"aces": text})
    return path


# --- the card ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sentinel(tmp_path, monkeypatch):
    """A module that says so when it is imported."""
    (tmp_path / "sentinel_module.py").write_text(
        "from pathlib import Path\n"
        f"Path({str(tmp_path / 'imported')!r}).touch()\n"
        "from engine.models import build\n"
        "def mine(): return build('resnet8', 'toy').body\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "imported"


@pytest.mark.parametrize("architecture", ["os:abort", "sentinel_module:mine", "timm:resnet18", "timm:hf-hub:a/b"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("inspect", "FILE"),
        ("precompute", "CONFIG"),
        ("precompute", "CONFIG", "--dry-run", "--trust"),
        ("certify", "IMAGE", "--certify", "FILE", "--core", "FILE", "--trust"),
        ("train", "standard", "--dataset", "toy", "--initial", "FILE", "-o", "OUT"),
        ("train", "selection", "--network", "FILE", "-o", "OUT"),
    ],
    ids=" ".join,
)
def test_no_command_imports_what_a_card_names(call, tmp_path, sentinel, arguments, architecture):
    path = carded(tmp_path / "net.safetensors", architecture=architecture)
    config = tmp_path / "config.yaml"
    config.write_text("dataset: toy\ncertify: [{checkpoint: net.safetensors}]\n")
    named = {"FILE": path, "CONFIG": config, "IMAGE": tmp_path / "image.png", "OUT": tmp_path / "out"}
    status, _, err = call(*(named.get(argument, argument) for argument in arguments))
    said = err.splitlines()[-1]
    assert status == 2
    assert f"the file's card names the architecture '{architecture}'" in said
    assert f"say `architecture: {architecture}`" in said
    assert not sentinel.exists()


def test_an_architecture_that_the_user_names_is_imported(call, tmp_path, sentinel):
    path = carded(tmp_path / "net.safetensors", architecture="sentinel_module:mine")
    status, out, err = call("inspect", path, "--architecture", "sentinel_module:mine", "--format", "json")
    assert status == 2  # the file holds toy's normaliser, the function reads images in [0, 1]
    assert "does not fit sentinel_module:mine on toy" in err
    assert sentinel.exists()
    body = find("sentinel_module:mine").build(3, 1)
    bare = nn.ModuleDict({"body": body})
    save(path, bare, NetworkCard("n", "sentinel_module:mine", "toy", None, None))
    status, out, err = call("inspect", path, "--architecture", "sentinel_module:mine", "--format", "json")
    assert (status, err) == (0, "")
    assert json.loads(out)["architecture"] == "sentinel_module:mine"


def test_what_the_user_says_wins_over_the_card(tmp_path):
    path = carded(tmp_path / "net.safetensors", architecture="os:abort")
    assert load(path, Hints(architecture="resnet8")).card.architecture == "resnet8"
    with pytest.raises(AcesError, match=r"does not fit resnet14 on toy: .* missing"):
        load(path, Hints(architecture="resnet14"))


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("{", "a damaged network card: Expecting"),
        (DEEP, "a damaged network card"),
        ("1" * 10_000, "a damaged network card"),
        ("[]", "it is a list, not an object"),
        ("null", "it is a NoneType, not an object"),
        ([["name", "n"]], "it is a list, not an object"),
        ({}, "a network card without architecture, dataset, name"),
        (CARD | {"name": 3}, "a damaged network card: the network.s name is 3"),
        (CARD | {"name": ""}, "name is ''"),
        (CARD | {"name": "a\x1b[2J"}, r"name is 'a\\x1b\[2J'"),
        (CARD | {"name": "a" * 10_000}, r"name is 'a{60}'… \(10,000 letters\)"),
        (CARD | {"name": None}, "name is None"),
        (CARD | {"architecture": None}, "architecture is None"),
        (CARD | {"architecture": ["os:abort"]}, r"architecture is \['os:abort'\]"),
        (CARD | {"architecture": "a\nb:c"}, r"architecture is 'a\\nb:c'"),
        (CARD | {"architecture": "RESNET8"}, "names the architecture 'RESNET8'"),
        (CARD | {"dataset": "nowhere"}, "unknown dataset 'nowhere'"),
        (CARD | {"dataset": "../../etc"}, "unknown dataset"),
        (CARD | {"dataset": {}}, "dataset is {}"),
        (CARD | {"training": 1.5}, "training is 1.5"),
        (CARD | {"sigma_train": float("nan")}, "sigma_train is nan"),
        (CARD | {"sigma_train": float("inf")}, "sigma_train is inf"),
        (CARD | {"sigma_train": -0.25}, "sigma_train is -0.25"),
        (CARD | {"sigma_train": True}, "sigma_train is True"),
        (CARD | {"sigma_train": "0.25"}, "sigma_train is '0.25'"),
        (CARD | {"outputs": 0}, "outputs is 0"),
        (CARD | {"outputs": 2.0}, "outputs is 2.0"),
        (CARD | {"outputs": "2"}, "outputs is '2'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_card_is_checked_before_it_is_believed(tmp_path, card, message):
    with pytest.raises(AcesError, match=message) as caught:
        load(carded(tmp_path / "net.safetensors", card))
    assert str(caught.value).isprintable()


def test_outputs_are_counted_in_the_weights_whatever_the_card_says(tmp_path):
    assert load(carded(tmp_path / "net.safetensors", outputs=10**12)).outputs == 3


def test_entries_of_a_newer_card_are_passed_over(tmp_path):
    assert load(carded(tmp_path / "net.safetensors", colour="blue")).card.name == "n"


@pytest.mark.parametrize("name", ["timm:hf-hub:a/b", "timm:hf_hub:a/b", "timm:local-dir:/tmp", "timm:/tmp/net"])
def test_a_model_of_timm_is_one_of_its_own(name):
    with pytest.raises(AcesError, match="no hub and no folder is asked"):
        find(name)


# --- weights ----------------------------------------------------------------------------------------------------------


def test_constants_of_another_length_are_refused(tmp_path):
    path = tmp_path / "net.pth"
    colour = CifarResNet(3, 10).state_dict()
    torch.save({"0.means": torch.zeros(100), **{f"1.{name}": tensor for name, tensor in colour.items()}}, path)
    with pytest.raises(AcesError, match=r"normalises with means \[0\.0, 0\.0, 0\.0, 0\.0\]"):
        load(path)


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "carded"])
def test_a_file_with_a_few_bytes_changed_loads_or_is_refused(tmp_path, form):
    path = tmp_path / ("net.pth" if form in ("zip", "legacy") else "net.safetensors")
    if form == "carded":
        carded(path)
    elif form == "safetensors":
        save_file(weights(), path)
    else:
        torch.save(weights(), path, _use_new_zipfile_serialization=form == "zip")
    whole, rng = path.read_bytes(), random.Random(form)
    head = 60 if form == "legacy" else 40  # of what names things, and anywhere
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(rng.choice([head * 100, len(data)]))
            data[at % len(data)] = rng.randrange(256)
        path.write_bytes(bytes(data))
        try:
            load(path, Hints(architecture="resnet8") if form != "carded" else Hints())
        except AcesError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either way is right)


def test_pickle_itself_would_have_run_it(tmp_path):
    """The control: the same bytes, read carelessly, allocate and call."""
    buffer = io.BytesIO()
    pickle.dump(Path("harmless"), buffer)
    assert pickle.loads(buffer.getvalue()) == Path("harmless")
    path = tmp_path / "net.pth"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(AcesError, match="refused"):
        load(path)


# --- a run file's own account of how its network ran ------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        {"batch": 0},
        {"batch": -50},
        {"batch": 250 * 10**9},
        {"batch": "50"},
        {"batch": 50.0},
        {"batch": [50]},
        {"batch": None},
        {"memory_format": "preserve_format"},
        {"memory_format": {}},
        {"compiled": "yes"},
    ],
    ids=str,
)
def test_a_layout_that_a_run_file_states_is_checked(record):
    with pytest.raises(AcesError, match="which is no layout"):
        Layout.recorded({"device": "cpu", **record})


def test_a_layout_that_was_recorded_is_read_back():
    assert Layout.recorded({"memory_format": "contiguous", "batch": 2500, "compiled": True}) == Layout(
        "contiguous", 2500, True
    )
    assert Layout.recorded({"device": "cpu"}) is None


def test_toy_checkpoints_keep_their_card(tmp_path):
    assert load(toy.checkpoint(tmp_path / "net.safetensors")).card == NetworkCard(
        "net", "resnet8", "toy", "gaussian", 0.25
    )
