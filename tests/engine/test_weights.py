from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import AcesError
from engine.weights import places, weights_of
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
