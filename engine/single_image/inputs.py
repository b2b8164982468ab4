"""Whatever shows pictures to a script -> what the networks see: files, bytes, PIL images, arrays, tensors, batches.

A picture is cropped and resized to the networks' size; an array *is* the exact tensor, and is refused at another one.
torch is not imported: a tensor has been made by whoever did.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.errors import AcesError
from engine.single_image.case import frame
from engine.single_image.picture import CENTRED, Framing, Picture, Pixels, Readable, read_picture, tensor_sha256, to_png
from engine.single_image.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor

EIGHT_BIT = 1e-3  # of 255: float32 holds k / 255 to 1e-5 of it
MOST_PIL = 25_000_000  # pixels, as of a file

Shape = tuple[int, int, int]
OneImage: TypeAlias = "Readable | Image.Image | npt.NDArray[Any] | Tensor | Input"
Images: TypeAlias = "OneImage | Iterable[OneImage]"


@dataclass(frozen=True, eq=False)
class Input:
    """One image as the networks see it: ``pixels`` float32 [C, H, W] in [0, 1].

    ``exact``: the tensor uint8 [C, H, W] that a certificate can speak of, and its names there; None for floats that are
    no multiples of 1/255. ``notes``: what reading it had to leave out, a sentence each.
    """

    pixels: npt.NDArray[np.float32]
    exact: tuple[Pixels, Subject] | None
    notes: tuple[str, ...] = ()

    def certifiable(self) -> tuple[Pixels, Subject]:
        """The exact tensor and its names. Raises ``AcesError`` where there is none."""
        if self.exact is None:
            raise AcesError(
                "a certificate speaks of 8-bit pixels, and these floats are no multiples of 1/255: round them "
                "yourself, np.rint(255 * images).astype(np.uint8), so that what is certified is what you have"
            )
        return self.exact


def read_image(image: OneImage, shape: Shape, framing: Framing = CENTRED) -> Input:
    """One image for networks that read ``shape`` [C, H, W].

    A file's path or content, a ``Picture`` or a PIL image is cropped by ``framing`` and resized. An array or a tensor
    is exact: [C, H, W] or [H, W, C], of grey ones also [H, W]; uint8 of 0 to 255 or floats in [0, 1]. Raises
    ``AcesError`` for everything else.
    """
    if isinstance(image, Input):  # read already
        return image
    if isinstance(image, str | Path | bytes | Picture):
        return _framed(read_picture(image), shape, framing)
    if isinstance(image, Image.Image):
        return _framed(_of_pil(image), shape, framing)
    if not _is_array(image):
        raise AcesError(f"a {type(image).__name__} is no image: give a path, bytes, a PIL image, an array or a tensor")
    if framing != CENTRED:
        raise AcesError("an array is the exact tensor, which no framing changes: crop it yourself, or give a picture")
    return _of_array(_one(_numpy(image), shape), shape)


def each_image(images: Images, shape: Shape, framing: Framing = CENTRED) -> Iterator[Input]:
    """One image, an array or tensor of several, [B, C, H, W] or [B, H, W, C] (of grey ones also [B, H, W]), or an
    iterable of images, which is read as it is needed.

    Raises ``AcesError`` that says which image is wrong where there are several.
    """
    if isinstance(images, str | Path | bytes | Picture | Image.Image | Input):
        yield read_image(images, shape, framing)
        return
    if _is_array(images):
        images = _several(_numpy(images), shape)
    elif not isinstance(images, Iterable):
        raise AcesError(f"a {type(images).__name__} is no image and holds none")
    for at, image in enumerate(images):
        try:
            yield read_image(image, shape, framing)
        except AcesError as error:
            raise AcesError(f"image {at}: {error}") from error


def _framed(picture: Picture, shape: Shape, framing: Framing) -> Input:
    tensor, subject = frame(picture, framing, shape)
    return Input(_scaled(tensor), (tensor, subject), picture.notes)


def _of_pil(image: Image.Image) -> Picture:
    """By way of a file's bytes: there is one reader of pictures, with its limits and its rules for every mode."""
    if image.width * image.height > MOST_PIL:  # before it is encoded
        raise AcesError(f"{image.width} x {image.height} pixels are more than {MOST_PIL / 1e6:.0f} megapixels")
    buffer = io.BytesIO()
    try:
        image.save(buffer, "PNG")
    except (OSError, ValueError) as error:
        raise AcesError(f"a PIL image of mode {image.mode} cannot be read: convert it to RGB or L") from error
    return read_picture(buffer.getvalue())


def _of_array(values: npt.NDArray[Any], shape: Shape) -> Input:
    """Of values [C, H, W]."""
    if values.dtype == np.uint8:
        tensor = np.ascontiguousarray(values)
        return Input(_scaled(tensor), (tensor, _named(tensor)))
    if not np.issubdtype(values.dtype, np.floating):
        raise AcesError(f"an array of {values.dtype}: images are uint8 of 0 to 255, or floats in [0, 1]")
    pixels = np.ascontiguousarray(values, np.float32)
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # false for NaN
        said = "holds NaN" if np.isnan(pixels).any() else f"runs from {pixels.min():g} to {pixels.max():g}"
        raise AcesError(f"the array {said}; floats lie in [0, 1], the units of sigma and of every radius")
    steps = np.rint(255 * pixels)
    if np.abs(255 * pixels - steps).max() > EIGHT_BIT:
        return Input(pixels, None)
    tensor = steps.astype(np.uint8)
    return Input(_scaled(tensor), (tensor, _named(tensor)))


def _named(tensor: Pixels) -> Subject:
    """A tensor's names in a certificate: its file is the PNG of it, which `check` takes in the place of a picture."""
    if len(tensor) not in (1, 3):
        raise AcesError(f"an image of {len(tensor)} channels; a certificate speaks of grey (1) or colour (3)")
    channels, height, width = tensor.shape
    file = hashlib.sha256(to_png(tensor)).hexdigest()
    return Subject(file, tensor_sha256(tensor), (channels, height, width), CENTRED)


def _scaled(tensor: Pixels) -> npt.NDArray[np.float32]:
    return tensor.astype(np.float32) / np.float32(255)


def _is_array(images: Any) -> bool:
    return isinstance(images, np.ndarray) or type(images).__module__.partition(".")[0] == "torch"


def _numpy(images: Any) -> npt.NDArray[Any]:
    if isinstance(images, np.ndarray):
        return images
    if not hasattr(images, "detach"):
        raise AcesError(f"a {type(images).__name__} of torch is no image: give a tensor")
    tensor = images.detach().cpu()
    values: npt.NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return values


def _one(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """As [C, H, W]."""
    channels, height, width = shape
    if values.shape == shape:
        return values
    if values.shape == (height, width, channels):
        return values.transpose(2, 0, 1)
    if channels == 1 and values.shape == (height, width):
        return values[None]
    raise AcesError(f"an array of shape {values.shape}; the networks read {shape}, or {(height, width, channels)}")


def _several(values: npt.NDArray[Any], shape: Shape) -> Iterable[npt.NDArray[Any]]:
    """An array of one image or of several, as these."""
    channels, height, width = shape
    one = {shape, (height, width, channels)} | ({(height, width)} if channels == 1 else set())
    if values.shape in one:
        return [values]
    if values.ndim and values.shape[1:] in one:
        return values
    raise AcesError(
        f"an array of shape {values.shape}; the networks read images of {shape} or {(height, width, channels)}, "
        f"alone or behind each other"
    )
