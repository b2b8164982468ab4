from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import datasets
from engine.datasets import EncodedPicture, EncodedPictures, ImageSet, Transform, standard
from engine.errors import AcesError
from tests import ROOT

needs_fashion = pytest.mark.skipif(
    not standard.DEBIAN_FASHION_MNIST.is_dir(),
    reason="Fashion-MNIST is not on this machine (Debian: dataset-fashion-mnist)",
)
CIFAR10 = ROOT.parent / "shared" / "cifar10"
needs_cifar10 = pytest.mark.skipif(not CIFAR10.is_dir(), reason="no parquet files of CIFAR-10 beside the checkout")


def ten() -> ImageSet:
    return ImageSet("toy", "test", np.arange(10), np.arange(10) % 3, np.zeros((10, 1, 2, 2), np.uint8))


def flat(colour: object, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


@pytest.fixture
def pets(tmp_path):
    """Four pictures of two classes, one of them grey."""
    folder = tmp_path / "pets"
    for name, picture in {
        "dogs/b.png": flat((0, 0, 255)),
        "dogs/a.png": flat((0, 255, 0), (16, 8)),
        "cats/z.png": flat((255, 0, 0)),
        "cats/grey.png": flat(7, mode="L"),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)
    return folder


def parquet(path: Path, /, **columns: list[object]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    ("step", "limit", "expected"), [(3, None, [0, 3, 6, 9]), (3, 2, [0, 3]), (1, 4, [0, 1, 2, 3]), (20, None, [0])]
)
def test_subsets_keep_the_position_in_the_split(step, limit, expected):
    assert ten().every(step, limit).index.tolist() == expected


@pytest.mark.parametrize(("step", "limit"), [(0, None), (1, 0), (-2, None)])
def test_impossible_subsets_are_refused(step, limit):
    with pytest.raises(AcesError, match="at least 1"):
        ten().every(step, limit)


def test_pixels_run_from_0_to_1():
    images = np.array([[[[0, 255]]]], np.uint8)
    one = ImageSet("toy", "test", np.arange(1), np.zeros(1, np.int64), images)
    assert one.pixels().tolist() == [[[[0.0, 1.0]]]]
    assert one.image(0).tolist() == [[[0.0, 1.0]]]


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
    why = f"of {title} only logs can be read here, no pictures; pictures can be read of fashion_mnist, .*, imagenet"
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


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("fashion_mnist", "FashionMNIST/raw"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar10", "cifar10/test-00000-of-00001.parquet"),
        ("cifar100", "cifar-100-python"),
        ("cifar100", "cifar100/test.parquet"),
    ],
)
def test_a_dataset_is_on_the_disk_where_a_file_of_its_card_is(tmp_path, monkeypatch, name, file):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    assert not datasets.on_disk(name)
    (tmp_path / file).mkdir(parents=True)
    assert [other for other in datasets.DATASETS if datasets.on_disk(other)] == [name]


def test_imagenets_classes_are_in_the_order_of_the_synsets():
    classes = datasets.card("imagenet").classes
    assert (classes[0], classes[285], classes[999]) == ("tench", "Egyptian cat", "toilet tissue")


@needs_fashion
def test_fashion_mnist_is_read_from_the_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("fashion_mnist", "test")
    assert data.images.shape == (10_000, 1, 28, 28)
    assert np.bincount(data.label).tolist() == [1000] * 10
    assert data.images.mean() / 255 == pytest.approx(datasets.card("fashion_mnist").mean[0], abs=0.005)


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("fashion_mnist", "FashionMNIST", "apt-get install dataset-fashion-mnist"),
        (
            "cifar10",
            "CIFAR10",
            r"put cifar-10-python.tar.gz from https://www.cs.toronto.edu.*or a parquet file of .* as",
        ),
        ("cifar100", "CIFAR100", r"put cifar-100-python.tar.gz from .*cifar100.test\.parquet"),
    ],
)
def test_without_files_and_network_the_message_says_what_to_put_where(tmp_path, monkeypatch, name, dataset, message):
    import torchvision.datasets

    class Offline(getattr(torchvision.datasets, dataset)):
        def __init__(self, *_args, **_kwargs):
            raise RuntimeError("Error downloading")

    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    monkeypatch.setattr(standard, "DEBIAN_FASHION_MNIST", tmp_path / "absent")
    monkeypatch.setattr(torchvision.datasets, dataset, Offline)
    with pytest.raises(AcesError, match=message) as caught:
        datasets.load(name, "test")
    assert str(tmp_path) in str(caught.value)


def test_cifar_is_read_from_torchvisions_files(tmp_path, monkeypatch):
    import torchvision.datasets

    class Three(torchvision.datasets.CIFAR10):
        def __init__(self, root, train, download):
            self.data = np.arange(3 * 32 * 32 * 3, dtype=np.uint8).reshape(3, 32, 32, 3)
            self.targets = [3, 8, 8] if not train else [6, 9, 9]

    monkeypatch.setattr(torchvision.datasets, "CIFAR10", Three)
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("cifar10", "test")
    assert data.label.tolist() == [3, 8, 8]
    assert data.images.shape == (3, 3, 32, 32)
    assert data.images[0, :, 0, 1].tolist() == [3, 4, 5]  # the channels of one pixel
    assert datasets.load("cifar10", "train").label.tolist() == [6, 9, 9]


def test_cifar_is_read_from_parquet_files_in_the_data_folder_or_where_one_says(tmp_path, monkeypatch):
    white, black = flat((255, 255, 255), (32, 32)), flat((0, 0, 0), (32, 32))
    parquet(tmp_path / "cifar10" / "test.parquet", image=[encoded(white), encoded(black)], label=[3, 8])
    hub = parquet(tmp_path / "hub" / "test-00000.parquet", img=[{"bytes": encoded(white)}], fine_label=[9])
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("cifar10", "test")
    assert data.label.tolist() == [3, 8]
    assert data.images.mean((1, 2, 3)).tolist() == [255, 0]
    assert data.encoding == "PNG"
    assert datasets.card_at("cifar10", hub.parent).read("test").label.tolist() == [9]
    assert datasets.card_at("cifar10", hub).read("test").label.tolist() == [9]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [b"x"], "label": [10]}, r"label of row 0 is 10; expected 0\.\.9"),
        ({"image": [b"x"], "label": [None]}, "label of row 0 is None"),
        ({"image": [None, b"x"], "label": [0, 1]}, "row 0 holds no image"),
        ({"image": [b"x"], "target": [1]}, "has the columns image, target; needed: label or fine_label"),
        ({"file": ["a.png"], "label": [1]}, "one of encoded images"),
        ({"image": [b"no picture"], "label": [1]}, r"test\.parquet, row 0: this is no image that can be read"),
    ],
)
def test_parquet_files_that_do_not_fit_say_what_is_wrong(tmp_path, columns, message):
    file = parquet(tmp_path / "test.parquet", **columns)
    with pytest.raises(AcesError, match=message):
        datasets.card_at("cifar10", file).read("test")


def test_a_damaged_parquet_file_is_named(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(AcesError, match=r"test\.parquet is not a readable parquet file"):
        datasets.card_at("cifar10", tmp_path).read("test")


@needs_cifar10
def test_the_parquet_files_of_cifar10_hold_its_test_set():
    data = datasets.card_at("cifar10", CIFAR10).read("test")
    assert data.images.shape == (10_000, 3, 32, 32)
    assert data.encoding == "JPEG"
    assert np.bincount(data.label).tolist() == [1000] * 10
    means = data.images.mean((0, 2, 3)) / 255
    assert means == pytest.approx(datasets.card("cifar10").mean, abs=0.005)


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


def test_pictures_are_decoded_only_when_looked_at(pets):
    data = datasets.own_card("pets", pets, 8).read("test")
    (pets / "cats" / "grey.png").unlink()
    assert data.every(2).index.tolist() == [0, 2]
    assert data.image(1).shape == (3, 8, 8)
    with pytest.raises(AcesError, match=r"grey\.png is damaged"):
        data.image(0)


def test_a_parquet_file_of_ones_own_needs_the_names_of_its_classes(tmp_path):
    file = parquet(tmp_path / "test.parquet", image=[encoded(flat((9, 9, 9)))], label=[1])
    with pytest.raises(AcesError, match="name them under `classes`"):
        datasets.own_card("mine", file, 8)
    card = datasets.own_card("mine", file, 4, classes=("no", "yes"))
    assert card.read("test").array().tolist() == np.full((1, 3, 4, 4), 9).tolist()


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("cifar10", "", "name of a known dataset"),
        ("own", "absent", "there is no folder"),
        ("own", "flat", "one subfolder a class"),
        ("own", "empty", "no valid file for the classes b"),
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


def test_damaged_pictures_are_counted_and_named_and_skipped_only_when_asked(pets):
    whole = encoded(flat((200, 10, 10), (64, 64)), "JPEG")
    (pets / "cats" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (pets / "dogs" / "text.png").write_text("no picture")
    data = datasets.own_card("pets", pets, 8).read("test")
    with pytest.raises(AcesError, match=r"2 of 6 pictures cannot be read: .*cut\.jpg.*text\.png.*skip_damaged: true"):
        data.checked()
    kept = data.checked(skip_damaged=True)
    assert kept.left_out == ("cats/cut.jpg", "dogs/text.png")
    assert kept.index.tolist() == [1, 2, 3, 4]  # the others keep their positions
    assert kept.label.tolist() == [0, 0, 1, 1]
    assert len(kept.array()) == 4


def huge_png() -> bytes:
    """A picture that claims 40,000 x 40,000 pixels, in 57 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"")


@pytest.mark.parametrize("data", [huge_png(), encoded(flat(0, (10_001, 10_000), "1"))], ids=["40000", "10001"])
def test_a_huge_picture_is_refused_by_its_header(data):
    with pytest.raises(AcesError, match=r"big\.png: .*more than 100 megapixels"):
        EncodedPicture("big.png", data).open()


def test_a_core_networks_own_transform_sees_the_original_picture():
    original = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    pictures = EncodedPictures((EncodedPicture("x", encoded(original)),), Transform(crop=8))
    data = ImageSet("toy", "test", np.arange(1), np.zeros(1, np.int64), pictures)
    assert data.seen_through(Transform(crop=64)).array().tolist() == [np.asarray(original).transpose(2, 0, 1).tolist()]


def test_arrays_go_through_a_transform_too():
    images = np.random.default_rng(0).integers(0, 256, (2, 1, 4, 4), dtype=np.uint8)
    data = ImageSet("toy", "test", np.arange(2), np.zeros(2, np.int64), images)
    seen = data.seen_through(Transform(channels=3)).array()
    assert seen.shape == (2, 3, 4, 4)
    assert (seen == images).all()


def test_own_pictures_are_named_by_their_content(pets):
    data = datasets.own_card("pets", pets, 8).read("test")
    before = data.content(0), data.content(1)
    flat((1, 2, 3)).save(pets / "cats" / "grey.png")
    assert data.content(0) != before[0]
    assert data.content(1) == before[1]
    assert before[1].startswith("pets/")
    assert ten().content(0) == "toy"
