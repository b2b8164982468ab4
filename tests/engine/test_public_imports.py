"""Imports that README shows outlive every move: the same objects, by their old names."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from tests import ROOT

PUBLIC = {
    "engine.aces": ("engine.statistics.aces", "certify predict Certificates Outcome DEFAULT_ALPHA"),
    "engine.bounds": ("engine.statistics.bounds", "lower_confidence_bound two_sided_p_value"),
    "engine.compose": ("engine.records.compose", "compose Composition"),
    "engine.runs": ("engine.records.runs", "SmoothedRun SelectionRun CoreRun Meta read_run write_run ABSTAIN Array"),
}


@pytest.mark.parametrize("public", PUBLIC)
def test_a_public_import_gives_what_the_room_holds(public):
    home, names = PUBLIC[public]
    for name in names.split():
        assert getattr(importlib.import_module(public), name) is getattr(importlib.import_module(home), name)


def test_corrections_are_imported_with_the_algorithms():
    from engine.aces import Correction, Levels, levels

    assert levels(Correction.BONFERRONI, 0.5) == Levels(0.25, 0.25, 0.25, 0.25)


def test_a_system_is_imported_from_the_engine_itself_without_torch():
    import engine
    from engine.single_image.system import System

    assert engine.System is System
    with pytest.raises(AttributeError, match="has no attribute Sistem"):
        engine.Sistem  # noqa: B018
    code = "import sys; from engine import System; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"
