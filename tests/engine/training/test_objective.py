"""The losses against independent numpy computations, their gradients against finite differences, in float64."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from engine.errors import AcesError
from engine.training.consistency import Consistency
from engine.training.macer import Macer
from engine.training.smoothadv import SmoothAdv
from tests.engine.training.formulas import OBJECTIVES, B, Y, expected, finite_differences, gradient, images, step, tiny


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_is_its_formula(name):
    network, x = tiny(), images()
    outcome = OBJECTIVES[name](network, x, Y, step())
    assert outcome.loss.item() == pytest.approx(expected(name, network, x), rel=1e-9)
    assert outcome.answer.shape == (B, 3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_gradient_is_that_of_the_formula(name):
    network, x = tiny(), images()
    analytic = gradient(network, OBJECTIVES[name](network, x, Y, step()).loss)
    numeric = finite_differences(network, partial(expected, name, network, x))
    assert np.abs(numeric).max() > 0.01
    assert analytic == pytest.approx(numeric, abs=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Consistency(10, copies=1), "at least 2 copies"),
        (lambda: Consistency(-1), "not negative"),
        (lambda: Macer(1.0, gamma=0), "gamma and beta are positive"),
        (lambda: SmoothAdv(0.5, 2, attack="fgsm"), "unknown attack 'fgsm'; known: pgd, ddn"),
        (lambda: SmoothAdv(0.0, 2), "epsilon is positive"),
    ],
)
def test_hyper_parameters_that_make_no_sense_are_refused(make, message):
    with pytest.raises(AcesError, match=message):
        make()
