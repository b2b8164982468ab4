"""The images of a dataset as the pages show them: PNG bytes and data URLs of what the networks saw without noise."""

from __future__ import annotations

import base64
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.errors import AcesError
from engine.pictures import to_png
from engine.runs import Array

LARGE = 224  # pixels of the longer side of a picture shown alone


@dataclass(frozen=True, eq=False)
class Pictures:
    """``images`` uint8 [C, H, W] by position in the split: those that ship, perhaps none."""

    images: Mapping[int, Array]

    @cached_property
    def thumbnails(self) -> dict[int, str]:
        """Data URLs for the cells of a table."""
        return {i: "data:image/png;base64," + base64.b64encode(to_png(x)).decode() for i, x in self.images.items()}

    def large(self, index: int) -> bytes | None:
        """PNG bytes, pixels enlarged without smoothing; None where the image does not ship."""
        image = self.images.get(index)
        if image is None:
            return None
        return to_png(image, max(1, LARGE // max(image.shape[1:])))


def read_pictures(path: Path) -> Pictures:
    """Read ``index`` [N] and ``images`` uint8 [N, C, H, W] of an npz file; none if there is no such file.

    Raises ``AcesError`` for a damaged file.
    """
    if not path.exists():
        return Pictures({})
    try:
        with np.load(path, allow_pickle=False) as file:
            return Pictures(dict(zip(file["index"].tolist(), file["images"], strict=True)))
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise AcesError(f"{path}: no readable image file ({error}); the table does without pictures") from error
