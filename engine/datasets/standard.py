"""Fashion-MNIST and CIFAR through torchvision, which downloads with a progress bar and checks what it downloaded."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine import files
from engine.datasets.images import ImageSet, Transform
from engine.datasets.parquet import find_parquet, read_parquet
from engine.datasets.places import data_root
from engine.errors import AcesError
from engine.output import make_folder, write_file

MOST_PACKED = 100_000_000  # bytes of a file of Fashion-MNIST, of which the largest has 26 MB
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


def fashion_mnist(split: str, place: Path | None = None) -> ImageSet:
    """Fashion-MNIST (Xiao et al. 2017); files already on the machine are used first."""
    from torchvision.datasets import FashionMNIST

    root = place or data_root()
    raw = root / "FashionMNIST" / "raw"
    _unpack_debian(raw)
    missing = (
        f"Fashion-MNIST is not at {root} and cannot be downloaded ({{error}}); on Debian "
        f"`apt-get install dataset-fashion-mnist` brings it, else put its four *-ubyte files into {raw}"
    )
    data = _torchvision(FashionMNIST, root, split, missing)
    images = data.data.numpy()[:, None]
    return ImageSet("fashion_mnist", split, np.arange(len(images)), data.targets.numpy().astype(np.int64), images)


def cifar10(split: str, place: Path | None = None) -> ImageSet:
    """CIFAR-10 (Krizhevsky 2009): torchvision's files or a parquet file, else a download."""
    from torchvision.datasets import CIFAR10

    return _cifar("cifar10", 10, CIFAR10, split, place)


def cifar100(split: str, place: Path | None = None) -> ImageSet:
    """CIFAR-100, fine labels (Krizhevsky 2009): torchvision's files or a parquet file, else a download."""
    from torchvision.datasets import CIFAR100

    return _cifar("cifar100", 100, CIFAR100, split, place)


def _cifar(name: str, num_classes: int, dataset: Any, split: str, place: Path | None) -> ImageSet:
    """``place`` is a folder that holds the files, or a parquet file itself; by default below the data folder."""
    root = place or data_root()
    folder: str = dataset.base_folder
    parquet = find_parquet(root, split) or find_parquet(root / name, split)
    if parquet is not None and not (root / folder).is_dir():
        found = read_parquet(parquet, name, split, Transform(crop=32), num_classes)
        return replace(found, images=found.array())
    missing = (
        f"{name} is not at {root} and cannot be downloaded ({{error}}); put {dataset.filename} from {dataset.url} or "
        f"its unpacked folder {folder} there, or a parquet file of encoded images and labels as "
        f"{root / name / f'{split}.parquet'}"
    )
    data = _torchvision(dataset, root, split, missing)
    images = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2))
    return ImageSet(name, split, np.arange(len(images)), np.asarray(data.targets, np.int64), images)


def _torchvision(dataset: Callable[..., Any], root: Path, split: str, missing: str) -> Any:
    """A torchvision dataset, downloaded if need be. Raises ``AcesError``: ``missing`` with the reason filled in."""
    try:
        return dataset(root, train=split == "train", download=True)
    except (RuntimeError, OSError) as error:
        raise AcesError(missing.format(error=error)) from error


def _unpack_debian(raw: Path) -> None:
    """Put Debian's compressed files where torchvision looks for the plain ones."""
    for packed in sorted(DEBIAN_FASHION_MNIST.glob("*-ubyte.gz")):
        plain = raw / packed.stem
        if plain.exists():
            continue
        make_folder(raw)
        data = gzip.decompress(files.read(packed, MOST_PACKED))
        write_file(plain, data)  # whole or not at all: two processes may unpack at once
