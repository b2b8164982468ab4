"""The one list of picture formats, and the one place in which Pillow opens a file, by its header alone."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image

from engine.errors import AcesError

SUFFIXES_OF = {  # the formats that are opened, anywhere, whatever a file is called; others run programs, or hang
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WEBP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm"),
}
FORMATS = tuple(SUFFIXES_OF)
SUFFIXES = tuple(suffix for suffixes in SUFFIXES_OF.values() for suffix in suffixes)


@dataclass(frozen=True)
class PictureLimits:
    """What is refused before it is decoded: files of more ``bytes``, pictures of more ``pixels``, and sides in pixels
    that are longer than ``longest`` or shorter than ``shortest``.
    """

    bytes: int
    pixels: int
    longest: int = 65_535  # of JPEG
    shortest: int = 1


OF_STRANGERS = PictureLimits(50_000_000, 25_000_000, shortest=8)  # 275 MB while transparency is laid on white
OF_DATASETS = PictureLimits(400_000_000, 100_000_000)


class PictureError(AcesError):
    """A file that is no image which could be certified; the message says why and what to send instead."""


def check_bytes(count: int, limits: PictureLimits) -> None:
    """Raise ``PictureError`` for a file of so many bytes if that is too many: to be asked before it is read."""
    if count > limits.bytes:
        raise PictureError(
            f"the file has {count / 1e6:.0f} MB; at most {limits.bytes / 1e6:.0f} MB are read: save it smaller"
        )


def open_image(data: bytes, limits: PictureLimits) -> Image.Image:
    """A picture by its header, not yet decoded, of one of ``FORMATS`` and within ``limits``.

    The one place in which Pillow opens a file. Raises ``PictureError`` for everything else.
    """
    check_bytes(len(data), limits)
    if b"<svg" in data[:2048].lower():
        raise PictureError("this is an SVG drawing, which has no pixels: export it as PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the next lines refuse more strictly
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(limits)) from error
    except Exception as error:  # UnidentifiedImageError, or any other from a damaged header
        raise PictureError(
            f"this is no image that can be read ({', '.join(FORMATS)} can): open it in a program and save it as PNG"
        ) from error
    _check_size(*image.size, limits)
    return image


def _check_size(width: int, height: int, limits: PictureLimits) -> None:
    if width * height > limits.pixels:
        raise PictureError(f"{width} x {height} pixels: {_too_large(limits)}")
    if max(width, height) > limits.longest:
        raise PictureError(f"{width} x {height} pixels: a side has at most {limits.longest:,}; crop it first")
    if min(width, height) < limits.shortest:
        least = f"{limits.shortest} x {limits.shortest}"
        raise PictureError(f"{width} x {height} pixels are too few; send an image of at least {least}")


def _too_large(limits: PictureLimits) -> str:
    return f"the image has more than {limits.pixels / 1e6:.0f} megapixels; scale it down first"
