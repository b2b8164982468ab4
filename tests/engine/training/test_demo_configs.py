"""Every network that ships can be made again: a config beside its card, with the command that trained it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from engine.models import load
from engine.records.runs import read_meta
from engine.sampling.config import Config, Entry
from engine.weights import DENOISED_SUFFIX, weights_of
from tests import ROOT


def is_run(path: Path) -> bool:
    with np.load(path) as file:
        return "meta" in file


CONFIGS = sorted((ROOT / "engine" / "configs" / "demo").glob("*.yaml"))
RUNS = sorted(path for path in (ROOT / "cache" / "demo").glob("*.npz") if is_run(path))
CARDS = sorted(p for p in (ROOT / "cache" / "demo").glob("*.json") if not p.name.endswith(DENOISED_SUFFIX))


def entries(path: Path) -> tuple[Entry, ...]:
    config = Config.model_validate(yaml.safe_load(path.read_text()))
    return *config.certify, *config.select, *config.core


def files(path: Path) -> list[Path]:
    """The checkpoints that a config names."""
    named = [(entry.checkpoint, getattr(entry, "denoiser", None)) for entry in entries(path)]
    return [(path.parent / name).resolve() for names in named for name in names if name is not None]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_a_demo_config_is_valid_and_says_its_own_command(path):
    assert f"python -m engine precompute {path.relative_to(ROOT)}" in path.read_text()
    assert len(entries(path)) == 1
    for file in files(path):
        assert file.parent == ROOT / "cache" / "demo"
        assert file.is_file()


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_every_card_has_a_config_with_the_command_that_trained_it(path):
    card = json.loads(path.read_text())
    naming = [config for config in CONFIGS if path.with_suffix(".safetensors") in files(config)]
    assert any(card["command"] in config.read_text() for config in naming)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_a_shipped_run_is_of_a_shipped_network_with_draws_enough(path):
    meta = read_meta(path)
    network = load(weights_of(meta))
    known = network.sha256, network.card.dataset, network.card.sigma_train
    assert known == (meta.network.sha256, meta.dataset, meta.network.sigma_train)
    if meta.kind != "core":
        assert (meta.n0, meta.n, meta.n_decided or (meta.n,)) == (100, 10_000, (10_000,))


def test_noise_that_no_network_was_trained_for_is_meant():
    path = ROOT / "engine" / "configs" / "demo" / "fashion_mnist-noise-levels.yaml"
    (entry,) = Config.model_validate(yaml.safe_load(path.read_text())).certify
    assert entry.other_sigma
    assert (min(entry.sigma), max(entry.sigma)) == (0.125, 1.5)
