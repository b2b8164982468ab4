"""Where datasets lie."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

DATA_ROOT = Path(__file__).resolve().parents[2] / "data"
FILES = {  # patterns by which a dataset is known to be on the disk, without loading what reads it
    "fashion_mnist": ("FashionMNIST/raw",),
    "cifar10": ("cifar-10-batches-py", "cifar10/test*.parquet"),
    "cifar100": ("cifar-100-python", "cifar100/test*.parquet"),
}


def data_root() -> Path:
    """Where datasets lie and are downloaded to: ``ACES_DATA``, or ``data/`` beside the packages."""
    return Path(os.environ.get("ACES_DATA", DATA_ROOT))


def on_disk(dataset: str) -> bool:
    """Whether the dataset's test images can be had without a download."""
    return any(found for pattern in FILES.get(dataset, ()) for found in data_root().glob(pattern))


def pictures_file(dataset: str, index: npt.NDArray[np.int64], label: npt.NDArray[np.int64]) -> Path:
    """Where the dashboard looks for the pictures of a run whose images do not ship: beside the dataset's files.

    Copies of a dataset in different orders differ in their labels, hence in the name.
    """
    which = zlib.crc32(label.astype("<i8").tobytes(), zlib.crc32(index.astype("<i8").tobytes()))
    return data_root() / "pictures" / f"{dataset}-{which:08x}.npz"
