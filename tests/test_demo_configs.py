"""Every network that ships can be made again: a config beside its card, with the command that trained it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from engine.config import Config

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "engine" / "configs" / "demo").glob("*.yaml"))
CARDS = sorted((ROOT / "cache" / "demo").glob("*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_a_demo_config_is_valid_and_says_its_own_command(path):
    text = path.read_text()
    config = Config.model_validate(yaml.safe_load(text))
    assert f"python -m engine precompute {path.relative_to(ROOT)}" in text
    entries = (*config.certify, *config.core)
    assert len(entries) == 1
    checkpoint = (path.parent / entries[0].checkpoint).resolve()
    assert checkpoint.parent == ROOT / "cache" / "demo"


@pytest.mark.parametrize("path", CARDS, ids=lambda p: p.stem)
def test_every_card_has_a_config_with_the_command_that_trained_it(path):
    card = json.loads(path.read_text())
    if card["training"] == "selection":
        pytest.skip("labelled by another network: its card holds the command")
    config = ROOT / "engine" / "configs" / "demo" / f"{path.stem}.yaml"
    assert card["command"] in config.read_text()
