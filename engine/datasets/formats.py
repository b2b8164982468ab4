"""The one list of picture formats, and the one place in which Pillow opens a file, by its header alone."""

from __future__ import annotations

import io
import warnings

from PIL import Image

from engine.errors import AcesError

MAX_PIXELS = 25_000_000  # at most 275 MB for a moment, while transparency is laid on white
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


class PictureError(AcesError):
    """A file that is no image which could be certified; the message says why and what to send instead."""


def open_image(data: bytes, most: int = MAX_PIXELS) -> Image.Image:
    """A picture by its header, not yet decoded, of one of ``FORMATS`` and of at most ``most`` pixels.

    The one place in which Pillow opens a file. Raises ``PictureError`` for everything else.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the next lines refuse more strictly
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(most)) from error
    except Exception as error:  # UnidentifiedImageError, or any other from a damaged header
        raise PictureError(
            f"this is no image that can be read ({', '.join(FORMATS)} can): open it in a program and save it as PNG"
        ) from error
    if image.width * image.height > most:
        raise PictureError(f"{image.width} x {image.height} pixels: {_too_large(most)}")
    return image


def _too_large(most: int) -> str:
    return f"the image has more than {most / 1e6:.0f} megapixels; scale it down first"
