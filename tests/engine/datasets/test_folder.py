from __future__ import annotations

import pytest
from PIL import Image

from engine import datasets
from engine.errors import AcesError
from tests.engine.datasets.pictures import flat


def test_imagenet_is_resized_cropped_and_labelled_by_folder(tmp_path, monkeypatch):
    for k in range(1000):
        (tmp_path / "imagenet" / "val" / f"n{k:08}").mkdir(parents=True)
        (tmp_path / "imagenet" / "val" / f"n{k:08}" / "a.JPEG").write_bytes(b"not decoded until looked at")
    wide = Image.new("RGB", (512, 256))
    wide.paste((255, 0, 0), (128, 0, 384, 256))
    wide.save(tmp_path / "imagenet" / "val" / "n00000100" / "a.JPEG", quality=100)
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("imagenet", "test").every(100)
    assert data.label.tolist() == list(range(0, 1000, 100))
    image = data.image(1)
    assert image.shape == (3, 224, 224)
    assert image[0].min() > 0.9  # the central square of a picture of 512 x 256


def test_imagenet_that_is_not_there_says_where_it_belongs(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    with pytest.raises(AcesError, match=r"0 class folders; 1000 are needed.*one folder a class.*imagenet.val"):
        datasets.load("imagenet", "test")


def test_a_folder_of_ones_own_is_ordered_by_class_then_file(pets):
    card = datasets.own_card("pets", pets, 8)
    data = card.read("test")
    assert card.classes == ("cats", "dogs")
    assert card.shape == (3, 8, 8)
    assert data.label.tolist() == [0, 0, 1, 1]
    colours = data.array()[:, :, 4, 4].tolist()
    assert colours == [[7, 7, 7], [255, 0, 0], [0, 255, 0], [0, 0, 255]]  # grey, z, a, b: grey became colour


def test_the_split_to_learn_from_lies_elsewhere_where_that_is_said(pets, tmp_path):
    for place, colour in (("cats", 5), ("dogs", 6)):
        (tmp_path / "learn" / place).mkdir(parents=True)
        flat((colour,) * 3).save(tmp_path / "learn" / place / "0.png")
    card = datasets.own_card("pets", pets, 8, train=tmp_path / "learn")
    assert card.read("train").array()[:, 0, 4, 4].tolist() == [5, 6]
    assert len(card.read("test")) == len(datasets.own_card("pets", pets, 8).read("train")) == 4


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("cifar10", "", "name of a known dataset"),
        ("own", "absent", "there is no folder"),
        ("own", "flat", "one subfolder per class"),
        ("own", "empty", "no pictures of the classes b"),
    ],
)
def test_folders_that_are_no_dataset_say_why(tmp_path, name, make, message):
    place = tmp_path / make
    if make == "flat":
        place.mkdir()
        flat(0).save(place / "a.png")
    if make == "empty":
        (place / "a").mkdir(parents=True)
        (place / "b").mkdir()
        flat(0).save(place / "a" / "a.png")
    with pytest.raises(AcesError, match=message):
        datasets.own_card(name, place, 8).read("test")


def test_a_folder_that_is_no_class_is_told_the_classes_in_their_order(pets):
    card = datasets.own_card("pets", pets, 8, classes=("ants", "cats"))
    with pytest.raises(AcesError, match=r"dogs is called like no class; classes are ants, cats$"):
        card.read("test")
