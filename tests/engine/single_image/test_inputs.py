"""Whatever shows pictures to a script gives what the networks see, or one line that says why not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import AcesError
from engine.single_image.inputs import each_image, read_image
from engine.single_image.picture import Framing, read_picture, tensor_sha256, to_png, to_tensor
from tests.bad_pictures import encoded, photo, png_claiming

GREY, COLOUR = (1, 8, 10), (3, 8, 10)
TENSOR = np.random.default_rng(0).integers(0, 256, COLOUR, dtype=np.uint8)


def forms(tensor: np.ndarray) -> dict[str, object]:
    last = np.ascontiguousarray(tensor.transpose(1, 2, 0))
    return {
        "uint8, channels first": tensor,
        "uint8, channels last": last,
        "float32": tensor.astype(np.float32) / 255,
        "float64, channels last": last / 255,
        "a tensor": torch.from_numpy(tensor),
        "a tensor of floats with a gradient": (torch.from_numpy(tensor).double() / 255).requires_grad_(),
        "a PNG": to_png(tensor),
        "a PIL image": Image.fromarray(last),
    }


@pytest.mark.parametrize("form", forms(TENSOR))
def test_every_form_of_one_image_gives_one_tensor(form):
    read = read_image(forms(TENSOR)[form], COLOUR)
    tensor, subject = read.certifiable()
    assert np.array_equal(tensor, TENSOR)
    assert subject.tensor_sha256 == tensor_sha256(TENSOR)
    assert read.pixels.dtype == np.float32
    assert np.array_equal(read.pixels, TENSOR.astype(np.float32) / np.float32(255))


def test_the_png_of_an_array_is_the_file_that_its_certificate_names():
    _, subject = read_image(TENSOR, COLOUR).certifiable()
    assert subject.file_sha256 == read_picture(to_png(TENSOR)).sha256


def test_grey_images_may_lack_the_channel():
    grey = TENSOR[:1]
    for one in (grey, grey[0], grey.transpose(1, 2, 0)):
        assert np.array_equal(read_image(one, GREY).certifiable()[0], grey)
    assert len(list(each_image(np.repeat(grey, 5, 0), GREY))) == 5  # [B, H, W]


def test_batches_are_read_along_their_first_axis():
    batch = np.stack([TENSOR, 255 - TENSOR])
    for images in (batch, batch.transpose(0, 2, 3, 1), torch.from_numpy(batch), list(batch), iter(batch)):
        found = [image.certifiable()[0] for image in each_image(images, COLOUR)]
        assert np.array_equal(found, batch)
    assert list(each_image(np.empty((0, *COLOUR), np.uint8), COLOUR)) == []
    assert list(each_image([], COLOUR)) == []


def test_one_image_is_a_batch_of_one_and_kinds_may_be_mixed(tmp_path):
    (tmp_path / "a.png").write_bytes(to_png(TENSOR))
    for one in (tmp_path / "a.png", str(tmp_path / "a.png"), to_png(TENSOR), TENSOR, read_image(TENSOR, COLOUR)):
        (read,) = each_image(one, COLOUR)
        assert np.array_equal(read.certifiable()[0], TENSOR)
    mixed = [tmp_path / "a.png", TENSOR, torch.from_numpy(TENSOR), read_picture(to_png(TENSOR))]
    assert len(list(each_image(mixed, COLOUR))) == 4


def test_pictures_are_framed_and_say_what_was_left_out():
    picture, framing = encoded(photo().convert("RGBA")), Framing(x=0.1, zoom=0.5)
    read = read_image(picture, COLOUR, framing)
    assert np.array_equal(read.certifiable()[0], to_tensor(read_picture(picture), framing, COLOUR))
    shown = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    assert read_image(shown, COLOUR).notes == ("What is transparent was laid on white.",)


def test_floats_between_the_steps_of_a_byte_are_predicted_and_not_certified():
    floats = np.random.default_rng(1).random(COLOUR)
    read = read_image(floats, COLOUR)
    assert np.array_equal(read.pixels, floats.astype(np.float32))  # what is asked about is what was given
    with pytest.raises(AcesError, match="8-bit pixels"):
        read.certifiable()


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (np.full(COLOUR, np.nan), "holds NaN"),
        (np.full(COLOUR, 1.5), "runs from 1.5 to 1.5; floats lie in"),
        (np.full(COLOUR, -0.01), "runs from -0.01"),
        (np.full(COLOUR, np.inf), "runs from inf"),
        (TENSOR.astype(np.int64), "an array of int64"),
        (np.ones(COLOUR, bool), "an array of bool"),
        (np.empty((3, 9, 10), np.uint8), r"shape \(3, 9, 10\); the networks read"),
        (np.empty((2, 3, 9, 10), np.uint8), r"shape \(2, 3, 9, 10\)"),
        (np.empty((), np.uint8), r"shape \(\)"),
        (np.array(["a"]), "shape"),
        (torch.nn.Identity(), "of torch is no image"),
        (3, "a int is no image and holds none"),
        ([3], "image 0: a int is no image"),
        ([TENSOR, b"no picture"], "image 1: this is no image"),
        ([TENSOR, np.full(COLOUR, np.nan)], "image 1: the array holds NaN"),
        (png_claiming(100_000, 100_000), "megapixels"),
        (Image.new("F", (20, 20)), "mode F"),
        (Image.new("L", (6000, 5000)), "more than 25 megapixels"),
        ("not-there.png", "cannot be read"),
        ("/tmp", "is no file"),
        (None, "a NoneType"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_one_line(images, said):
    with pytest.raises(AcesError, match=said) as caught:
        list(each_image(images, COLOUR))
    assert "\n" not in str(caught.value)


def test_an_array_is_exact_and_no_framing_changes_it():
    with pytest.raises(AcesError, match="no framing changes"):
        read_image(TENSOR, COLOUR, Framing(invert=True))


def test_batches_are_read_as_they_are_needed():
    def endless():
        while True:
            yield TENSOR

    assert np.array_equal(next(each_image(endless(), COLOUR)).certifiable()[0], TENSOR)
