"""One list of picture formats, wherever Pillow opens something: no other format's decoder ever sees a byte."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import EpsImagePlugin, Image

from app.services.pictures import thumbnail
from engine.datasets import EncodedPicture, Transform, own_card
from engine.datasets.formats import FORMATS, OF_DATASETS, OF_STRANGERS, SUFFIXES, SUFFIXES_OF, PictureLimits, open_image
from engine.errors import AcesError
from engine.single_image.picture import read_picture
from tests import ROOT

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n0 0 32 32 rectfill\nshowpage\n%%EOF\n"


def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (40, 32)) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, form)
    return buffer.getvalue()


def other_formats() -> dict[str, bytes]:
    """What else Pillow can both write and read."""
    Image.init()
    found = {"EPS": EPS}
    for form in sorted(set(Image.SAVE) & set(Image.OPEN) - set(FORMATS)):
        for mode in ("RGB", "L", "1", "RGBA"):
            try:
                found.setdefault(form, encoded(form, mode, (32, 32)))
                break
            except (OSError, ValueError, KeyError, DeprecationWarning):
                continue
    return found


OTHERS = other_formats()
MANY = {"PCX", "ICO", "TGA", "SGI", "JPEG2000", "DDS"}


def folder_of(place: Path, data: bytes) -> Path:
    for name in ("cats", "dogs"):
        (place / name).mkdir(parents=True)
        (place / name / "a.png").write_bytes(data)
    return place


@pytest.fixture(autouse=True)
def no_ghostscript(monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was run"))


def test_there_are_other_formats_to_refuse():
    assert len(MANY & set(OTHERS)) >= 4


@pytest.mark.parametrize("form", OTHERS)
def test_a_format_that_is_not_on_the_list_is_opened_nowhere(tmp_path, form):
    data = OTHERS[form]
    with pytest.raises(AcesError, match="no image that can be read"):
        open_image(data, OF_STRANGERS)
    with pytest.raises(AcesError, match="no image that can be read"):
        read_picture(data)
    with pytest.raises(AcesError, match="no image that can be read"):
        thumbnail(data)
    with pytest.raises(AcesError, match=r"x\.png: this is no image that can be read"):
        EncodedPicture("x.png", data).open()
    card = own_card("own", folder_of(tmp_path / "f", data), 32)
    with pytest.raises(AcesError, match=r"2 of 2 pictures cannot be read: cats/a\.png: this is no image that can be"):
        card.read("test").checked()
    pq.write_table(pa.table({"image": [data], "label": [0]}), tmp_path / "test.parquet")
    images = own_card("own", tmp_path / "test.parquet", 32, classes=("a", "b")).read("test")
    assert images.encoding is None
    with pytest.raises(AcesError, match="no image that can be"):
        images.checked()


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_on_the_list_is_opened_everywhere(tmp_path, form):
    data = encoded(form)
    assert read_picture(data).size == (40, 32)
    assert EncodedPicture("x", data).open().image.size == (40, 32)
    assert thumbnail(data).startswith("data:image/png")
    card = own_card("own", folder_of(tmp_path, data), 32)
    assert card.read("test").checked().array().shape == (2, 3, 32, 32)


@pytest.mark.parametrize("form", ["PNG", "BMP", "GIF"])
def test_a_picture_is_refused_by_its_header_everywhere(form):
    data = encoded(form)
    for most, is_read in ((40 * 32, True), (40 * 32 - 1, False)):
        if is_read:
            assert open_image(data, PictureLimits(len(data), most)).size == (40, 32)
        else:
            with pytest.raises(AcesError, match="megapixels"):
                open_image(data, PictureLimits(len(data), most))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (PictureLimits(99, 10_000), "0 MB are read"),
        (PictureLimits(10_000, 10_000, longest=39), "40 x 32 pixels: a side has at most 39"),
        (PictureLimits(10_000, 10_000, shortest=33), "40 x 32 pixels are too few; send an image of at least 33 x 33"),
    ],
)
def test_bytes_and_sides_are_refused_before_decoding(limits, message):
    with pytest.raises(AcesError, match=message):
        open_image(encoded("PNG"), limits)


def test_a_file_of_a_folder_that_is_too_large_is_refused_unread(tmp_path):
    large = tmp_path / "a.png"
    with large.open("wb") as file:
        file.truncate(OF_DATASETS.bytes + 1_000_000)  # a hole on the disk
    with pytest.raises(AcesError, match=r"a\.png: more than 400 MB, which is not read"):
        EncodedPicture("a.png", large).read()


def test_pillow_is_asked_to_open_in_one_place():
    calls = [
        path.relative_to(ROOT)
        for package in ("engine", "app", "cache", "benchmarks")
        for path in (ROOT / package).rglob("*.py")
        if re.search(
            r"\bImage\.open\(|LOAD_TRUNCATED_IMAGES|MAX_IMAGE_PIXELS|default_loader|pil_loader", path.read_text()
        )
    ]
    assert calls == [Path("engine/datasets/formats.py")]


def test_what_a_folder_is_searched_for_is_on_the_list():
    from torchvision.datasets.folder import IMG_EXTENSIONS

    assert set(IMG_EXTENSIONS) <= set(SUFFIXES)
    Image.init()
    assert all(Image.EXTENSION[suffix] in SUFFIXES_OF for suffix in SUFFIXES)


def test_a_pipe_in_a_folder_of_pictures_is_not_waited_for(tmp_path):
    place = folder_of(tmp_path / "f", encoded("PNG"))
    os.mkfifo(place / "cats" / "b.png")
    with pytest.raises(AcesError, match=r"1 of 3 pictures cannot be read: cats/b\.png is no file"):
        own_card("own", place, 32).read("test").checked()


def test_a_transform_sees_the_same_pixels_as_before():
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert (Transform()(EncodedPicture("x", buffer.getvalue()).open().image) == pixels.transpose(2, 0, 1)).all()
