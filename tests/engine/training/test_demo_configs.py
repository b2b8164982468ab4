"""Every network that ships can be made again: a config beside its card, with the command that trained it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from engine.records.runs import read_meta
from engine.sampling.config import Config
from tests import ROOT


def is_run(path: Path) -> bool:
    with np.load(path) as file:
        return "meta" in file


CONFIGS = sorted((ROOT / "engine" / "configs" / "demo").glob("*.yaml"))
RUNS = sorted(path for path in (ROOT / "cache" / "demo").glob("*.npz") if is_run(path))
CARDS = sorted((ROOT / "cache" / "demo").glob("*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_a_demo_config_is_valid_and_says_its_own_command(path):
    text = path.read_text()
    config = Config.model_validate(yaml.safe_load(text))
    assert f"python -m engine precompute {path.relative_to(ROOT)}" in text
    entries = (*config.certify, *config.select, *config.core)
    assert len(entries) == 1
    checkpoint = (path.parent / entries[0].checkpoint).resolve()
    assert checkpoint.parent == ROOT / "cache" / "demo"


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_every_card_has_a_config_with_the_command_that_trained_it(path):
    card = json.loads(path.read_text())
    config = ROOT / "engine" / "configs" / "demo" / f"{path.stem}.yaml"
    assert card["command"] in config.read_text()


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_a_shipped_run_is_of_a_shipped_network_with_draws_enough(path):
    meta = read_meta(path)
    card = json.loads((path.parent / f"{meta.network.name}.json").read_text())
    assert (meta.network.sha256, meta.dataset, meta.network.sigma_train) == (
        card["sha256"],
        card["dataset"],
        card["sigma_train"],
    )
    if meta.kind != "core":
        assert (meta.n0, meta.n, meta.n_decided or (meta.n,)) == (100, 10_000, (10_000,))


def test_noise_that_no_network_was_trained_for_is_meant():
    path = ROOT / "engine" / "configs" / "demo" / "fashion_mnist-noise-levels.yaml"
    (entry,) = Config.model_validate(yaml.safe_load(path.read_text())).certify
    assert entry.other_sigma
    assert (min(entry.sigma), max(entry.sigma)) == (0.125, 1.5)
