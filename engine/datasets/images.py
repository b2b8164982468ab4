"""Images as arrays, in memory or decoded when they are looked at; index and label travel with every one of them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine import files
from engine.datasets.decode import Decoded, decode, is_plain, summary
from engine.datasets.formats import OF_DATASETS, PictureError, open_image
from engine.errors import AcesError
from engine.output import write_file

MOST_RESIZED = 25_000_000  # pixels of a picture after its shorter side was resized: a long one grows with it
READER = b"|decode 1"  # names draws apart from those of earlier readers, which dropped alpha, turning and depth


@dataclass(frozen=True)
class Transform:
    """From a picture to what a network sees: the shorter side resized to ``resize``, the central square of ``crop``.

    Without ``crop`` the picture stays as it is. Grey pictures become colour ones and the other way round, as
    ``channels`` says. Resizing is torchvision's on PIL images, antialiased, as in the published evaluations.
    """

    crop: int | None = None
    resize: int | None = None
    bicubic: bool = False
    channels: int = 3

    def __call__(self, picture: Image.Image) -> npt.NDArray[np.uint8]:
        """uint8 [C, H, W]."""
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms import functional as F  # noqa: N812 (its name everywhere)

        self._check(*picture.size)
        picture = picture.convert("L" if self.channels == 1 else "RGB")
        if self.crop is not None:
            way = InterpolationMode.BICUBIC if self.bicubic else InterpolationMode.BILINEAR
            picture = F.center_crop(F.resize(picture, self.resize or self.crop, way), self.crop)
        pixels = np.asarray(picture, np.uint8)
        return pixels[None] if self.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def _check(self, width: int, height: int) -> None:
        """Raise ``PictureError`` for a picture whose longer side would become far too long."""
        if self.crop is None:
            return
        side = self.resize or self.crop
        if side * side * max(width, height) > MOST_RESIZED * min(width, height):
            raise PictureError(f"{width} x {height} pixels are too long to be resized to {side}: crop it first")


@dataclass(frozen=True)
class EncodedPicture:
    """An encoded picture (JPEG, PNG, ...): a file, or bytes out of one. ``name`` is what messages call it."""

    name: str
    data: Path | bytes

    def read(self) -> bytes:
        """The encoded picture itself. Raises ``AcesError`` that names it where it is no file, or too large a one."""
        if isinstance(self.data, bytes):
            return self.data
        return files.read(self.data, OF_DATASETS.bytes, name=self.name)

    def open(self, as_stored: bool = False) -> Decoded:
        """The decoded picture. Raises ``AcesError`` that names it where it is damaged, too large or none."""
        try:
            return decode(self.read(), OF_DATASETS, as_stored)
        except PictureError as error:
            raise AcesError(f"{self.name}: {error}") from error


@dataclass(frozen=True, eq=False)
class EncodedPictures:
    """Encoded pictures, decoded one at a time: ``[row]`` is uint8 [C, H, W]; a slice or an array of rows gives some.

    ``as_stored``: none is turned upright, as in the published evaluations of ImageNet.
    """

    encoded: tuple[EncodedPicture, ...]
    transform: Transform
    as_stored: bool = False

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, rows: int) -> npt.NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> EncodedPictures: ...
    def __getitem__(self, rows: int | slice | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8] | EncodedPictures:
        if isinstance(rows, int):
            return self._seen(rows, self.encoded[rows].open(self.as_stored))
        chosen = np.arange(len(self))[rows]
        return replace(self, encoded=tuple(self.encoded[row] for row in chosen))

    def _seen(self, row: int, read: Decoded) -> npt.NDArray[np.uint8]:
        """What the networks see of a decoded picture. Raises ``AcesError`` that names it where that is too large."""
        try:
            return self.transform(read.image)
        except PictureError as error:
            raise AcesError(f"{self.encoded[row].name}: {error}") from error

    def encoding(self) -> str | None:
        """What the first picture is stored as, in Pillow's terms ("JPEG", "PNG"); None where that cannot be told."""
        try:
            with open_image(self.encoded[0].read(), OF_DATASETS) as image:
                return image.format
        except (IndexError, AcesError):
            return None

    def identity(self, row: int) -> bytes:
        """What names a picture as it is seen: its file, the transform, and the reader where another might differ."""
        data = self.encoded[row].read()
        return data + repr(self.transform).encode() + (b"" if is_plain(data, OF_DATASETS, self.as_stored) else READER)

    def notes(self, row: int) -> tuple[str, ...]:
        """What reading a picture changes, a sentence each. Raises ``AcesError`` where it cannot be seen."""
        read = self.encoded[row].open(self.as_stored)
        self._seen(row, read)
        return read.notes

    def array(self) -> npt.NDArray[np.uint8]:
        """All of them, decoded: uint8 [N, C, H, W]."""
        return np.stack([self[row] for row in range(len(self))])


@dataclass(frozen=True)
class ImageSet:
    """N images of one split, each uint8 [C, H, W]; ``index`` and ``label`` int64 [N].

    ``index`` is the position in the split, which is what compositions join on. ``own`` marks files that no checksum
    vouches for: what lies behind an index may change. ``left_out`` names pictures that were skipped as damaged,
    ``notes`` say what else was passed over, and what reading the pictures changed. ``encoding`` says what a copy of a
    published dataset was decoded from: a JPEG is not quite the original.
    """

    dataset: str
    split: str
    index: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8] | EncodedPictures
    own: bool = False
    left_out: tuple[str, ...] = ()
    encoding: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def every(self, step: int, limit: int | None = None) -> ImageSet:
        """The paper's subsets: images 0, step, 2 step, ...; at most ``limit`` of them."""
        if step < 1 or (limit is not None and limit < 1):
            raise AcesError(f"every {step} / limit {limit}: both must be at least 1")
        return self.rows(slice(0, None if limit is None else step * limit, step))

    def rows(self, keep: slice | npt.NDArray[np.int64]) -> ImageSet:
        """The images at these positions of the arrays."""
        return replace(self, index=self.index[keep], label=self.label[keep], images=self.images[keep])

    def image(self, row: int) -> npt.NDArray[np.float32]:
        """One image as float32 [C, H, W] in [0, 1]."""
        return self.images[row].astype(np.float32) / np.float32(255)

    def array(self, rows: slice | npt.NDArray[np.int64] = slice(None)) -> npt.NDArray[np.uint8]:
        """Images in memory, by default all of them: uint8 [B, C, H, W]."""
        chosen = self.images[rows]
        return chosen.array() if isinstance(chosen, EncodedPictures) else chosen

    def pixels(self) -> npt.NDArray[np.float32]:
        """All images in memory, as float32 in [0, 1]."""
        return self.array().astype(np.float32) / np.float32(255)

    def seen_through(self, transform: Transform) -> ImageSet:
        """The same pictures as a network with a transform of its own sees them, from the undiminished originals."""
        if isinstance(self.images, EncodedPictures):
            return replace(self, images=replace(self.images, transform=transform))
        encoded = tuple(EncodedPicture(f"image {i}", _png(x)) for i, x in zip(self.index, self.images, strict=True))
        return replace(self, images=EncodedPictures(encoded, transform))

    def content(self, row: int) -> str:
        """The dataset's name, for own pictures with a digest of what is seen: what names an image beside its index."""
        if not self.own:
            return self.dataset
        images = self.images
        seen = images.identity(row) if isinstance(images, EncodedPictures) else images[row].tobytes()
        return f"{self.dataset}/{hashlib.sha256(seen).hexdigest()[:16]}"

    def digest(self) -> str | None:
        """sha256 over the own pictures of the set; None for a dataset that its name and indices say all about."""
        if not self.own:
            return None
        return hashlib.sha256("".join(self.content(row) for row in range(len(self))).encode()).hexdigest()

    def checked(self, skip_damaged: bool = False) -> ImageSet:
        """Decode every picture once, and note what that changes. Raises ``AcesError`` that counts and names the
        damaged ones, unless skipped.
        """
        if not isinstance(self.images, EncodedPictures):
            return self
        damaged: dict[int, str] = {}
        notes: list[str] = []
        for row in range(len(self)):
            try:
                notes += self.images.notes(row)
            except AcesError as error:
                damaged[row] = str(error)
        whole = replace(self, notes=(*self.notes, *summary(notes)))
        return whole._without(damaged, skip_damaged) if damaged else whole

    def _without(self, damaged: dict[int, str], skip: bool) -> ImageSet:
        """Without these rows, if they may be skipped. Raises ``AcesError`` with why they cannot be read otherwise."""
        if not skip or len(damaged) == len(self):
            shown = "; ".join(list(damaged.values())[:5])
            more = f"; and {len(damaged) - 5} more" if len(damaged) > 5 else ""
            raise AcesError(
                f"{len(damaged)} of {len(self)} pictures cannot be read: {shown}{more}. Repair or remove them, or set "
                f"`skip_damaged: true` under `data`"
            )
        assert isinstance(self.images, EncodedPictures)
        keep = np.array([row for row in range(len(self)) if row not in damaged])
        return replace(self.rows(keep), left_out=tuple(self.images.encoded[row].name for row in damaged))


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[0] if len(image) == 1 else image.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write_images(images: ImageSet, path: Path) -> None:
    """The dashboard's thumbnails: an npz with ``index`` and ``label`` int64 [N], ``images`` uint8 [N, C, H, W]."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, index=images.index, label=images.label, images=images.array())
    write_file(path, buffer.getvalue())
