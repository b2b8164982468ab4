"""Images as the pages show them: PNG bytes and data URLs of a dataset's, of an upload, and of what is done to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from engine import files, npz
from engine.arrays import Array
from engine.datasets.decode import decode
from engine.datasets.formats import OF_STRANGERS
from engine.errors import AcesError
from engine.single_image.picture import Framing, Picture, Pixels, to_png
from engine.smoothing import GAUSSIAN, Smoothing

LARGE = 224  # pixels of the longer side of a picture shown alone
FRAME = (0, 114, 178)  # the window in an upload
THUMBNAIL = 64
MOST_BYTES = 500_000_000  # of a file of images: 3,000 of ImageNet
GAP = 8  # pixels between pictures in a row


@dataclass(frozen=True, eq=False)
class Pictures:
    """``images`` uint8 [C, H, W] by position in the split: those that ship, perhaps none."""

    images: Mapping[int, Array]

    @cached_property
    def thumbnails(self) -> dict[int, str]:
        """Data URLs for the cells of a table."""
        return {i: data_url(to_png(x)) for i, x in self.images.items()}

    def large(self, index: int) -> bytes | None:
        """PNG bytes, pixels enlarged without smoothing; None where the image does not ship."""
        image = self.images.get(index)
        if image is None:
            return None
        return large(image)


def read_pictures(path: Path) -> Pictures:
    """Read ``index`` [N] and ``images`` uint8 [N, C, H, W] of an npz file; none if there is no such file.

    Raises ``AcesError`` for a damaged file.
    """
    if not path.exists():
        return Pictures({})
    try:
        with files.opened(path, MOST_BYTES) as file:
            kept = npz.read_arrays(file, ("index", "images"), MOST_BYTES)
        return Pictures(dict(zip(kept["index"].tolist(), kept["images"], strict=True)))
    except (AcesError, ValueError, TypeError, KeyError) as error:
        raise AcesError(f"{path}: no readable image file ({error}); the table does without pictures") from error


def data_url(png: bytes) -> str:
    """PNG bytes where a page asks for an address."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


@lru_cache(maxsize=64)
def thumbnail(file: bytes) -> str:
    """An image file that ships, small, as a data URL."""
    return small(file)


def small(file: bytes) -> str:
    """The same of anybody's image file, of which nothing is kept here."""
    image = decode(file, OF_STRANGERS).image
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return data_url(buffer.getvalue())


def large(tensor: Pixels) -> bytes:
    """A tensor uint8 [C, H, W] alone, as PNG, pixels enlarged without smoothing."""
    return to_png(tensor, max(1, LARGE // max(tensor.shape[1:])))


def framed(picture: Picture, framing: Framing, shape: tuple[int, int, int]) -> bytes:
    """An upload, at most ``LARGE`` pixels high, with the window that the networks see."""
    scale = LARGE / max(picture.size)
    size = max(1, round(scale * picture.size[0])), max(1, round(scale * picture.size[1]))
    small = Image.fromarray(picture.pixels).resize(size).convert("RGB")
    box = [scale * edge for edge in framing.box(picture.size, (shape[1], shape[2]))]
    ImageDraw.Draw(small).rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=FRAME, width=3)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    return buffer.getvalue()


def noisy_copies(tensor: Pixels, sigma: float, copies: int, smoothing: Smoothing = GAUSSIAN) -> bytes:
    """The tensor under ``copies`` fixed draws of noise, in a row; what leaves [0, 1] is shown at its end."""
    noise = sigma * smoothing.shown(np.random.default_rng(0), (copies, *tensor.shape))
    return in_a_row([tensor / 255 + one for one in noise], max(1, LARGE // 2 // max(tensor.shape[1:])))


def in_a_row(images: list[npt.NDArray[np.floating]], scale: int) -> bytes:
    """Images float [C, H, W] in [0, 1] side by side as PNG with a transparent gap."""
    tiles = []
    for image in images:
        tile = np.clip(255 * image + 0.5, 0, 255).astype(np.uint8).repeat(scale, 1).repeat(scale, 2)
        opaque = np.full((1, *tile.shape[1:]), 255, np.uint8)
        tiles += [np.concatenate([np.broadcast_to(tile, (3, *tile.shape[1:])), opaque])]
        tiles += [np.zeros((4, tile.shape[1], GAP), np.uint8)]
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate(tiles[:-1], 2).transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()
