"""Uploads: what a stranger may send, and the exact tensor that comes of it."""

from __future__ import annotations

import gc
import hashlib
import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.datasets.formats import OF_STRANGERS, PictureError
from engine.errors import AcesError
from engine.single_image.picture import Framing, read_picture, tensor_sha256, to_png, to_tensor
from tests.bad_pictures import BAD, GOOD, encoded, photo, turned_by_exif

UNIT = st.floats(0, 1)


@pytest.mark.parametrize("name", [name for name, (_, message) in BAD.items() if message])
def test_what_is_no_usable_image_gets_a_sentence(name):
    data, message = BAD[name]
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", GOOD)
def test_images_of_every_kind_are_read_and_say_what_was_left_out(name):
    data, note = GOOD[name]
    picture = read_picture(data)
    assert picture.pixels.dtype == np.uint8
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert note in " ".join(picture.notes)
    assert bool(note) == bool(picture.notes)
    for shape in ((1, 28, 28), (3, 32, 32)):
        assert to_tensor(picture, Framing(), shape).shape == shape


def test_a_file_of_51_mb_is_refused_unread():
    with pytest.raises(PictureError, match="51 MB"):
        read_picture(bytes(OF_STRANGERS.bytes + 1_000_000))


@pytest.mark.parametrize("name", ["huge.png", "large.png", "zip_bomb.png", "inflating.png"])
def test_bombs_do_not_unfold_in_memory(name):
    data, _ = BAD[name]
    tracemalloc.start()
    try:
        read_picture(data)
    except PictureError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(AcesError, match="is no file"):
        read_picture(tmp_path / "a.png")


def test_a_picture_turned_by_exif_stands_upright():
    picture = read_picture(turned_by_exif())
    assert picture.size == (48, 64)
    assert picture.pixels[0, -1, 0] < 20  # what was top left is top right now
    assert picture.pixels[-1, -1, 0] > 235


def test_sixteen_bits_keep_their_range():
    pixels = read_picture(GOOD["16_bit.png"][0]).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)


def test_transparent_pixels_are_white():
    pixels = read_picture(GOOD["palette.png"][0]).pixels
    assert pixels[0, 15].tolist() == [255, 255, 255]
    assert pixels[0, 0].tolist() == [200, 100, 0]


def test_a_tensor_saved_as_png_comes_back_exactly():
    for shape in ((1, 28, 28), (3, 32, 32)):
        tensor = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        again = to_tensor(read_picture(to_png(tensor)), Framing(), shape)
        assert np.array_equal(again, tensor)
        assert tensor_sha256(again) == tensor_sha256(tensor)


@given(UNIT, UNIT, st.floats(0.05, 1), st.tuples(st.integers(8, 90), st.integers(8, 90)))
def test_the_window_lies_in_the_picture_and_keeps_its_shape(x, y, zoom, size):
    left, top, right, bottom = Framing(x, y, zoom).box(size, (28, 28))
    assert -1e-9 <= left < right <= size[0] + 1e-9
    assert -1e-9 <= top < bottom <= size[1] + 1e-9
    assert right - left == pytest.approx(bottom - top)


def test_the_window_moves_over_the_picture():
    picture = read_picture(encoded(photo(200, 50)))
    left, right = (to_tensor(picture, Framing(x=x), (3, 28, 28))[0].mean() for x in (0, 1))
    assert left < 60
    assert right > 190


def test_inverting_turns_light_into_dark():
    picture = read_picture(encoded(Image.new("L", (28, 28), 30)))
    assert (to_tensor(picture, Framing(invert=True), (1, 28, 28)) == 225).all()


def test_tensors_of_other_values_or_shape_have_another_identity():
    tensor = np.zeros((1, 4, 4), np.uint8)
    other = tensor.copy()
    other[0, 0, 0] = 1
    assert len({tensor_sha256(t) for t in (tensor, other, tensor.reshape(1, 2, 8))}) == 3


@pytest.mark.parametrize("values", [(-0.1, 0, 1), (0, 1.1, 1), (0, 0, 0), (float("nan"), 0, 1)])
def test_a_crop_outside_the_picture_is_refused(values):
    with pytest.raises(AcesError, match="crop"):
        Framing(*values)


def test_two_hundred_uploads_leave_nothing_behind():
    files = [data for data, _ in (*GOOD.values(), *BAD.values())]

    def upload(times: int) -> int:
        for k in range(times):
            try:
                to_tensor(read_picture(files[k % len(files)]), Framing(), (1, 28, 28))
            except PictureError:
                continue
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before, after = upload(50), upload(200)
    tracemalloc.stop()
    assert after - before < 100_000
