"""Benchmarks for machines that others have: that they run, and what they say where there is none."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import gpu, load
from benchmarks.browser import MAIN, serve
from engine.models import build
from tests import ROOT, toy


@pytest.mark.slow
def test_without_a_gpu_one_line_says_so():
    command = [sys.executable, "-m", "benchmarks", "gpu"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={"CUDA_VISIBLE_DEVICES": ""}, check=True
    )
    lines = [line for line in done.stdout.splitlines() if "GPU" in line]
    assert lines == ["| GPU: torch finds none on this machine, so nothing was measured on one | — |  |"]
    assert "Traceback" not in done.stderr


def test_the_budget_that_is_timed_is_that_of_the_demos_images():
    draws = gpu.budgeted()
    assert len(draws) == gpu.IMAGES
    assert 1_000 <= draws.min() < draws.max() == gpu.N
    assert 1.5 < gpu.N / draws.mean() < 20


@pytest.mark.usefixtures("toy_dataset")
def test_what_is_measured_on_a_gpu_is_measured_on_any_device(monkeypatch):
    monkeypatch.setattr(gpu, "BATCHES", (50,))
    found = gpu.measure(build("resnet8", "toy").eval(), toy.CARD.shape, "cpu", 0.05)
    assert min(found.even, found.uneven, found.bare) > 0
    assert found.megabytes is None
    assert sum(found.profile.values()) == pytest.approx(100)
    assert found.seconds == gpu.IMAGES * (gpu.N + gpu.N0) / found.even
    assert np.isfinite(found.seconds_with_budget)


@pytest.mark.slow
def test_people_turn_theta_and_certify_at_once_without_an_error(tmp_path):
    places = {"PYTHONPATH": str(ROOT), "ACES_CACHE": str(tmp_path), "ACES_PUBLIC": "1"}
    with serve(MAIN, places) as (address, _, process):
        found = asyncio.run(load.measure(address, process, sessions=2, seconds=1.0, jobs=1, opened=2))
    assert found.errors == []
    assert found.seconds
    assert found.jobs >= 1
    assert found.processor > 0
    names = [name for name, _ in found.lines]
    assert len(names) == len(set(names))
    assert {"the server's memory, MB, before", "the server's memory, MB, after"} <= set(names)
    assert len(found.memory) == 3
