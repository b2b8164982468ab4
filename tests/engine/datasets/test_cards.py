from __future__ import annotations

import pytest

from engine import datasets
from engine.errors import AcesError


def test_unknown_names_list_the_known_ones():
    with pytest.raises(AcesError, match=r"unknown dataset 'mnits'; known: fashion_mnist, cifar10, cifar100, imagenet"):
        datasets.load("mnits")
    with pytest.raises(AcesError, match="unknown split 'validation'; known: train, test"):
        datasets.load("fashion_mnist", "validation")


@pytest.mark.parametrize(
    ("name", "classes", "size", "images"),
    [
        ("fashion_mnist", 10, 28, 500),
        ("cifar10", 10, 32, 500),
        ("cifar100", 100, 32, 500),
        ("imagenet", 1000, 224, 500),
    ],
)
def test_cards_name_every_class_and_the_papers_subset_of_500_images(name, classes, size, images):
    card = datasets.card(name)
    assert card.num_classes == classes
    assert all(card.classes)
    assert card.shape[1:] == (size, size)
    assert len(card.mean) == len(card.std) == card.shape[0]
    assert {"imagenet": 50_000}.get(name, 10_000) == card.images == images * card.every


@pytest.mark.parametrize("card", datasets.DATASETS.values(), ids=lambda card: card.name)
def test_cards_fit_together(card):
    assert len(set(card.classes)) >= (998 if card.name == "imagenet" else card.num_classes)  # two cranes, two maillots
    assert len(card.mean) == len(card.std) == card.shape[0]
    others = [other for other in datasets.DATASETS.values() if other is not card]
    assert not {name for other in others for name in other.logged_as} & set(card.logged_as)


@pytest.mark.parametrize(("name", "title"), [("mnist", "MNIST"), ("svhn", "SVHN"), ("imagenet32", "ImageNet at 32 px")])
def test_pictures_of_a_dataset_without_reader_are_refused_in_one_sentence(tmp_path, monkeypatch, name, title):
    readable = "pictures can be read of fashion_mnist, .*, imagenet_preview"
    why = f"of {title} only logs can be read here, no pictures; {readable}"
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    assert datasets.known(name) is None
    assert not datasets.on_disk(name)
    for asked in (datasets.card, datasets.load, lambda name: datasets.DATASETS[name].read("test")):
        with pytest.raises(AcesError, match=f"^{why}$"):
            asked(name)
    with pytest.raises(AcesError, match=f"^{why}; your own pictures need `size` under `data`$"):
        datasets.card_at(name, tmp_path)


def test_pictures_of_ones_own_may_bear_the_name_of_a_dataset_without_reader(pets):
    data = datasets.own_card("mnist", pets, 8).read("test")
    assert (data.dataset, data.label.tolist()) == ("mnist", [0, 0, 1, 1])


def test_imagenets_classes_are_in_the_order_of_the_synsets():
    classes = datasets.card("imagenet").classes
    assert (classes[0], classes[285], classes[999]) == ("tench", "Egyptian cat", "toilet tissue")
