"""A file from a stranger -> the exact tensor that the networks see. Every file that is no usable image gets a sentence.

What its pixels are is the rule of ``engine.datasets.decode``. Nothing is decoded before its header was read: a file
that claims too many pixels is refused by its header alone (``engine.datasets.formats``). Nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine import files
from engine.datasets.decode import decode
from engine.datasets.formats import OF_STRANGERS, check_bytes
from engine.errors import AcesError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture: ``pixels`` uint8 [H, W, 3], or [H, W] if it was grey; ``sha256`` of the file.

    ``notes``: what reading it changed, a sentence each.
    """

    pixels: Pixels
    sha256: str
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class Framing:
    """How a picture becomes a tensor: the largest window of the network's shape, times ``zoom``.

    ``x`` and ``y`` in [0, 1] move it over what room is left (0.5 is the middle). ``invert``: light becomes dark, for
    networks that were trained on white shapes on black.
    """

    x: float = 0.5
    y: float = 0.5
    zoom: float = 1.0
    invert: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.x <= 1 and 0 <= self.y <= 1 and 0 < self.zoom <= 1):
            raise AcesError(f"crop {self.x:g},{self.y:g},{self.zoom:g}: x, y lie in [0, 1], the zoom in (0, 1]")

    def box(self, size: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the window in a picture of ``size`` (W, H), for a tensor of ``shape`` (H, W).

        >>> Framing(x=1.0).box((300, 200), (28, 28))
        (100.0, 0.0, 300.0, 200.0)
        """
        scale = self.zoom * min(size[0] / shape[1], size[1] / shape[0])
        width, height = min(scale * shape[1], size[0]), min(scale * shape[0], size[1])
        left, top = self.x * (size[0] - width), self.y * (size[1] - height)
        return left, top, left + width, top + height


CENTRED = Framing()  # the largest window, in the middle


Readable = Picture | Path | str | bytes  # read already; a file's path; its content


def read_file(path: Path, most: int = OF_STRANGERS.bytes) -> bytes:
    """A file, of which no more than ``most`` bytes are ever held. Raises ``AcesError`` where it cannot be read."""
    return files.read(path, most)


def read_picture(picture: Readable) -> Picture:
    """Read an image file. Raises ``PictureError`` for everything that is none, is damaged, or is too large."""
    if isinstance(picture, Picture):
        return picture
    data = picture if isinstance(picture, bytes) else read_file(Path(picture))
    check_bytes(len(data), OF_STRANGERS)
    read = decode(data, OF_STRANGERS)
    return Picture(np.array(read.image), hashlib.sha256(data).hexdigest(), read.notes)


def to_tensor(picture: Picture, framing: Framing, shape: tuple[int, int, int]) -> Pixels:
    """The exact tensor: uint8 of ``shape`` [C, H, W], cropped, resized (bilinear, antialiased), grey if C is 1."""
    channels, height, width = shape
    if channels not in (1, 3):
        raise AcesError(f"the network reads {channels} channels; pictures become 1 (grey) or 3 (colour)")
    box = framing.box(picture.size, (height, width))
    image = Image.fromarray(picture.pixels).resize((width, height), Image.Resampling.BILINEAR, box)
    tensor = np.array(image.convert("L" if channels == 1 else "RGB"))
    tensor = tensor[None] if channels == 1 else tensor.transpose(2, 0, 1)
    return np.ascontiguousarray(255 - tensor if framing.invert else tensor)


def tensor_sha256(tensor: Pixels) -> str:
    """Identity of an exact tensor: sha256 over its shape and bytes."""
    return hashlib.sha256(f"uint8|{tensor.shape}|".encode() + tensor.tobytes()).hexdigest()


def to_png(tensor: Pixels, scale: int = 1) -> bytes:
    """A tensor uint8 [C, H, W], grey or RGB, as PNG, every pixel ``scale`` x ``scale`` large."""
    image = Image.fromarray(tensor[0] if len(tensor) == 1 else tensor.transpose(1, 2, 0))
    buffer = io.BytesIO()
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
