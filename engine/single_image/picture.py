"""A file from a stranger -> the exact tensor that the networks see. Every file that is no usable image gets a sentence.

Nothing is decoded before its header was read: a file that claims too many pixels is refused by its header alone
(``engine.datasets.formats``). Nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from engine.datasets.formats import PictureError, open_image
from engine.errors import AcesError

MAX_BYTES = 50_000_000
MIN_SIDE = 8
BACKGROUND = (255, 255, 255)  # behind what is transparent

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """An upright picture: ``pixels`` uint8 [H, W, 3], or [H, W] if it was grey; ``sha256`` of the file.

    ``notes``: what reading it had to leave out, a sentence each.
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


@dataclass
class _Reading:
    """A picture on its way, and what was noted about it."""

    image: Image.Image
    notes: list[str] = field(default_factory=list)


Readable = Picture | Path | str | bytes  # read already; a file's path; its content


def read_file(path: Path, most: int = MAX_BYTES) -> bytes:
    """A file, of which no more than ``most`` bytes are ever held. Raises ``AcesError`` where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise AcesError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > most:
        raise AcesError(f"{path}: more than {most / 1e6:.0f} MB, which is not read")
    return data


def read_picture(picture: Readable) -> Picture:
    """Read an image file. Raises ``PictureError`` for everything that is none, is damaged, or is too large."""
    if isinstance(picture, Picture):
        return picture
    data = picture if isinstance(picture, bytes) else read_file(Path(picture))
    if len(data) > MAX_BYTES:
        raise PictureError(
            f"the file has {len(data) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read: save it smaller"
        )
    if b"<svg" in data[:2048].lower():
        raise PictureError("this is an SVG drawing, which has no pixels: export it as PNG")
    reading = _Reading(_open(data))
    try:
        pixels = _decode(reading)
    except PictureError:
        raise
    except Exception as error:  # on damaged bytes, decoders raise errors of many kinds
        raise PictureError(f"the image is damaged or cut off ({_reason(error)}): save it again") from error
    return Picture(pixels, hashlib.sha256(data).hexdigest(), tuple(reading.notes))


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


def _open(data: bytes) -> Image.Image:
    """Read the header, and refuse by it."""
    image = open_image(data)
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"{width} x {height} pixels are too few; send an image of at least {MIN_SIDE} x {MIN_SIDE}")
    return image


def _decode(reading: _Reading) -> Pixels:
    """The pixels, upright, as grey or RGB of 8 bits."""
    if getattr(reading.image, "is_animated", False):
        reading.notes.append("The file holds several pictures; this is the first.")
    reading.image.load()
    upright = ImageOps.exif_transpose(reading.image)
    if upright.size != reading.image.size or upright.getexif() != reading.image.getexif():
        reading.notes.append("Turned upright, as its EXIF entry asks.")
    return np.array(_eight_bits(upright, reading.notes))


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """As mode L or RGB."""
    if image.mode in ("L", "RGB"):
        return _without_transparency(image, notes) if "transparency" in image.info else image
    if image.mode.startswith("I;16"):
        notes.append("16 bits a pixel became 8.")
        return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))
    if image.mode in ("1", "CMYK", "YCbCr", "HSV"):
        notes.append(f"Converted from {image.mode} colours." if image.mode != "1" else "Black and white became grey.")
        return image.convert("L" if image.mode == "1" else "RGB")
    if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa"):
        return _without_transparency(image, notes)
    raise PictureError(f"its pixels are of the kind '{image.mode}', which has no fixed range: save it as 8-bit PNG")


def _without_transparency(image: Image.Image, notes: list[str]) -> Image.Image:
    """Laid on white where something shines through."""
    with_alpha = image.convert("RGBA")
    if with_alpha.getchannel("A").getextrema() == (255, 255):
        return with_alpha.convert("RGB")
    notes.append("What is transparent was laid on white.")
    on_white = Image.new("RGBA", image.size, BACKGROUND)
    on_white.alpha_composite(with_alpha)
    return on_white.convert("RGB")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
