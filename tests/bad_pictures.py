"""Files that people send: whole and broken images of every kind, small in bytes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numpy as np
from PIL import Image


def photo(width: int = 64, height: int = 48) -> Image.Image:
    """A colourful gradient whose corners differ, so that turning it shows."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / (width - 1), 255 * y / (height - 1)
    return Image.fromarray(np.stack([red, green, np.full(x.shape, 60)], -1).astype(np.uint8))


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG whose header claims a size, with ``data`` instead of its pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    """10 MB of zeros in a small archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10_000_000))
    return buffer.getvalue()


def sixteen_bit() -> bytes:
    return encoded(Image.fromarray(np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)))


def palette_with_transparency() -> bytes:
    image = Image.new("P", (16, 16), 0)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.paste(1, (0, 0, 8, 16))
    return encoded(image, transparency=0)


def animated() -> bytes:
    frames = [Image.new("RGB", (16, 16), color) for color in ((255, 0, 0), (0, 0, 255))]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def turned_by_exif() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    return encoded(photo(), "JPEG", exif=exif, quality=95)


BAD: dict[str, tuple[bytes, str]] = {
    "not_an_image.png": (b"plainly not an image" * 50, "no image that can be read"),
    "empty.png": (b"", "no image that can be read"),
    "truncated.png": (encoded(photo())[:120], "damaged or cut off"),
    "truncated.jpg": (encoded(photo(256, 256), "JPEG")[:900], "damaged or cut off"),
    "one_pixel.png": (encoded(Image.new("RGB", (1, 1))), "1 x 1 pixels are too few"),
    "huge.png": (png_claiming(40_000, 40_000), "more than 25 megapixels"),
    "large.png": (png_claiming(10_000, 10_000), "more than 25 megapixels"),
    "drawing.svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG drawing"),
    "zip_bomb.png": (zip_bomb(), "no image that can be read"),
    "wide.png": (png_claiming(8_000, 8_000), "8000 x 8000 pixels"),
    "inflating.png": (png_claiming(16, 16, zlib.compress(bytes(20_000_000))), ""),  # read up to its size, or refused
    "float.tiff": (encoded(Image.new("F", (16, 16), 127.5), "TIFF"), "no fixed range"),
    "whole.tiff": (encoded(Image.new("I", (16, 16), 127), "TIFF"), "no fixed range"),
}
GOOD: dict[str, tuple[bytes, str]] = {
    "plain.png": (encoded(photo()), ""),
    "16_bit.png": (sixteen_bit(), "16 bits a channel became 8"),
    "cmyk.jpg": (encoded(photo().convert("CMYK"), "JPEG"), "Converted from CMYK"),
    "palette.png": (palette_with_transparency(), "laid on white"),
    "animated.gif": (animated(), "this is the first"),
    "turned.jpg": (turned_by_exif(), "Turned upright"),
    "grey.png": (encoded(photo().convert("L")), ""),
    "alpha.webp": (encoded(Image.new("RGBA", (16, 16), (9, 9, 9, 128)), "WEBP"), "laid on white"),
    "fractions.tiff": (encoded(Image.new("F", (16, 16), 0.5), "TIFF"), "Fractions became 8 bits"),
    "plain.tiff": (encoded(photo(), "TIFF"), ""),  # Pillow takes the first tag off, which is none about orientation
    "bits.png": (encoded(photo().convert("1")), "Black and white"),
}
