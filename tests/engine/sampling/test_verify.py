from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cache.store import Store
from engine.errors import AcesError
from engine.models import load
from engine.sampling.config import read_config
from engine.sampling.precompute import precompute
from engine.sampling.verify import Verdict, verify
from tests import toy

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture
def sampled(tmp_path):
    """A run of the toy dataset, its checkpoint and images."""
    path = toy.config(tmp_path)
    with Store(tmp_path / "store") as store:
        run, core = precompute(read_config(path), store)
    return run, core, load(tmp_path / "noisy.safetensors"), toy.images("test")


def test_what_was_sampled_is_sampled_again(sampled):
    run, _, checkpoint, images = sampled
    told: list[Verdict] = []
    verdicts = verify(run, checkpoint, images, 4, report=told.append)
    assert verdicts == told
    assert [(v.differing, v.draws) for v in verdicts] == [(0, 650)] * 4
    assert len({v.index for v in verdicts} & set(run.index.tolist())) == 4


@pytest.mark.parametrize("table", ["class_counts0", "class_counts", "select_counts0", "select_counts"])
def test_a_single_changed_draw_is_found(sampled, table):
    run, _, checkpoint, images = sampled
    counts = getattr(run, table).copy()
    if table.startswith("class"):
        most = counts.argmax(1)
        counts[np.arange(len(counts)), most] -= 1
        counts[np.arange(len(counts)), (most + 1) % 3] += 1
    else:  # one draw fewer is selected below theta = 1
        counts[:, :-1] = np.maximum(counts[:, :-1] - (counts[:, :-1] > 0), 0)
    verdicts = verify(replace(run, **{table: counts}), checkpoint, images, 6)
    assert [v.differing for v in verdicts] == [1] * 6


def test_other_weights_other_images_and_core_runs_are_refused(sampled, tmp_path):
    run, core, checkpoint, images = sampled
    with pytest.raises(AcesError, match="'plain' is a core run"):
        verify(core, checkpoint, images)
    with pytest.raises(AcesError, match="other weights than those of other"):
        verify(run, load(toy.checkpoint(tmp_path / "other.safetensors", seed=9)), images)
    with pytest.raises(AcesError, match="image 0 of 'noisy' is not in toy"):
        verify(run, checkpoint, replace(images, label=(images.label + 1) % 3))


def test_a_run_is_sampled_again_by_its_own_mechanism(sampled):
    run, _, checkpoint, images = sampled
    other = replace(run, meta=replace(run.meta, mechanism="margin"))
    with pytest.raises(AcesError, match="unknown selection mechanism 'margin'; known: network, entropy"):
        verify(other, checkpoint, images)
    core_like = replace(run, meta=replace(run.meta, mechanism="network"))
    assert all(v.differing for v in verify(core_like, checkpoint, images, 6))
