"""The datasets: a frozen card each, and their images as arrays.

Index and label travel with every image: ``index`` is the position in the split, which is what
compositions join on. Images are uint8 until they are used, and floats in [0, 1] then.
"""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.errors import AcesError

DATA_ROOT = Path(__file__).resolve().parents[1] / "data"
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


@dataclass(frozen=True)
class ImageSet:
    """N images of one split: ``images`` uint8 [N, C, H, W], ``index`` and ``label`` int64 [N]."""

    dataset: str
    split: str
    index: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.index)

    def every(self, step: int, limit: int | None = None) -> ImageSet:
        """The paper's subsets: images 0, step, 2 step, ...; at most ``limit`` of them."""
        if step < 1 or (limit is not None and limit < 1):
            raise AcesError(f"every {step} / limit {limit}: both must be at least 1")
        keep = slice(0, None if limit is None else step * limit, step)
        return ImageSet(self.dataset, self.split, self.index[keep], self.label[keep], self.images[keep])

    def pixels(self) -> npt.NDArray[np.float32]:
        """All images as float32 in [0, 1]."""
        return self.images.astype(np.float32) / np.float32(255)


def write_images(images: ImageSet, path: Path) -> None:
    """The dashboard's thumbnails: an npz with ``index`` and ``label`` int64 [N], ``images`` uint8 [N, C, H, W]."""
    np.savez_compressed(path, index=images.index, label=images.label, images=images.images)


@dataclass(frozen=True)
class DatasetCard:
    """What is known of a dataset before it is read. ``mean`` and ``std`` are per channel, for images in [0, 1]."""

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    every: int  # the paper's subset of the test split: every so-many-th image
    read: Callable[[str], ImageSet]

    @property
    def num_classes(self) -> int:
        return len(self.classes)


def data_root() -> Path:
    """Where downloaded datasets lie: ``ACES_DATA``, or ``data/`` beside the packages."""
    return Path(os.environ.get("ACES_DATA", DATA_ROOT))


def card(name: str) -> DatasetCard:
    """The card of a dataset. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in DATASETS:
        raise AcesError(f"unknown dataset '{name}'; known: {', '.join(DATASETS)}")
    return DATASETS[name]


def load(name: str, split: str = "test") -> ImageSet:
    """All images of one split, ``train`` or ``test``."""
    if split not in ("train", "test"):
        raise AcesError(f"unknown split '{split}'; known: train, test")
    return card(name).read(split)


def fashion_mnist(split: str) -> ImageSet:
    """Fashion-MNIST (Xiao et al. 2017) through torchvision; files already on the machine are used first."""
    from torchvision.datasets import FashionMNIST

    root = data_root()
    _unpack_debian(root / "FashionMNIST" / "raw")
    try:
        data = FashionMNIST(root, train=split == "train", download=True)
    except (RuntimeError, OSError) as error:
        raise AcesError(
            f"Fashion-MNIST is not at {root} and cannot be downloaded ({error}); on Debian "
            f"`apt-get install dataset-fashion-mnist` brings it, else put its four *-ubyte files into "
            f"{root / 'FashionMNIST' / 'raw'}"
        ) from error
    images = data.data.numpy()[:, None]
    return ImageSet("fashion_mnist", split, np.arange(len(images)), data.targets.numpy().astype(np.int64), images)


def _unpack_debian(raw: Path) -> None:
    """Put Debian's compressed files where torchvision looks for the plain ones."""
    for packed in sorted(DEBIAN_FASHION_MNIST.glob("*-ubyte.gz")):
        plain = raw / packed.stem
        if plain.exists():
            continue
        raw.mkdir(parents=True, exist_ok=True)
        partial = plain.with_name(f"{plain.name}.{os.getpid()}")  # two processes may unpack at once
        with gzip.open(packed) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
        partial.replace(plain)


DATASETS: dict[str, DatasetCard] = {
    c.name: c
    for c in (
        DatasetCard(
            name="fashion_mnist",
            title="Fashion-MNIST",
            classes=(
                "T-shirt/top",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ),
            shape=(1, 28, 28),
            mean=(0.2860,),
            std=(0.3530,),
            every=20,
            read=fashion_mnist,
        ),
    )
}
