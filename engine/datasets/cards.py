"""A frozen card a dataset: what is known before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from engine.datasets.folder import class_folders, imagenet, read_folder
from engine.datasets.images import ImageSet, Transform
from engine.datasets.parquet import find_parquet, read_parquet
from engine.datasets.standard import cifar10, cifar100, fashion_mnist
from engine.errors import AcesError

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
    read: Callable[..., ImageSet]  # (split), and of the known ones (split, place=...)

    @property
    def num_classes(self) -> int:
        return len(self.classes)


def card(name: str) -> DatasetCard:
    """The card of a dataset. Raises ``AcesError`` on an unknown name, listing the known ones."""
    if name not in DATASETS:
        raise AcesError(f"unknown dataset '{name}'; known: {', '.join(DATASETS)}")
    return DATASETS[name]


def load(name: str, split: str = "test") -> ImageSet:
    """All images of one split, ``train`` or ``test``, from the data folder or a download."""
    if split not in ("train", "test"):
        raise AcesError(f"unknown split '{split}'; known: train, test")
    return card(name).read(split)


def card_at(name: str, place: Path) -> DatasetCard:
    """The card of a known dataset whose files lie at ``place``."""
    if name not in DATASETS:
        raise AcesError(
            f"unknown dataset '{name}'; known: {', '.join(DATASETS)}; your own pictures need `size` under `data`"
        )
    known = DATASETS[name]
    return replace(known, read=partial(known.read, place=place))


def own_card(
    name: str, place: Path, size: int, *, resize: int | None = None, classes: tuple[str, ...] | None = None
) -> DatasetCard:
    """A dataset of the user's own: a folder with one subfolder a class, or a parquet file (or a folder of them).

    The shorter side is resized to ``resize`` (default: ``size``) and the central square of ``size`` px is taken. For a
    parquet file ``classes`` are needed; of a folder they may be more than it has subfolders. The normalisation that
    a network is built with is ImageNet's.
    """
    if name in DATASETS:
        raise AcesError(f"'{name}' is the name of a known dataset; give your own another one")
    transform = Transform(crop=size, resize=resize)
    is_parquet = any(find_parquet(place, split) for split in ("test", "train"))
    if is_parquet and classes is None:
        raise AcesError(f"{place} does not say how many classes there are; name them under `classes`")
    classes = classes or class_folders(place)
    return DatasetCard(
        name=name,
        title=name,
        classes=classes,
        shape=(3, size, size),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        every=1,
        read=partial(_own, name, place, transform, classes),
    )


def _own(name: str, place: Path, transform: Transform, classes: tuple[str, ...], split: str) -> ImageSet:
    files = find_parquet(place, split)
    if files is not None:
        return read_parquet(files, name, split, transform, len(classes))
    return read_folder(place, name, split, transform, classes)


def _names(file: str) -> tuple[str, ...]:
    return tuple((Path(__file__).parent / file).read_text().splitlines())


DATASETS: dict[str, DatasetCard] = {
    c.name: c
    for c in (
        DatasetCard(
            name="fashion_mnist",
            title="Fashion-MNIST",
            classes=_names("fashion_mnist.txt"),
            shape=(1, 28, 28),
            mean=(0.2860,),
            std=(0.3530,),
            every=20,
            read=fashion_mnist,
        ),
        DatasetCard(
            name="cifar10",
            title="CIFAR-10",
            classes=_names("cifar10.txt"),
            shape=(3, 32, 32),
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2023, 0.1994, 0.2010),  # not the pixels' own deviation, but what Cohen et al. 2019 divide by
            every=20,
            read=cifar10,
        ),
        DatasetCard(
            name="cifar100",
            title="CIFAR-100",
            classes=_names("cifar100.txt"),
            shape=(3, 32, 32),
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            every=20,
            read=cifar100,
        ),
        DatasetCard(
            name="imagenet",
            title="ImageNet",
            classes=_names("imagenet.txt"),
            shape=(3, 224, 224),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            every=100,
            read=imagenet,
        ),
    )
}
