from __future__ import annotations

import pytest

from engine import datasets
from engine.models import Hints, Normalizer, probe
from tests.engine.models.fabricated import CifarLike, bright_or_dark, saved, threshold_at


@pytest.mark.parametrize(
    ("kind", "middle"), [(Normalizer.NONE, 0.784), (Normalizer.CENTER, 0.311), (Normalizer.NORMALIZE, 1.55)]
)
def test_the_probe_finds_the_normaliser_that_a_network_was_trained_behind(tmp_path, kind, middle):
    path = saved(tmp_path / "net.pth", threshold_at(middle).state_dict())
    hints = Hints(architecture=f"{CifarLike.__module__}:CifarLike", dataset=datasets.card("cifar10"))
    checkpoint, scores = probe(path, hints, bright_or_dark(), sigma=0.05)
    assert checkpoint.normalizer == kind
    assert scores.accuracy[kind] == 100
    assert "by a probe" in checkpoint.why


def test_a_probe_without_a_clear_winner_says_so(tmp_path):
    path = saved(tmp_path / "net.pth", threshold_at(-9.0).state_dict())  # says 1 whatever it sees
    hints = Hints(architecture=f"{CifarLike.__module__}:CifarLike", dataset=datasets.card("cifar10"))
    checkpoint, scores = probe(path, hints, bright_or_dark(), sigma=0.25)
    assert scores.close
    assert "too close to tell" in checkpoint.why
