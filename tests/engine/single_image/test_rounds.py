"""PREDICT in rounds: the answers are those of the looks' counts, whoever else is asked about, at alpha in all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

from engine.arrays import ABSTAIN
from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.models import Network, Normalize
from engine.sampling.inference import Layout, freeze
from engine.single_image.live import Pair
from engine.single_image.rounds import Predictor, looks_for, together
from engine.single_image.system import PairSpec, Prediction, System
from engine.statistics.chains import Later
from tests import toy

BRIGHT = np.full((1, 8, 8), 0.9, np.float32)


class Mean(nn.Module):
    """Class 1 where the mean pixel exceeds 0.5, else class 0, and never class 2: probabilities are Phi(8 d / sigma)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        d = x.flatten(1).mean(1) - 0.5
        return torch.stack([-100 * d, 100 * d, torch.full_like(d, -1e4)], 1)


class Broken(nn.Module):
    """NaN where the noise is bright, so that its draws cannot be counted."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        d = x.flatten(1).mean(1)
        return torch.where(d > 0.7, torch.nan, 0.0)[:, None].repeat(1, 3) + torch.tensor([0.0, 1.0, 2.0])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(DATASETS, "toy", toy.CARD)
        toy.checkpoint(folder / "noisy.safetensors", sigma=2.0)
        toy.checkpoint(folder / "behind.safetensors", sigma=1.0, seed=3)
        toy.checkpoint(folder / "plain.safetensors", training="standard", sigma=0.0, seed=1)
        toy.selector(folder / "chooser.safetensors", sigma=1.0)
    return folder


def system(files: Path, theta: float | None = 0.8, **how: object) -> System:
    return System.load(files / "noisy.safetensors", files / "plain.safetensors", theta, **how)


def exact(pair: Pair, body: nn.Module | None = None, batch: int = 50) -> Pair:
    """The pair with networks whose probabilities are known."""
    certify = freeze(Network(Normalize((0.0,), (1.0,)), body or Mean()), layout=Layout(batch=batch))
    core = freeze(Network(Normalize((0.0,), (1.0,)), Mean()), layout=Layout(batch=1))
    return replace(pair, certify=certify, core=core)


def answers(predictor: Predictor) -> dict[object, Prediction]:
    found = {}
    while len(predictor):
        found |= dict(predictor.round())
    return found


@pytest.fixture(autouse=True)
def _toy(toy_dataset: None) -> None: ...


def test_batches_are_filled_by_parts_of_equal_size():
    for batch in (1, 2, 5, 10, 25, 50, 125, 250, 1250, 2500):
        assert batch % together(batch) == 0
        looks = looks_for(10_000, batch)
        assert 20 <= looks[0] <= 25
        assert all(look % together(batch) == 0 for look in looks[:-1])
        assert looks[-1] == 10_000


def test_a_clear_picture_is_answered_after_the_first_look_and_an_even_one_never(files):
    asked = system(files, 1.0, sigma=0.5)
    predictor = Predictor(asked, exact(asked.open()), 400, seed=0)
    assert predictor.looks == (25, 50, 100, 200, 400)
    predictor.add("clear", BRIGHT)
    predictor.add("even", np.full((1, 8, 8), 0.5, np.float32))
    found = answers(predictor)
    clear, even = found["clear"], found["even"]
    assert (clear.answer, clear.name, clear.selected, clear.draws) == (1, "grey", "certification", 25)
    assert (clear.top, clear.core, clear.alpha) == (1, 1, 0.001)
    assert clear.share > 0.9
    assert clear.core_confidence == pytest.approx(1.0)
    assert (even.answer, even.name, even.draws) == (ABSTAIN, None, 400)
    assert even.share == pytest.approx(0.5, abs=0.1)
    assert predictor.draws == 425


@pytest.mark.parametrize("n", [25, 800])
def test_an_even_picture_is_answered_with_probability_alpha_at_most_over_all_looks(files, n):
    """Where both classes have half of the votes every answer is wrong."""
    alpha, pictures = 0.2, 1_500
    asked = system(files, 1.0, alpha=alpha, sigma=0.5)
    predictor = Predictor(asked, exact(asked.open(), batch=250), n, seed=3)
    for at in range(pictures):
        predictor.add(at, np.full((1, 8, 8), 0.5, np.float32))
    wrong = sum(found.answer != ABSTAIN for found in answers(predictor).values())
    assert wrong <= binom.ppf(0.999, pictures, alpha / 2)  # the class's test has half of alpha; theta = 1 errs never


def test_what_a_picture_is_answered_depends_on_no_other(files):
    asked, rng = system(files), np.random.default_rng(0)
    pixels = rng.random((20, 1, 8, 8), dtype=np.float32)
    many = Predictor(asked, asked.open(), 400, seed=5)
    for at in range(20):
        many.add(at, pixels[at])
    together = answers(many)
    alone = Predictor(asked, asked.open(), 400, seed=5)
    found = {}
    for at in range(20):  # each alone, under the noise of its place
        alone.add(at, pixels[at])
        found |= answers(alone)
    assert {at: (p.answer, p.draws, p.share) for at, p in found.items()} == {
        at: (p.answer, p.draws, p.share) for at, p in together.items()
    }


@pytest.mark.parametrize("kind", ["a selection network", "a chain", "votes", "few votes", "uniform noise"])
def test_every_kind_of_system_predicts(files, kind):
    how: dict[str, object] = {
        "a selection network": {"select": files / "chooser.safetensors"},
        "a chain": {"then": [Later(files / "behind.safetensors", 0.9)]},
        "votes": {"theta": None, "p0": 0.6},
        "few votes": {"t": 0.1},
        "uniform noise": {"smoothing": "uniform"},
    }[kind]
    asked = system(files, **how)
    for found in asked.predict(np.random.default_rng(2).random((6, 1, 8, 8)), n=200, seed=1):
        assert -1 <= found.answer < 3
        assert (found.name is None) == (found.answer == ABSTAIN)
        assert found.selected in ("certification", "core", "undecided", "later")
        assert found.draws in (25, 50, 100, 200)


def test_pictures_join_between_rounds_and_may_be_dropped(files):
    asked = system(files, 1.0, sigma=0.5)
    predictor = Predictor(asked, exact(asked.open()), 4_000, seed=0)
    predictor.add("even", np.full((1, 8, 8), 0.5, np.float32))
    assert predictor.round() == []
    predictor.add("late", BRIGHT)
    assert [key for key, _ in predictor.round()] == ["late"]
    predictor.drop("even")
    assert len(predictor) == 0
    assert predictor.round() == []


def test_a_picture_whose_draws_cannot_be_counted_fails_alone(files):
    asked = system(files, 1.0, sigma=0.5)
    predictor = Predictor(asked, exact(asked.open(), Broken()), 50, seed=0)
    predictor.add("dark", np.zeros((1, 8, 8), np.float32))
    predictor.add("bright", BRIGHT)
    found = answers(predictor)
    assert isinstance(found["bright"], AcesError)
    assert isinstance(found["dark"], Prediction)


@pytest.mark.parametrize("pixels", [np.zeros((1, 9, 8), np.float32), np.full((1, 8, 8), 2.0, np.float32),
                                    np.full((1, 8, 8), np.nan, np.float32)])  # fmt: skip
def test_what_is_no_image_of_the_networks_is_refused(files, pixels):
    asked = system(files)
    with pytest.raises(AcesError):
        Predictor(asked, asked.open()).add("x", pixels)


def test_a_plan_that_no_draws_could_tell_is_refused(files):
    with pytest.raises(AcesError, match="draws cannot tell it"):
        Predictor(system(files, t=0.01), system(files).open(), 25)


def test_a_system_without_files_is_not_asked(tmp_path):
    lost = System(PairSpec(tmp_path / "a.safetensors", tmp_path / "b.safetensors"), 0.5, 0.5)
    with pytest.raises(AcesError, match=r"a\.safetensors"):
        lost.predict([BRIGHT])
