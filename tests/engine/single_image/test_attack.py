"""The attack, on a linear network whose distance to the boundary is known exactly."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.models import Network
from engine.records.meta import NetworkInfo
from engine.sampling.inference import Layout, freeze
from engine.single_image.attack import JUDGES, attack
from engine.single_image.certificate import Networks
from engine.single_image.live import Pair
from engine.single_image.messages import no_attack
from engine.single_image.plan import LaterPlan, Plan
from tests import toy

DISTANCE = 0.9
TENSOR = np.full((1, 8, 8), 128, np.uint8)
ALWAYS = Plan(sigma=0.25, theta=1.0)


@pytest.fixture(scope="module")
def pair() -> Pair:
    """Class 0 on one side of a plane at ``DISTANCE``, class 1 beyond; the core network always says 2."""
    direction = torch.nn.functional.normalize(torch.randn(64, generator=torch.Generator().manual_seed(0)), dim=0)
    at = float(direction.sum()) * 128 / 255
    certify = linear(torch.stack([-direction, direction, torch.zeros(64)]), [at + DISTANCE, -at - DISTANCE, -9.0])
    core = linear(torch.zeros(3, 64), [0.0, 0.0, 1.0])
    info = NetworkInfo("linear", "0" * 64)
    networks = Networks("toy", toy.CARD.classes, info, info, "float32", "cpu")
    return Pair(networks, toy.CARD, freeze(certify), freeze(core, layout=Layout(batch=1)), certify)


def linear(weight: torch.Tensor, bias: list[float]) -> Network:
    layer = nn.Linear(64, 3)
    layer.weight.data, layer.bias.data = 20 * weight, 20 * torch.tensor(bias)
    return Network(nn.Identity(), nn.Sequential(nn.Flatten(), layer)).eval()


def test_inside_the_true_radius_the_answer_holds(pair):
    found = attack(pair, TENSOR, ALWAYS, 0, 0.8 * DISTANCE)
    assert found.before.answer == found.after.answer == 0
    assert found.held


def test_outside_it_falls_and_the_perturbation_is_the_shortest_one(pair, monkeypatch):
    seeds = itertools.count()  # by chance the other attack may leave a vote less
    monkeypatch.setattr("engine.single_image.attack.fresh_seed", lambda: next(seeds))
    found = attack(pair, TENSOR, ALWAYS, 0, 1.2 * DISTANCE)
    assert found.goal == "class"
    assert found.after.answer == 1
    assert not found.held


def test_a_certificate_of_another_norm_is_not_attacked(pair):
    with pytest.raises(AcesError, match="Attacks are ℓ2, and a certificate under uniform noise is ℓ1"):
        attack(pair, TENSOR, replace(ALWAYS, smoothing="uniform"), 0, 0.5)


def test_near_the_boundary_the_smoothed_answer_may_become_uncertain_but_is_not_another(pair):
    found = attack(pair, TENSOR, ALWAYS, 0, DISTANCE)
    assert found.after.answer in (0, 1, ABSTAIN)
    assert abs(found.after.certify - JUDGES / 2) < 100


@pytest.mark.parametrize("budget", [0.1, 0.5, 30.0])
def test_the_change_keeps_to_its_budget_and_the_image_to_its_range(pair, budget):
    found = attack(pair, TENSOR, ALWAYS, 0, budget)
    assert found.norm <= budget * (1 + 1e-5)
    assert found.image.min() >= 0
    assert found.image.max() <= 1
    assert found.norm == pytest.approx(np.linalg.norm(found.image - TENSOR / 255), rel=1e-4)


def test_a_selection_can_be_attacked_instead_of_the_class(pair):
    """Only draws far from the plane have entropies this low: moving towards it sends the image to the core network."""
    found = attack(pair, TENSOR, Plan(sigma=0.05, theta=0.001), 0, 0.75)
    assert found.before.answer == 0
    assert found.after.answer == 2
    assert found.after.certify > 0.9 * JUDGES


def test_with_a_selection_network_that_network_is_attacked_under_its_noise(pair):
    """It chooses the core network beyond a plane of its own, nearer than that of the classes."""
    direction = torch.nn.functional.normalize(torch.randn(64, generator=torch.Generator().manual_seed(1)), dim=0)
    at, near = float(direction.sum()) * 128 / 255, 0.3
    layer = nn.Linear(64, 2)
    layer.weight.data = 20 * torch.stack([direction, -direction])
    layer.bias.data = 20 * torch.tensor([-at - near, at + near])
    chooser = Network(nn.Identity(), nn.Sequential(nn.Flatten(), layer)).eval()
    networks = replace(pair.networks, select=NetworkInfo("chooser", "1" * 64), mechanism="network")
    three = replace(pair, networks=networks, selection=freeze(chooser))
    plan = Plan(sigma=0.25, theta=0.5, sigma_select=0.1)
    inside, beyond = (attack(three, TENSOR, plan, 0, budget) for budget in (0.5 * near, 2 * near))
    assert (inside.before.answer, inside.after.answer) == (0, 0)
    assert beyond.goal == "selection"
    assert beyond.after.answer == 2
    assert beyond.after.select < 0.1 * JUDGES


def test_what_is_not_attacked_is_said_in_a_sentence(pair):
    votes = replace(ALWAYS, theta=None, p0=0.7)
    chain = replace(ALWAYS, then=(LaterPlan(1.0, 0.3),))
    assert no_attack(ALWAYS) == ""
    for plan, said in ((votes, "the votes for the class do"), (chain, "this is a chain")):
        assert said in no_attack(plan)
        with pytest.raises(AcesError, match=said):
            attack(pair, TENSOR, plan, 0, 0.5)
