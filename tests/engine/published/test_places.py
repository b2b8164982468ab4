"""What the folders around a log tell of its dataset; what they tell beside it is tested with the logs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.datasets import DATASETS
from engine.errors import AcesError
from engine.published.places import FILE_ORDER, absent, place_of, split_of
from tests import toy

KNOWN = {
    "cifar10": (10, 9_999),
    "cifar100": (100, 9_999),
    "fashion_mnist": (10, 9_999),
    "imagenet": (1000, 49_999),
    "imagenet32": (1000, 49_999),
    "mnist": (10, 9_999),
    "svhn": (10, 26_031),
}
EVERY = sorted([*KNOWN, "imagenet_preview"])


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("folder", ["{}", "{}_logs", "{}-logs"])
def test_a_folder_names_the_dataset_and_with_it_classes_and_the_last_index(name, folder):
    place = place_of(Path("/logs") / folder.format(name) / "gaussian" / "noise_0.25" / "eval.tsv")
    assert (place.dataset, place.card.num_classes, place.last_index) == (name, *KNOWN[name])


def test_a_log_of_no_known_dataset_is_refused_with_the_names_of_all():
    with pytest.raises(AcesError, match=f"no folder names the dataset; known: {', '.join(EVERY)}$"):
        place_of(Path("/logs/pets/eval.tsv"))
    with pytest.raises(AcesError, match=f"unknown dataset 'pets'; known: {', '.join(EVERY)}$"):
        place_of(Path("/logs/cifar10/eval.tsv"), dataset="pets")


def test_the_longest_name_that_a_folder_begins_with_counts(monkeypatch):
    monkeypatch.setitem(DATASETS, "corrupted", replace(toy.CARD, name="corrupted", logged_as=("cifar10-c",)))
    assert place_of(Path("/logs/cifar10-c_fog/eval.tsv")).dataset == "corrupted"
    assert place_of(Path("/logs/cifar10-consistency/eval.tsv")).dataset == "cifar10"


def test_where_the_size_of_the_split_is_not_known_nothing_is_absent(monkeypatch):
    card = replace(toy.CARD, logged_as=("toy",))
    monkeypatch.setitem(DATASETS, "toy", card)
    place, index = place_of(Path("/logs/toy/eval.tsv")), np.array([0, 4, 12])
    assert place.last_index is None
    assert absent(place, index) is None
    monkeypatch.setitem(DATASETS, "toy", replace(card, images=24))
    assert absent(place, index) == "3 of the 6 images 0, 4, ..., 20: the first missing is 8"


def test_the_order_of_a_split_that_is_sorted_by_class_is_told_by_its_labels(monkeypatch):
    path, index = Path("/logs/toy/eval.tsv"), np.arange(24)
    card = replace(toy.CARD, logged_as=("toy",), images=24, per_class=8)
    monkeypatch.setitem(DATASETS, "toy", card)
    place = place_of(path)
    assert split_of(place, path, index, index // 8) == "test"
    assert split_of(place, path, index, (index // 8 + 1) % 3) == FILE_ORDER
    with pytest.raises(AcesError, match=r"line 25: image 23 has label 0; in Toy's order by class, .* it has 2$"):
        split_of(place, path, index, np.where(index == 23, 0, index // 8))
    monkeypatch.setitem(DATASETS, "toy", replace(card, per_class=None))
    assert split_of(place, path, index, (index // 8 + 1) % 3) == "test"
