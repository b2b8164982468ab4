from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from engine.training.consistency import disagreement


def test_consistency_costs_nothing_beyond_entropy_where_all_copies_agree():
    z = torch.tensor([[[2.0, 1.0, 0.0]] * 4])
    p = softmax([2.0, 1.0, 0.0])
    assert disagreement(z, 100.0, 0.5).item() == pytest.approx(-0.5 * np.sum(p * np.log(p)), rel=1e-5)


def test_consistency_survives_a_probability_of_zero():
    z = torch.tensor([[[300.0, 0.0, 0.0], [300.0, 0.0, 0.0]]], requires_grad=True)
    term = disagreement(z, 10.0, 0.5)
    (slope,) = torch.autograd.grad(term, z)
    assert term.item() == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(slope).all()
