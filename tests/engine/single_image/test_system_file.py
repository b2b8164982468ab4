"""A system as a file: what is written is what is read, and what is wrong with one is a line that says where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from cache.catalog import DEMO, Catalog
from engine import System
from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.models import load
from engine.single_image.plan import LATER, LaterPlan
from engine.single_image.system import LaterNetwork, NetworkHints, OwnImages, PairSpec
from engine.single_image.system_file import (
    Deployed,
    MeasuredPoint,
    copy_beside,
    facts,
    is_system,
    read_system,
    script,
    to_yaml,
)
from engine.statistics.chains import Later
from engine.statistics.intervals import Estimate
from tests import toy

CERTIFY, CORE = "fashion_mnist-gaussian-0.5", "fashion_mnist-core"
MEASURED = MeasuredPoint(
    500, "the largest ACR with a NAC of at least 75 %", "ACR", Estimate(75.2, 71.25, 78.5), Estimate(0.5, 0.25, 0.75),
    (Estimate(74.5, 70.0, 78.0), Estimate(0.375, 0.25, 0.5)),
)  # fmt: skip
KINDS = {
    "plain": {"theta": 0.312},
    "a selection network": {"theta": 0.5, "select": "fashion_mnist-gaussian-0.25-selection-0.5"},
    "votes": {"p0": 0.7},
    "few votes, the paper's bound": {"theta": 0.2, "t": 0.1, "bound": "complement", "correction": "bonferroni"},
    "a chain": {"theta": 0.1, "then": [Later("fashion_mnist-gaussian-0.25", 0.4, 0.3),
                                       Later("fashion_mnist-gaussian-1.0", 0.6, by_votes=True)]},
    "another noise": {"theta": 1.0, "sigma": 1 / 3, "alpha": 1e-5, "smoothing": "uniform", "precision": "float32"},
}  # fmt: skip


def loaded(**how: object) -> System:
    return System.load(CERTIFY, CORE, **{"dataset": "fashion_mnist", "runs": Catalog(demo=DEMO)} | how)


def written(folder: Path, system: System | None = None, **entries: object) -> Path:
    """A file beside nothing, its entries replaced by dotted names; None takes one away."""
    path = folder / "system.yaml"
    runs = {"certify": CERTIFY, "core": CORE}
    data = yaml.safe_load(to_yaml(Deployed(system or loaded(theta=0.3), runs, MEASURED), path))
    for name, value in entries.items():
        *inside, last = name.split("__")
        at = data
        for part in inside:
            at = at[part]
        at.pop(last, None)
        if value is not None:
            at[last] = value
    path.write_text(yaml.safe_dump(data))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_is_read(kind, tmp_path):
    system = loaded(**KINDS[kind])
    path = tmp_path / "system.yaml"
    before = Deployed(system, {"certify": CERTIFY, "core": CORE}, MEASURED, "2026-01-01T00:00:00+00:00")
    path.write_text(to_yaml(before, path))
    assert read_system(path) == before
    assert System.load(path) == System.load(str(path)) == system
    assert read_system(path, device="cuda").system.pair.device == "cuda"  # the file says no device


def test_what_a_networks_file_does_not_tell_and_pictures_of_ones_own_are_written_and_read(tmp_path):
    hints = {
        "certify": NetworkHints("net", f"{tmp_path / 'net.py'}:make", by_record=True),
        "core": NetworkHints("core", weights="model.ema", normalizer="0.5,0.5,0.5/1,1,1", by_record=True),
        LATER[0]: NetworkHints("later", "package.module:make", by_record=True),
    }
    stages = (LaterNetwork(tmp_path / "later.pth", "3" * 64),)
    files = tmp_path / "net.pth", tmp_path / "core.pth"
    for file in (*files, stages[0].checkpoint):
        file.touch()
    known = tuple(sorted(hints.items()))
    own = OwnImages("pets", ("cats", "dogs"), 24)
    pair = PairSpec(*files, sha256=("1" * 64, "2" * 64), dataset="pets", then=stages, hints=known, own=own)
    system = System(pair, 0.25, 0.5, then=(LaterPlan(0.5, 0.3),))
    path = tmp_path / "system.yaml"
    path.write_text(to_yaml(Deployed(system, {}), path))
    assert System.load(path) == replace(system, pair=replace(pair, hints=tuple(sorted(_renamed(hints, files, stages)))))
    beside = to_yaml(Deployed(system, {}), path, beside=True)
    assert "architecture: net.py:make\n" in beside
    assert str(tmp_path) not in beside
    path.write_text(beside)
    assert dict(System.load(path).pair.hints)["certify"].architecture == f"{tmp_path / 'net.py'}:make"
    assert System.load(path).pair.code == (f"{tmp_path / 'net.py'}:make", "package.module:make")
    assert ", trust=True)" in script(path, system)
    with pytest.raises(AcesError, match="code that runs with your rights: if you trust it, say --trust"):
        System.load(path).open()


def _renamed(hints, files, stages):
    """The names that a file of a system gives: those of the checkpoints."""
    names = dict(zip(("certify", "core", LATER[0]), (*files, stages[0].checkpoint), strict=True))
    return ((part, replace(said, name=names[part].stem)) for part, said in hints.items())


def test_a_dataset_that_nobody_knows_is_not_written_without_its_classes(tmp_path):
    pair = replace(loaded(theta=0.3).pair, dataset="mars")
    with pytest.raises(AcesError, match="unknown dataset 'mars'"):
        to_yaml(Deployed(replace(loaded(theta=0.3), pair=pair), {}), tmp_path / "system.yaml")


def test_a_folder_with_its_networks_can_be_moved(tmp_path):
    system = loaded(theta=0.3)
    folder = tmp_path / "here"
    folder.mkdir()
    for checkpoint in system.pair.checkpoints:
        (folder / checkpoint.name).write_bytes(checkpoint.read_bytes())
    path = folder / "system.yaml"
    path.write_text(to_yaml(Deployed(system, {}), path, beside=True))
    moved = folder.rename(tmp_path / "there") / "system.yaml"
    read = System.load(moved)
    assert [p.parent for p in read.pair.checkpoints] == [moved.parent] * 2
    assert read.open().networks.certify.sha256 == system.pair.sha256[0]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"format": None}, "no system: it has no `format: aces-system`"),
        ({"format": "aces-run"}, "no system"),
        ({"version": 2}, "of version 2; this engine reads 1"),
        ({"version": True}, "version is true"),
        ({"dataset": None}, "dataset: is missing"),
        ({"settings__sigma": None}, "settings.sigma: is missing"),
        ({"settings__sigma": "a"}, "settings.sigma: "),
        ({"settings__sigma": float("nan")}, "settings.sigma: "),
        ({"settings__sigma": -1.0}, "sigma is -1.0; it must be positive"),
        ({"settings__sigam": 1.0}, "unknown key 'sigam'; did you mean 'sigma'"),
        ({"settings__theta": None}, "a stage needs one of them"),
        ({"settings__p0": 0.7}, "a stage needs one of them"),
        ({"settings__theta": 1.5}, "1.5"),
        ({"settings__alpha": 0}, "alpha"),
        ({"settings__correction": "holm"}, "holm"),
        ({"settings__bound": "exact"}, "exact"),
        ({"settings__smoothing": "laplace"}, "laplace"),
        ({"networks__certify__sha256": "abc"}, "networks.certify.sha256: "),
        ({"networks__certify__trust": True}, "unknown key 'trust'"),  # no file says that of itself
        ({"networks__core": None}, "networks.core: is missing"),
        ({"networks__core__checkpoint": "not-there.safetensors"}, "no checkpoint at .*not-there.safetensors; put it"),
        ({"networks__select": {"checkpoint": "a", "sha256": "0" * 64, "sigma": 1.0, "mechanism": "luck"}}, "luck"),
        ({"measured__images": 0}, "measured.images: "),
        ({"provenance": None}, "provenance: is missing"),
        ({"pictures": {"classes": ["a", "b"], "size": 28}}, "'fashion_mnist' is a known dataset"),
        ({"dataset": "d", "pictures": {"classes": ["a"], "size": 28}}, "pictures.classes: "),
        ({"dataset": "d", "pictures": {"classes": ["a", "b"], "size": 0}}, "pictures.size: "),
        ({"dataset": "d", "pictures": {"classes": ["a", "b\n"], "size": 8}}, "pictures.classes.1: .*visible letters"),
        ({"dataset": "d", "pictures": {"classes": ["a", "b"]}}, "pictures.size: is missing"),
        ({"dataset": "a\nb"}, "dataset: .*visible letters"),
        ({"dataset": "mars"}, "unknown dataset 'mars'; known: "),
        ({"networks__core__architecture": ""}, "networks.core.architecture: .*non-empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(entries, said, tmp_path):
    path = written(tmp_path, **entries)
    with pytest.raises(AcesError, match=said) as caught:
        System.load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_other_weights_another_dataset_and_no_checkpoint_are_refused(tmp_path):
    with pytest.raises(AcesError, match=r"other weights than are expected: their sha256 is .*…, and not 000000000000…"):
        System.load(written(tmp_path, networks__core__sha256="0" * 64)).predict([])
    with pytest.raises(AcesError, match="is for fashion_mnist, and not for cifar10"):
        System.load(written(tmp_path, dataset="cifar10")).open()
    (tmp_path / "text.safetensors").write_text("no network")
    with pytest.raises(AcesError, match=r"text\.safetensors"):
        System.load(written(tmp_path, networks__core__checkpoint="text.safetensors")).open()


@pytest.mark.parametrize("text", ["", "- 1", "a: &a [*a]", "format: aces-system\nformat: aces-system", "\x00", "a: 1"])
def test_what_is_no_file_of_a_system_is_one_line(text, tmp_path):
    path = tmp_path / "system.yaml"
    path.write_text(text)
    with pytest.raises(AcesError) as caught:
        System.load(path)
    assert "\n" not in str(caught.value)


def test_one_name_alone_is_a_file_and_nothing_may_stand_beside_it(tmp_path):
    with pytest.raises(AcesError, match="alone is no system: name its core network as well"):
        System.load(CERTIFY, runs=Catalog(demo=DEMO))
    for how in ({"theta": 0.5}, {"alpha": 0.01}, {"then": [Later("a")]}, {"precision": "float32"}):
        with pytest.raises(AcesError, match="says its networks and settings itself"):
            System.load(written(tmp_path), **how)
    with pytest.raises(AcesError, match="cannot be read"):
        System.load("nowhere/system.yaml")
    assert is_system(Path("a/b.YML"))


@pytest.mark.usefixtures("toy_dataset")
def test_a_system_of_which_the_weights_are_not_known_is_not_written(tmp_path):
    certify = toy.checkpoint(tmp_path / "noisy.safetensors")
    core = toy.checkpoint(tmp_path / "plain.safetensors", training="standard", sigma=0.0, seed=1)
    assert "toy" in DATASETS
    with pytest.raises(AcesError, match="nothing says their sha256"):
        to_yaml(Deployed(System.load(certify, core, 0.3, dataset="toy"), {}), tmp_path / "system.yaml")
    with pytest.raises(AcesError, match="say which"):
        to_yaml(Deployed(System.load(certify, core, 0.3), {}), tmp_path / "system.yaml")


def test_facts_say_everything_to_people(tmp_path):
    told = facts(read_system(written(tmp_path, loaded(**KINDS["a chain"]))))
    assert told["dataset"] == "fashion_mnist"
    assert told["certify"].endswith(f"(sha256 {loaded(theta=0.1).pair.sha256[0][:12]}…)")
    assert (told["stage 2"], told["stage 3"]) == ("sigma 0.25, theta 0.4, t 0.3", "sigma 1, p0 0.6")
    assert told["on these"] == "NAC 75.2 % [71.2, 78.5], ACR 0.5 [0.25, 0.75], 500 images"
    assert told["on others"] == "NAC 74.5 % [70.0, 78.0], ACR 0.375 [0.25, 0.5]"
    assert told["runs"] == f"certify {CERTIFY}, core {CORE}"
    bare = replace(read_system(written(tmp_path)), measured=None, runs={})
    assert "chosen" not in facts(bare)
    assert facts(bare)["runs"] is None


def test_the_script_is_python_of_ten_lines(tmp_path):
    text = script(tmp_path / "it's a system.yaml", loaded(theta=0.3))
    compile(text, "script", "exec")
    assert text.count("\n") <= 10


def test_a_network_behind_a_denoiser_is_put_beside_with_both_of_its_parts(tmp_path, monkeypatch):
    """Elsewhere neither the demo nor a folder of networks has them."""
    names = ("fashion_mnist-denoised-0.25.denoised.json", "fashion_mnist-core.safetensors")
    copy_beside(PairSpec(*(DEMO / name for name in names)), tmp_path / "out" / "system.yaml")
    denoiser = "fashion_mnist-denoiser-stability-0.25.safetensors"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*names, denoiser}
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    before = load(DEMO / names[1]).sha256
    made = load(tmp_path / "out" / names[0])
    assert made.parts["classifier"]["sha256"] == before


@pytest.mark.parametrize("name", ["published", "timm:resnet10t.c3_in1k", "transformers:/models/swin"])
def test_a_network_that_is_no_file_is_named_as_it_is(tmp_path, name):
    """Weights of a package and networks of libraries lie nowhere that a system's file could point to."""
    hint = NetworkHints(Path(name).stem, "efficientnet-lite0", by_record=True)
    before = loaded(theta=0.3)
    pair = replace(before.pair, core=Path(name), sha256=(before.pair.sha256[0], "2" * 64), hints=(("core", hint),))
    path = tmp_path / "elsewhere" / "system.yaml"
    path.parent.mkdir()
    path.write_text(to_yaml(Deployed(replace(before, pair=pair), {}, MEASURED), path))
    assert yaml.safe_load(path.read_text())["networks"]["core"]["checkpoint"] == name
    assert System.load(path).pair == pair
    assert facts(read_system(path))["core"].startswith(f"{name} (sha256 222")


@pytest.mark.parametrize("name", ["published", "timm:../../etc", "transformers:evil"])
def test_a_network_that_is_no_file_runs_no_code_that_a_strangers_file_names(tmp_path, name):
    ran = tmp_path / "ran"
    (tmp_path / "net.py").write_text(f"open({str(ran)!r}, 'w').close()\ndef make(): pass\n")
    path = written(tmp_path, networks__core={"checkpoint": name, "sha256": "0" * 64, "architecture": "net.py:make"})
    with pytest.raises(AcesError, match="code that runs with your rights: if you trust it, say --trust"):
        System.load(path).open()
    assert not ran.exists()


def test_of_networks_that_are_no_files_published_ones_need_no_copy_and_others_have_none(tmp_path):
    certify = DEMO / f"{CERTIFY}.safetensors"
    copy_beside(PairSpec(certify, Path("published")), tmp_path / "out" / "system.yaml")
    assert [file.name for file in (tmp_path / "out").iterdir()] == [certify.name]
    with pytest.raises(AcesError, match=r"timm:net is a network of a library, and is not put beside system\.yaml"):
        copy_beside(PairSpec(certify, Path("timm:net")), tmp_path / "other" / "system.yaml")
    with pytest.raises(AcesError, match=r"out is a folder, and is not put beside system\.yaml"):
        copy_beside(PairSpec(certify, tmp_path / "out"), tmp_path / "other" / "system.yaml")
    assert not (tmp_path / "other").exists()


def test_two_files_of_one_name_are_not_copied_over_each_other(tmp_path):
    places = [tmp_path / name / "net.pth" for name in ("a", "b")]
    for place in places:
        place.parent.mkdir()
        place.write_text(place.parent.name)
    with pytest.raises(AcesError, match=r"two files are called net\.pth: rename one, or do not .* beside system"):
        copy_beside(PairSpec(*places), tmp_path / "out" / "system.yaml")
    assert not (tmp_path / "out").exists()
