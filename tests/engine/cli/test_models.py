from __future__ import annotations

import json

from tests import ROOT


def test_models_lists_every_architecture_with_its_size(call):
    status, out, _ = call("models", "--format", "json")
    listed = {row["name"]: row for row in json.loads(out)}
    assert status == 0
    assert listed["resnet110"]["parameters"] == 1_730_714
    assert listed["efficientnet-b7"]["pixels"] == 600
    status, out, _ = call("models")
    assert all(name in out for name in listed)


def test_inspect_says_what_a_checkpoint_is(call, tmp_path):
    path = ROOT / "cache" / "demo" / "fashion_mnist-core.safetensors"
    status, out, _ = call("inspect", path, "--format", "json")
    facts, card = json.loads(out), json.loads(path.with_suffix(".json").read_text())
    assert status == 0
    assert (facts["architecture"], facts["outputs"], facts["sha256"]) == ("resnet20", 10, card["sha256"])
    assert facts["parameters"] == card["parameters"]
    (tmp_path / "bad.pth").write_text("no checkpoint")
    status, _, err = call("inspect", tmp_path / "bad.pth")
    assert status == 2
    assert "bad.pth is refused" in err


def test_inspect_refuses_a_normaliser_that_does_not_exist(call):
    status, _, err = call("inspect", "x.pth", "--normalizer", "centre")
    assert status == 2
    assert "known: normalize, center, none" in err
