from __future__ import annotations

import pytest

from engine.figures.headlines import Headline, headline
from engine.statistics.metrics import standalone
from tests import synthetic, toy


def test_a_certification_network_has_what_it_does_alone():
    run = synthetic.smoothed(0.25, 40)
    alone = standalone(run, 0.001, (), bound="margin")
    assert headline(run) == Headline(alone.nac, alone.acr)
    assert headline(run).acr > 0


def test_a_core_network_has_its_accuracy_and_no_radius():
    run = toy.core_run()
    right = sum(int(a == b) for a, b in zip(run.prediction, run.label, strict=True))
    assert headline(run) == (pytest.approx(100 * right / len(run.label)), None)
