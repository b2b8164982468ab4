from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import AcesError
from engine.weights import files_of, places, weights_of
from tests import toy

META = toy.smoothed_run("a-run").meta


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    for variable, name in (("ACES_DEMO", "demo"), ("ACES_MODELS", "models")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))


def named(name: str | None):
    return replace(META, network=replace(META.network, name=name))


def test_weights_lie_under_the_networks_name_in_the_demo_or_ones_own_folder():
    demo, models = places()
    (models / "net.safetensors").touch()
    assert weights_of(named("net")) == models / "net.safetensors"
    (demo / "net.safetensors").touch()
    assert weights_of(named("net")) == demo / "net.safetensors"
    (models / "a-run.safetensors").touch()
    assert weights_of(named(None)) == models / "a-run.safetensors"


def test_missing_weights_say_what_to_put_where():
    with pytest.raises(AcesError, match=r"weights of 'a-run' are missing: put net.safetensors into one of .*demo, "):
        weights_of(named("net"))


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "..", "a/b"])
def test_a_name_leads_out_of_no_folder(name, tmp_path):
    (tmp_path / "outside.safetensors").touch()
    (tmp_path / "models" / "a").mkdir()
    (tmp_path / "models" / "a" / "b.safetensors").touch()
    with pytest.raises(AcesError):
        weights_of(named(name))


def denoised(folder: Path, **said: object) -> Path:
    path = folder / "net.denoised.json"
    path.write_text(json.dumps(said))
    return path


def test_a_network_behind_a_denoiser_is_three_files_wherever_the_parts_lie():
    demo, models = places()
    (models / "d.safetensors").touch()
    (demo / "c.safetensors").touch()
    path = denoised(models, denoiser="d.safetensors", classifier="c.safetensors")
    assert files_of(path) == [path, models / "d.safetensors", demo / "c.safetensors"]
    assert files_of(models / "d.safetensors") == [models / "d.safetensors"]
    path = denoised(models, denoiser="ffdnet", classifier="published")
    assert files_of(path) == [path]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"denoiser": "d", "classifier": "c"}, "d is missing: put it into one of "),
        ({"classifier": "c"}, "names no denoiser"),
        ({"denoiser": "ffdnet", "classifier": 3}, "names no classifier"),
        ({"denoiser": "../d", "classifier": "c"}, "is no name of a file"),
    ],
)
def test_a_denoised_networks_missing_part_is_named(tmp_path, said, message):
    with pytest.raises(AcesError, match=message):
        files_of(denoised(tmp_path, **said))
