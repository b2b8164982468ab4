"""One frozen card per dataset: what is known before anything is read. Another one is one entry of ``DATASETS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from engine.datasets.folder import class_folders, imagenet, read_folder
from engine.datasets.images import ImageSet, Transform
from engine.datasets.parquet import find_parquet, read_parquet
from engine.datasets.places import data_root
from engine.datasets.preview import imagenet_preview
from engine.datasets.standard import cifar10, cifar100, fashion_mnist
from engine.errors import AcesError
from engine.records.meta import Meta

CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_STD = (0.2023, 0.1994, 0.2010)  # not the pixels' own deviation, but what Cohen et al. 2019 divide by
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class DatasetCard:
    """What is known of a dataset before it is read.

    ``mean`` and ``std`` are per channel, for images in [0, 1]: what its networks normalise with. ``reader(split)``, of
    those in ``DATASETS`` also ``reader(split, place=...)``, is None where only logs about it can be read here.
    ``recipes`` is the family in ``training.presets`` that its networks are trained with. ``files`` are patterns below
    the data folder by which its test images are known to be on the disk. Where published logs are about it, their
    folders are called one of ``logged_as``, or begin so.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    every: int  # the paper's subset of the test split: every so-many-th image; 1 for a dataset that it does not use
    reader: Callable[..., ImageSet] | None
    recipes: str
    files: tuple[str, ...] = ()
    images: int | None = None  # in the test split
    per_class: int | None = None  # of the test split where that is sorted by class: label = index // per_class
    logged_as: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def read(self, split: str, place: Path | None = None) -> ImageSet:
        """All images of one split, of a known dataset also those at ``place``. Raises ``AcesError`` without reader."""
        if self.reader is None:
            raise AcesError(_refusal(self.name))
        return self.reader(split) if place is None else self.reader(split, place=place)


def card(name: str) -> DatasetCard:
    """The card of a dataset whose pictures can be read here. Raises ``AcesError`` on another name, listing them."""
    if (found := known(name)) is None:
        raise AcesError(_refusal(name))
    return found


def known(name: str) -> DatasetCard | None:
    """The card of a dataset whose pictures can be read here; None for other names, which may be those of one's own."""
    found = DATASETS.get(name)
    return found if found is not None and found.reader is not None else None


def _refusal(name: str) -> str:
    """Why no pictures of a dataset can be read, and which can."""
    readable = ", ".join(other for other in DATASETS if known(other))
    if name in DATASETS:
        return f"of {DATASETS[name].title} only logs can be read here, no pictures; pictures can be read of {readable}"
    return f"unknown dataset '{name}'; known: {readable}"


def load(name: str, split: str = "test") -> ImageSet:
    """All images of one split, ``train`` or ``test``, from the data folder or a download."""
    if split not in ("train", "test"):
        raise AcesError(f"unknown split '{split}'; known: train, test")
    return card(name).read(split)


def on_disk(name: str) -> bool:
    """Whether the dataset's test images can be had without a download; nothing is loaded that reads them."""
    found = known(name)
    return found is not None and any(there for pattern in found.files for there in data_root().glob(pattern))


def card_at(name: str, place: Path) -> DatasetCard:
    """The card of a known dataset whose files lie at ``place``."""
    if (found := known(name)) is None:
        raise AcesError(f"{_refusal(name)}; your own pictures need `size` under `data`")
    return replace(found, reader=partial(found.read, place=place))


def own_card(
    name: str,
    place: Path,
    size: int,
    *,
    resize: int | None = None,
    classes: tuple[str, ...] | None = None,
    train: Path | None = None,
) -> DatasetCard:
    """A dataset of the user's own: a folder with one subfolder per class, or a parquet file (or a folder of them).

    ``train`` is the place of the split train; without it both splits are what lies at ``place``, unless that is a
    folder of parquet files, whose names tell them apart. The shorter side is resized to ``resize`` (default:
    ``size``) and the central square of ``size`` px is taken. For a parquet file ``classes`` are needed; of a folder
    they may be more than it has subfolders. The normalisation that a network is built with is ImageNet's.
    """
    if known(name) is not None:
        raise AcesError(f"'{name}' is the name of a known dataset; give your own another one")
    transform = Transform(crop=size, resize=resize)
    is_parquet = any(find_parquet(place, split) for split in ("test", "train"))
    if is_parquet and classes is None:
        raise AcesError(f"{place} does not say how many classes there are; name them under `classes`")
    return _own_card(name, place, transform, classes or class_folders(place), train)


def _own_card(
    name: str, place: Path, transform: Transform, classes: tuple[str, ...], train: Path | None = None
) -> DatasetCard:
    assert transform.crop is not None
    return DatasetCard(
        name=name,
        title=name,
        classes=classes,
        shape=(3, transform.crop, transform.crop),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        every=1,
        reader=partial(_own, name, {"test": place, "train": train or place}, transform, classes),
        recipes="cifar",
    )


def card_of(meta: Meta) -> DatasetCard:
    """The card of a run's dataset: a known one, else the user's own as the run says it, whose pictures may be away.

    Raises ``AcesError`` where the run says neither classes nor the size of its pictures.
    """
    said, found = meta.origin, known(meta.dataset)
    if said is not None and said.pictures is not None and found is not None:
        return card_at(meta.dataset, Path(said.pictures))
    if found is not None:
        return found
    if meta.classes is None or said is None or said.size is None:
        raise AcesError(
            f"{_refusal(meta.dataset)}; '{meta.name}' does not say the classes and the size of its pictures: sample it "
            f"here, from its config"
        )
    place = Path(said.pictures or "")
    return _own_card(meta.dataset, place, Transform(crop=said.size, resize=said.resize), meta.classes)


def own_images(name: str, classes: tuple[str, ...], size: int) -> DatasetCard:
    """A dataset of the user's own as its networks see it, colour images of ``size``, without its pictures."""
    return replace(_own_card(name, Path(), Transform(crop=size), classes), reader=None)


def _own(name: str, places: Mapping[str, Path], transform: Transform, classes: tuple[str, ...], split: str) -> ImageSet:
    place = places[split]
    files = find_parquet(place, split)
    if files is not None:
        return read_parquet(files, name, split, transform, len(classes))
    return read_folder(place, name, split, transform, classes)


def _names(file: str) -> tuple[str, ...]:
    return tuple((Path(__file__).parent / file).read_text(encoding="utf-8").splitlines())


def _numbers(m: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(m))


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
            reader=fashion_mnist,
            recipes="mnist",
            files=("FashionMNIST/raw",),
            images=10_000,
            logged_as=("fashion_mnist",),
        ),
        DatasetCard(
            name="cifar10",
            title="CIFAR-10",
            classes=_names("cifar10.txt"),
            shape=(3, 32, 32),
            mean=CIFAR10_MEAN,
            std=CIFAR10_STD,
            every=20,
            reader=cifar10,
            recipes="cifar",
            files=("cifar-10-batches-py", "cifar10/test*.parquet"),
            images=10_000,
            logged_as=("cifar10",),
        ),
        DatasetCard(
            name="cifar100",
            title="CIFAR-100",
            classes=_names("cifar100.txt"),
            shape=(3, 32, 32),
            mean=(0.5071, 0.4865, 0.4409),
            std=(0.2673, 0.2564, 0.2762),
            every=20,
            reader=cifar100,
            recipes="cifar",
            files=("cifar-100-python", "cifar100/test*.parquet"),
            images=10_000,
            logged_as=("cifar100",),
        ),
        DatasetCard(
            name="imagenet",
            title="ImageNet",
            classes=_names("imagenet.txt"),
            shape=(3, 224, 224),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            every=100,
            reader=imagenet,
            recipes="cifar",
            images=50_000,
            per_class=50,
            logged_as=("imagenet",),
        ),
        DatasetCard(
            name="imagenet_preview",
            title="ImageNet, a preview of 20 pictures",
            classes=_names("imagenet.txt"),
            shape=(3, 224, 224),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            every=1,
            reader=imagenet_preview,
            recipes="cifar",
            images=20,
        ),
        DatasetCard(
            name="imagenet32",
            title="ImageNet at 32 px",
            classes=_numbers(1000),  # in an order of its own, which is not known here
            shape=(3, 32, 32),
            mean=CIFAR10_MEAN,  # as Salman et al. 2019 normalise it
            std=CIFAR10_STD,
            every=1,
            reader=None,
            recipes="cifar",
            images=50_000,
            logged_as=("imagenet32",),
        ),
        DatasetCard(
            name="mnist",
            title="MNIST",
            classes=_numbers(10),
            shape=(1, 28, 28),
            mean=(0.1307,),
            std=(0.3081,),
            every=1,
            reader=None,
            recipes="mnist",
            images=10_000,
            logged_as=("mnist",),
        ),
        DatasetCard(
            name="svhn",
            title="SVHN",
            classes=_numbers(10),
            shape=(3, 32, 32),
            mean=(0.4377, 0.4438, 0.4728),
            std=(0.1980, 0.2010, 0.1970),
            every=1,
            reader=None,
            recipes="cifar",
            images=26_032,
            logged_as=("svhn",),
        ),
    )
}
