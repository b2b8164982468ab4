from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from app.services.pictures import Pictures, read_pictures
from engine.errors import AcesError

GREY = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
COLOUR = np.stack([np.full((8, 8), value, np.uint8) for value in (10, 20, 30)])


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_thumbnail_is_the_image_itself():
    url = Pictures({7: GREY}).thumbnails[7]
    assert pixels(base64.b64decode(url.removeprefix("data:image/png;base64,"))).tolist() == GREY[0].tolist()


def test_channels_become_colours():
    assert pixels(Pictures({0: COLOUR}).large(0))[0, 0].tolist() == [10, 20, 30]


def test_a_large_picture_repeats_pixels_and_invents_none():
    large = pixels(Pictures({0: GREY}).large(0))
    assert large.shape == (224, 224)
    assert large[::28, ::28].tolist() == GREY[0].tolist()
    assert len(np.unique(large)) == 64


def test_an_image_that_does_not_ship_has_no_picture():
    assert Pictures({0: GREY}).large(1) is None


def test_pictures_are_read_by_index(tmp_path):
    np.savez(tmp_path / "some.npz", index=[3, 9], images=np.stack([GREY, GREY + 1]))
    assert read_pictures(tmp_path / "some.npz").images[9].tolist() == (GREY + 1).tolist()


def test_no_file_is_no_pictures(tmp_path):
    assert not read_pictures(tmp_path / "none.npz").images


@pytest.mark.parametrize("arrays", [{"index": [1]}, {"index": [1, 2], "images": GREY[None]}])
def test_a_damaged_file_is_named(tmp_path, arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(AcesError, match=r"bad\.npz"):
        read_pictures(tmp_path / "bad.npz")
