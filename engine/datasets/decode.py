"""An encoded picture -> upright pixels of 8 bits, grey or RGB: the one reader, of folders, parquet files and uploads.

| the file holds | the networks see |
|---|---|
| 8 bits a channel, grey or RGB | the same |
| fewer bits, or a palette | the grey or the colours that they stand for; black is 0, white 255 |
| 16 bits a channel (12 in a TIFF) | the upper 8 of them, as Pillow takes them where there are colours |
| fractions (a TIFF or PFM of floats) | 255 times the fraction, rounded; refused unless all lie in [0, 1] |
| 32-bit or signed whole numbers, LAB | refused: they have no range that pictures agree on |
| 16 bits a channel in planes | refused: Pillow reads every second value twice |
| transparency | laid on white |
| CMYK, YCbCr | Pillow's RGB; a colour profile is not applied |
| an entry about orientation | turned upright, unless the caller asks for pixels as they are stored |
| several pictures | the first |

Whatever was changed beyond that table's first two lines is said, a sentence each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from engine.datasets.formats import PictureError, PictureLimits, open_image

BACKGROUND = (255, 255, 255)  # behind what is transparent
ORIENTATION = 0x0112  # in EXIF, as in TIFF
BITS, PHOTOMETRIC, PLANES, SAMPLE_FORMAT = 258, 262, 284, 339  # tags of TIFF
WHITE_IS_ZERO, IN_PLANES, SIGNED = 0, 2, 2  # values of the latter three
AS_THEY_ARE = ("L", "RGB")
WITH_ALPHA = ("PA", "LA", "La", "RGBA", "RGBa")
COLOURS = ("CMYK", "YCbCr", "HSV")


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture of mode L or RGB, and what reading it changed, a sentence each."""

    image: Image.Image
    notes: tuple[str, ...] = ()


def decode(data: bytes, limits: PictureLimits, as_stored: bool = False) -> Decoded:
    """The picture, by the rule above. ``as_stored``: not turned, whatever its file asks for.

    Raises ``PictureError`` for everything that is no picture, is damaged, has no known range or is beyond ``limits``.
    """
    image, notes = open_image(data, limits), list[str]()
    try:
        pixels = _eight_bits(_upright(_first(image, notes), notes, as_stored), notes)
    except PictureError:
        raise
    except Exception as error:  # on damaged bytes, decoders raise errors of many kinds
        raise PictureError(f"the image is damaged or cut off ({_reason(error)}): save it again") from error
    return Decoded(pixels, tuple(notes))


def is_plain(data: bytes, limits: PictureLimits, as_stored: bool = False) -> bool:
    """Whether any reader would make the same of the picture, by its header: no alpha, no turning, at most 8 bits.

    True as well of what cannot be read.
    """
    try:
        image = open_image(data, limits)
        turned = not as_stored and _orientation(image) != 1
        special = image.mode in WITH_ALPHA or image.mode[0] in "IF" or "transparency" in image.info
        return not (turned or special)
    except Exception:  # what decoding refuses, it refuses by itself
        return True


def summary(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes about many pictures, each once, with the number of pictures that it is about.

    >>> summary(["Laid on white.", "Turned.", "Laid on white."])
    ('2 pictures: Laid on white.', '1 picture: Turned.')
    """
    counted = Counter(notes).most_common()
    return tuple(f"{count:,} picture{'' if count == 1 else 's'}: {note}" for note, count in counted)


def _first(image: Image.Image, notes: list[str]) -> Image.Image:
    if getattr(image, "is_animated", False):
        notes.append("The file holds several pictures; this is the first.")
    return image


def _orientation(image: Image.Image) -> int:
    """What the file asks for, 1 if nothing: of a TIFF to be asked before it is decoded, which turns it."""
    asked = image.getexif().get(ORIENTATION, 1)
    return asked if asked in range(2, 9) else 1


def _upright(image: Image.Image, notes: list[str], as_stored: bool) -> Image.Image:
    asked = 1 if as_stored else _orientation(image)
    bits = _bits(image)  # of how the file stores them, which decoding forgets
    image.load()
    if bits > 8:
        notes.append(f"{bits} bits a channel became 8.")
    if asked == 1:
        return image
    notes.append("Turned upright, as its EXIF entry asks.")
    return image if image.format == "TIFF" else ImageOps.exif_transpose(image)


def _bits(image: Image.Image) -> int:
    """The bits of a channel where they are whole numbers of more than 8, else 8."""
    if image.mode[0] == "F":
        return 8
    if image.format == "TIFF":
        return max((8, *_tag(image, BITS)))
    return 16 if image.mode[0] == "I" or any(_is_wide(tile.args) for tile in image.tile) else 8  # type: ignore[attr-defined]


def _is_wide(args: object) -> bool:
    """Whether Pillow decodes from 16 bits: it says so in the name of the raw mode, of PPM by the largest value."""
    raw, *more = args if isinstance(args, tuple) else (args,)
    return "16" in str(raw) or any(isinstance(value, int) and value > 255 for value in more[:1])


def _tag(image: Image.Image, tag: int) -> tuple[int, ...]:
    """A tag of a TIFF as whole numbers, none where the file has not got it."""
    value = image.tag_v2.get(tag, ())  # type: ignore[attr-defined]
    return tuple(value) if isinstance(value, tuple) else (int(value),)


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    """As mode L or RGB."""
    if image.format == "TIFF" and SIGNED in _tag(image, SAMPLE_FORMAT):
        raise PictureError("its pixels are whole numbers with a sign, which have no fixed range: save it as 8-bit PNG")
    if image.format == "TIFF" and IN_PLANES in _tag(image, PLANES) and len(image.getbands()) > 1 and _bits(image) > 8:
        raise PictureError("its channels of 16 bits lie in planes, which Pillow mistakes: save it as PNG")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return _from_sixteen(image, notes)
    if image.mode == "F":
        return _from_fractions(image, notes)
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        return _without_transparency(image, notes)
    if image.mode in AS_THEY_ARE:
        return image
    if image.mode == "P":
        return image.convert("RGB")
    if image.mode == "1":
        notes.append("Black and white became grey.")
        return image.convert("L")
    if image.mode in COLOURS:
        notes.append(f"Converted from {image.mode} colours.")
        return image.convert("RGB")
    raise PictureError(f"its pixels are of the kind '{image.mode}', which has no fixed range: save it as 8-bit PNG")


def _from_sixteen(image: Image.Image, notes: list[str]) -> Image.Image:
    """The upper 8 bits: what 8 bits became 16 by, whether v * 256 or v * 257, comes back as it was."""
    values = np.asarray(image).astype(np.uint32)
    grey = Image.fromarray((values >> (_bits(image) - 8 if image.format == "TIFF" else 8)).astype(np.uint8))
    if image.format == "TIFF" and WHITE_IS_ZERO in _tag(image, PHOTOMETRIC):
        grey = ImageOps.invert(grey)
    clear = image.info.get("transparency")
    if clear is None:
        return grey
    return _without_transparency(_with_alpha(grey, np.where(values == clear, 0, 255)), notes)


def _with_alpha(grey: Image.Image, alpha: npt.NDArray[np.int64]) -> Image.Image:
    return Image.merge("LA", (grey, Image.fromarray(alpha.astype(np.uint8))))


def _from_fractions(image: Image.Image, notes: list[str]) -> Image.Image:
    """Pixels in [0, 1], the one range that floats of a picture are agreed to have."""
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # also for NaN
        raise PictureError(
            f"its pixels are floats from {values.min():g} to {values.max():g}, which has no fixed range unless it "
            f"lies in [0, 1]: save it as 8-bit PNG"
        )
    notes.append("Fractions became 8 bits.")
    grey = Image.fromarray(np.rint(values.astype(np.float64) * 255).astype(np.uint8))
    return ImageOps.invert(grey) if image.format == "TIFF" and WHITE_IS_ZERO in _tag(image, PHOTOMETRIC) else grey


def _without_transparency(image: Image.Image, notes: list[str]) -> Image.Image:
    """Laid on white where something shines through."""
    clear = image.info.get("transparency")
    if isinstance(clear, tuple) and max(clear) > 255:  # of 16 bits, of which Pillow has dropped the lower 8
        raise PictureError("one colour of 16 bits stands for transparency: save it with an alpha channel, or as 8 bits")
    with_alpha = image.convert("RGBA")
    if with_alpha.getchannel("A").getextrema() == (255, 255):
        return with_alpha.convert("RGB")
    notes.append("What is transparent was laid on white.")
    on_white = Image.new("RGBA", image.size, BACKGROUND)
    on_white.alpha_composite(with_alpha)
    return on_white.convert("RGB")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
