"""Where datasets lie."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine import folders
from engine.names import file_in


def data_root() -> Path:
    """Where datasets lie and are downloaded to."""
    return folders.data()


def pictures_file(
    dataset: str, index: npt.NDArray[np.int64], label: npt.NDArray[np.int64], digest: str | None = None
) -> Path:
    """Where the dashboard looks for the pictures of a run whose images do not ship: beside the dataset's files.

    Copies of a dataset in different orders differ in their labels, own pictures in their ``digest``, hence in the name.
    """
    which = zlib.crc32(label.astype("<i8").tobytes(), zlib.crc32(index.astype("<i8").tobytes()))
    which = zlib.crc32((digest or "").encode(), which)
    return file_in(data_root() / "pictures", f"{dataset}-{which:08x}.npz")
