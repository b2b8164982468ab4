from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from engine import datasets
from engine.datasets import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.errors import AcesError
from tests.engine.datasets.pictures import encoded, flat


def ten() -> ImageSet:
    return ImageSet("toy", "test", np.arange(10), np.arange(10) % 3, np.zeros((10, 1, 2, 2), np.uint8))


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


def test_pictures_are_decoded_only_when_looked_at(pets):
    data = datasets.own_card("pets", pets, 8).read("test")
    (pets / "cats" / "grey.png").unlink()
    assert data.every(2).index.tolist() == [0, 2]
    assert data.image(1).shape == (3, 8, 8)
    with pytest.raises(AcesError, match=r"grey\.png cannot be read \(No such file"):
        data.image(0)


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
