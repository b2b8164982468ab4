from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import AcesError
from engine.mechanisms import core_probability
from engine.models import load
from engine.training.fit import fit
from engine.training.selection import Selection, fit_selection
from tests import toy
from tests.engine.training.recipes import plan

pytestmark = pytest.mark.usefixtures("toy_dataset")


@pytest.fixture
def teacher(tmp_path):
    """A certification network that knows bright images and is unsure of the others."""
    return load(fit(plan("teacher", epochs=2), tmp_path))


def select(teacher, folder, eta=0.5, draws=8, **calls):
    return fit_selection(teacher, Selection(eta, draws), plan(f"select-{eta}"), folder, **calls)


def test_labels_say_whether_enough_noisy_answers_are_right():
    right = np.array([0, 49, 50, 94, 95, 100], np.int32)
    assert Selection(0.5, 100).labels(right).tolist() == [0, 0, 1, 1, 1, 1]
    assert Selection(0.95, 100).labels(right).tolist() == [0, 0, 0, 0, 1, 1]
    assert Selection(1.0, 100).labels(right).tolist() == [0, 0, 0, 0, 0, 1]


def test_every_eta_is_met_exactly_at_its_own_count():
    for percent in range(1, 101):
        assert Selection(percent / 100, 1000).labels(np.array([10 * percent - 1, 10 * percent])).tolist() == [0, 1]


def test_counts_are_the_teachers_right_answers_under_noise(teacher, tmp_path):
    select(teacher, tmp_path, draws=40)
    with np.load(tmp_path / "teacher-right-train-40.npz") as kept:
        right, draws = kept["right"], int(kept["draws"])
    assert draws == 40
    data, generator = toy.images("train"), torch.Generator().manual_seed(0)
    x = torch.from_numpy(data.pixels())
    with torch.no_grad():
        answers = [
            teacher.network(x + 0.25 * torch.randn(x.shape, generator=generator)).argmax(1).numpy() for _ in range(40)
        ]
    independent = sum(answer == data.label for answer in answers)
    assert np.abs(right - independent).max() <= 20  # other noise: six standard deviations of the difference, at most
    assert np.corrcoef(right, independent)[0, 1] > 0.9


def test_the_selection_network_has_two_outputs_and_a_card_that_names_its_teacher(teacher, tmp_path):
    path = select(teacher, tmp_path)
    checkpoint, card = load(path), json.loads(path.with_suffix(".json").read_text())
    assert checkpoint.network(torch.rand(5, 1, 8, 8)).shape == (5, 2)
    assert core_probability(checkpoint.network(torch.rand(5, 1, 8, 8))).shape == (5,)
    assert (card["training"], card["outputs"], card["sigma_train"]) == ("selection", 2, 0.25)
    assert (card["selection"]["eta"], card["selection"]["draws"]) == (0.5, 8)
    assert card["selection"]["of"] == {"name": "teacher", "sha256": teacher.sha256}
    assert 0 < card["selection"]["labelled_certify"] < 100


def test_counting_goes_on_where_it_was_interrupted_and_serves_every_eta(teacher, tmp_path):
    class KilledError(Exception):
        pass

    def kill(split, done, wanted):
        if (split, done) == ("train", 5):
            raise KilledError

    with pytest.raises(KilledError):
        select(teacher, tmp_path, report_draws=kill)
    drawn = []
    resumed = select(teacher, tmp_path, report_draws=lambda *counted: drawn.append(counted)).read_bytes()
    assert drawn == [("train", d, 8) for d in (6, 7, 8)] + [("test", d, 8) for d in range(1, 9)]
    drawn.clear()
    select(teacher, tmp_path, eta=0.75, report_draws=lambda *counted: drawn.append(counted))
    assert drawn == []
    assert select(teacher, tmp_path / "whole").read_bytes() == resumed


def test_counts_of_another_network_are_refused(teacher, tmp_path):
    select(teacher, tmp_path)
    with pytest.raises(AcesError, match="counts of another network, noise or seed"):
        select(replace(teacher, sha256="0" * 64), tmp_path)


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_damaged_counts_say_what_to_do(teacher, tmp_path, keep):
    select(teacher, tmp_path)
    counts = tmp_path / "teacher-right-train-8.npz"
    counts.write_bytes(counts.read_bytes()[:keep])
    with pytest.raises(AcesError, match="is damaged; remove it to count again"):
        select(teacher, tmp_path)


def test_labels_of_one_kind_are_refused(tmp_path):
    sure = load(fit(plan("sure", "standard", 0.0, epochs=12), tmp_path))
    with pytest.raises(AcesError, match=r"at eta 0.5 all training images are labelled 1; choose another eta"):
        fit_selection(sure, Selection(0.5, 4), plan("select", sigma=0.01), tmp_path)
