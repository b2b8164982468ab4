"""One reader: the same picture, however a file holds it, is one tensor in a folder, a parquet file and an upload."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from engine.datasets import EncodedPicture, EncodedPictures, ImageSet, Transform, own_card
from engine.datasets.decode import decode, is_plain, summary
from engine.datasets.formats import OF_DATASETS, OF_STRANGERS, PictureError
from engine.errors import AcesError
from engine.single_image.picture import CENTRED, read_picture, to_tensor
from tests.engine.datasets.pictures import parquet

SIDE = 8
GREY = arrays(np.uint8, (SIDE, SIDE))
COLOUR = arrays(np.uint8, (SIDE, SIDE, 3))
ALPHA = arrays(np.uint8, (SIDE, SIDE))


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def wide_png(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, uint16 [H, W, channels]: Pillow writes none of colours."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def seen(data: bytes) -> np.ndarray:
    return np.asarray(decode(data, OF_DATASETS).image)


def everywhere(tmp_path: Path, data: bytes) -> list[np.ndarray]:
    """The tensor of a picture out of a folder, a parquet file and an upload: each uint8 [3, SIDE, SIDE]."""
    for name in ("a", "b"):
        (tmp_path / "folder" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name / "x.png").write_bytes(data)
    rows = parquet(tmp_path / "rows" / "test.parquet", image=[data], label=[0])
    folder, table = own_card("own", tmp_path / "folder", SIDE), own_card("own", rows, SIDE, classes=("a", "b"))
    upload = to_tensor(read_picture(data), CENTRED, (3, SIDE, SIDE))
    return [folder.read("test").array()[0], table.read("test").array()[0], upload]


@pytest.mark.parametrize("factor", [256, 257])
def test_the_same_picture_is_one_tensor_wherever_and_however_it_is_stored(tmp_path, factor):
    colour = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    opaque = np.concatenate([colour, np.full((SIDE, SIDE, 1), 255, np.uint8)], 2)
    wide = opaque.astype(np.uint16) * factor
    wide[..., 3] = 65535
    files = [saved(Image.fromarray(colour)), saved(Image.fromarray(opaque)), wide_png(wide[..., :3]), wide_png(wide)]
    tensors = [tensor for k, data in enumerate(files) for tensor in everywhere(tmp_path / str(k), data)]
    assert all((tensor == colour.transpose(2, 0, 1)).all() for tensor in tensors)


@given(GREY, st.sampled_from([256, 257]))
def test_grey_of_16_bits_is_grey_of_8(grey, factor):
    wide = grey.astype(np.uint16) * factor
    files = [saved(Image.fromarray(wide)), saved(Image.fromarray(wide), "TIFF"), wide_png(wide[..., None])]
    files.append(saved(Image.fromarray(grey.astype(np.uint16) * 257).convert("I"), "PPM"))
    for data in files:
        assert (seen(data) == grey).all()
        assert "16 bits a channel became 8." in decode(data, OF_DATASETS).notes


@given(GREY)
def test_fractions_are_255ths(grey):
    data = saved(Image.fromarray((grey / 255).astype(np.float32)), "TIFF")
    assert (seen(data) == grey).all()


def test_a_grey_picture_of_16_bits_keeps_its_mean():
    wide = np.full((SIDE, SIDE), 127 * 257, np.uint16)
    assert seen(saved(Image.fromarray(wide))).mean() == 127  # white, 249, by a reader that clips


@given(COLOUR, ALPHA)
def test_what_is_transparent_is_laid_on_white(colour, alpha):
    data = saved(Image.fromarray(np.dstack([colour, alpha])))
    shown, share = seen(data).astype(float), alpha[..., None] / 255
    assert np.abs(shown - (colour * share + 255 * (1 - share))).max() <= 1
    assert ("What is transparent was laid on white." in decode(data, OF_DATASETS).notes) == (alpha.min() < 255)


MODES = st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "I"])
FORMS = st.sampled_from(["PNG", "TIFF", "JPEG", "WEBP", "GIF", "BMP", "PPM"])


@given(COLOUR, MODES, FORMS, st.integers(1, 8))
@settings(max_examples=300)
def test_every_mode_is_one_tensor_or_one_sentence_at_both_doors(colour, mode, form, orientation):
    try:
        exif = Image.Exif()
        exif[0x0112] = orientation
        image = Image.fromarray(colour).convert("L").convert(mode) if mode == "I;16" else None
        data = saved(image or Image.fromarray(colour).convert(mode), form, exif=exif)
    except (OSError, ValueError, KeyError, SystemError):
        return  # Pillow writes no such file
    answers = []
    for limits in (OF_DATASETS, OF_STRANGERS):
        try:
            read = decode(data, limits)
            answers.append((read.image.mode, read.image.tobytes(), read.notes))
            assert read.image.mode in ("L", "RGB")
        except PictureError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
    assert "\n" not in answers[0]


@given(st.binary(max_size=60), st.integers(0, 400), MODES, FORMS)
@settings(max_examples=200)
def test_damage_is_a_sentence(noise, at, mode, form):
    try:
        data = bytearray(saved(Image.new("RGB", (12, 12), (9, 99, 199)).convert(mode), form))
    except (OSError, ValueError, KeyError):
        return
    data[at : at + len(noise)] = noise
    with contextlib.suppress(PictureError):
        decode(bytes(data), OF_STRANGERS)
    assert is_plain(bytes(data), OF_STRANGERS) in (True, False)


def corners(orientation: int, form: str) -> bytes:
    """Black at the top left of the stored pixels, in a file that asks to be turned."""
    image = Image.new("RGB", (12, 8), (255, 255, 255))
    image.paste((0, 0, 0), (0, 0, 4, 4))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(image, form, exif=exif)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_every_format_is_turned_and_says_so(form):
    read = decode(corners(6, form), OF_DATASETS)
    assert read.image.size == (8, 12)
    assert np.asarray(read.image)[1, -2].max() < 60  # the top left corner, turned clockwise
    assert read.notes == ("Turned upright, as its EXIF entry asks.",)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG"])
def test_what_needs_no_turning_is_not_said_to_be_turned(form):
    assert decode(corners(1, form), OF_DATASETS).notes == ()
    assert decode(saved(Image.new("RGB", (12, 8)), form), OF_DATASETS).notes == ()


def test_pictures_as_they_are_stored_are_not_turned():
    assert decode(corners(6, "JPEG"), OF_DATASETS, as_stored=True).image.size == (12, 8)


def tiff(planes: list[np.ndarray], order: str, photometric: int, sample: int = 1) -> bytes:
    """An uncompressed TIFF of one plane a channel, each [H, W]: Pillow writes few of the kinds that it reads."""
    bands = [plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes]
    (height, width), bits = planes[0].shape, 8 * planes[0].itemsize
    short, long = (lambda v: struct.pack(f"{order}{len(v)}H", *v)), (lambda v: struct.pack(f"{order}{len(v)}I", *v))
    at = 8 + 2 + 12 * 11 + 4
    several = len(bands) > 2  # bits and samples: two numbers of 2 bytes fit into an entry
    heap_size = 2 * 2 * len(bands) * several + 2 * 4 * len(bands) * (len(bands) > 1)
    starts = [at + heap_size + sum(map(len, bands[:k])) for k in range(len(bands))]
    entries = {
        256: short([width]), 257: short([height]), 258: short([bits] * len(bands)), 259: short([1]),
        262: short([photometric]), 273: long(starts), 277: short([len(bands)]), 278: short([height]),
        279: long([len(band) for band in bands]), 284: short([2 if len(bands) > 1 else 1]),
        339: short([sample] * len(bands)),
    }  # fmt: skip
    fields, heap = b"", b""
    for tag, body in entries.items():
        kind, each = (4, 4) if tag in (273, 279) else (3, 2)
        place = body.ljust(4, b"\0") if len(body) <= 4 else struct.pack(f"{order}I", at + len(heap))
        heap += body if len(body) > 4 else b""
        fields += struct.pack(f"{order}HHI", tag, kind, len(body) // each) + place
    head = (
        (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", len(entries))
    )
    return head + fields + bytes(4) + heap + b"".join(bands)


@given(GREY, st.sampled_from("<>"))
def test_tiffs_of_every_depth_and_byte_order_are_the_picture(grey, order):
    wide, share = grey.astype(np.uint16) * 257, (grey / 255).astype(np.float32)
    files = [tiff([grey], order, 1), tiff([255 - grey], order, 0), tiff([wide], order, 1), tiff([share], order, 1, 3)]
    files += [tiff([1 - share], order, 0, 3)] if (1 - share).min() >= 0 else []
    files += [tiff([65535 - wide], "<", 0)]
    assert all((seen(data) == grey).all() for data in files)


@given(COLOUR, st.sampled_from("<>"))
def test_channels_in_planes_are_read_or_refused(colour, order):
    planes = [colour[..., k] for k in range(3)]
    assert (seen(tiff(planes, order, 2)) == colour).all()
    with pytest.raises(PictureError, match="channels of 16 bits lie in planes"):
        seen(tiff([plane.astype(np.uint16) * 257 for plane in planes], order, 2))


@pytest.mark.parametrize(
    ("dtype", "sample", "message"),
    [
        (np.int8, 2, "with a sign"),
        (np.int16, 2, "with a sign"),
        (np.int32, 2, "with a sign"),
        (np.uint32, 1, "no fixed range"),
        (np.float64, 3, "no image that can be read"),
    ],
)
def test_numbers_without_a_range_are_refused(dtype, sample, message):
    with pytest.raises(PictureError, match=message):
        seen(tiff([np.full((8, 8), 1, dtype)], "<", 1, sample))


@given(COLOUR, ALPHA)
@settings(max_examples=20)
def test_transparency_is_one_tensor_at_every_door(tmp_path_factory, colour, alpha):
    data = saved(Image.fromarray(np.dstack([colour, alpha])))
    first, *others = everywhere(tmp_path_factory.mktemp("doors"), data)
    assert all((other == first).all() for other in others)


def test_a_grey_value_of_16_bits_may_stand_for_transparency():
    wide = np.full((8, 8), 300, np.uint16)
    wide[0] = 301  # the same in 8 bits
    shown = seen(saved(Image.fromarray(wide), transparency=300))
    assert shown.shape == (8, 8, 3)
    assert (shown[0] == 1).all()
    assert (shown[1:] == 255).all()


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1, 255.0])
def test_floats_beyond_0_and_1_are_refused(value):
    pixels = np.full((8, 8), 0.5, np.float32)
    pixels[3, 4] = value
    with pytest.raises(PictureError, match="no fixed range unless it lies in"):
        decode(saved(Image.fromarray(pixels), "TIFF"), OF_DATASETS)


def test_a_palette_says_nothing_and_is_its_colours():
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    read = decode(saved(image), OF_DATASETS)
    assert read.notes == ()
    assert np.asarray(read.image)[0, 0].tolist() == [10, 20, 30]


def test_a_summary_counts_what_was_changed():
    assert summary([]) == ()
    assert summary(["B.", "A.", "B."]) == ("2 pictures: B.", "1 picture: A.")


def some(*files: bytes) -> ImageSet:
    pictures = tuple(EncodedPicture(f"{k}.png", data) for k, data in enumerate(files))
    images = EncodedPictures(pictures, Transform(crop=SIDE))
    return ImageSet("own", "test", np.arange(len(files)), np.zeros(len(files), np.int64), images, own=True)


def test_a_folder_sums_up_what_reading_it_changed():
    clear = saved(Image.new("RGBA", (8, 8), (1, 2, 3, 90)))
    wide = saved(Image.fromarray(np.zeros((8, 8), np.uint16)))
    plain = saved(Image.new("RGB", (8, 8)))
    assert some(clear, wide, clear, plain).checked().notes == (
        "2 pictures: What is transparent was laid on white.",
        "1 picture: 16 bits a channel became 8.",
    )


def test_draws_on_plain_pictures_keep_their_names_and_others_do_not():
    plain, clear = saved(Image.new("RGB", (8, 8))), saved(Image.new("RGBA", (8, 8)))
    pictures = some(plain, clear, corners(6, "PNG")).images
    assert isinstance(pictures, EncodedPictures)
    by_an_earlier_reader = [pictures.encoded[k].read() + repr(pictures.transform).encode() for k in range(3)]
    assert [pictures.identity(k) == by_an_earlier_reader[k] for k in range(3)] == [True, False, False]


def test_what_cannot_be_decoded_is_named_by_its_file():
    with pytest.raises(AcesError, match=r"0\.png cannot|0\.png: its pixels are floats from 7 to 7"):
        some(saved(Image.new("F", (8, 8), 7.0), "TIFF")).checked()
