from __future__ import annotations

from functools import partial

import pytest

from engine.errors import AcesError
from engine.training.macer import Macer, macer
from engine.training.methods import METHODS, method


def test_a_method_is_found_by_its_name_and_trains_under_noise_unless_it_is_standard():
    for name in METHODS:
        assert method(name).name == name
        assert method(name).noisy is (name != "standard")
        assert method(name).paper


def test_hyper_parameters_are_bound_into_the_loss():
    hyper = Macer(12.0)
    bound = method("macer").objective(hyper)
    assert isinstance(bound, partial)
    assert (bound.func, bound.keywords) == (macer, {"h": hyper})
    assert method("gaussian").objective().keywords == {}


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(AcesError, match="unknown training method 'stability'; known: standard, gaussian, smoothadv, "):
        method("stability")
