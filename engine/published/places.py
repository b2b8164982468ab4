"""What the folders around a log tell: dataset, split, training, sigma; and what to call the run."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.datasets import DATASETS, DatasetCard
from engine.errors import AcesError

NOISE = re.compile(r"(noise|sigma)[_=-]?(\d+(?:\.\d+)?)")
ARCHITECTURE = re.compile(r"(cifar_)?(resnet|densenet|lenet)\d*", re.IGNORECASE)
WORDS = re.compile(r"[_\W]+")
TRANSFORMATIONS = frozenset(("translation", "rotation", "scaling", "brightness", "contrast", "blur"))
TEXT_SUFFIXES = (".tsv", ".txt", ".log", ".csv")  # a log's name may well end in "_0.10", which is no suffix
FILE_ORDER = "test-file-order"


@dataclass(frozen=True)
class Place:
    """What a log's path says. ``sigma`` is the noise of the evaluation, None where the path names none;
    ``transformation`` a folder's name by which the noise is no noise of pixels.
    """

    dataset: str
    split: str
    training: str | None
    sigma: float | None
    sigma_train: float | None
    transformation: str | None = None

    @property
    def card(self) -> DatasetCard:
        return DATASETS[self.dataset]

    @property
    def last_index(self) -> int | None:
        """The largest position in the split, where that is known."""
        images = self.card.images if self.split == "test" else None
        return None if images is None else images - 1

    def noise(self, path: Path) -> float:
        """``sigma``. Raises ``AcesError`` where neither path nor caller named a positive one."""
        if self.sigma is None or not 0 < self.sigma < np.inf:
            raise AcesError(
                f"{path}: sigma is {self.sigma}; put the log into a folder such as noise_0.25, or name sigma"
            )
        return self.sigma


def place_of(path: Path, dataset: str | None = None, sigma: float | None = None) -> Place:
    """Read a log's absolute path; ``dataset`` and ``sigma`` fill in what it does not say, and never override it.

    The folder nearest to the file counts.

    Raises ``AcesError`` where the dataset is not told, or not known.
    """
    folders = path.parts[:-1]
    at = _last_dataset(folders)
    inside = folders[at + 1 :] if at is not None else ()
    named = path.parts[at] if at is not None else stem(path)
    if dataset is None or dataset in DATASETS:
        dataset = _dataset(named) or dataset
    if dataset not in DATASETS:
        raise AcesError(
            f"{path}: {'no folder names the dataset' if dataset is None else f'unknown dataset {dataset!r}'}; "
            f"known: {', '.join(sorted(DATASETS))}"
        )
    noises = [(kind, float(number)) for kind, number in NOISE.findall(str(path))]
    trained = [number for kind, number in noises if kind == "noise"]
    return Place(
        dataset=dataset,
        split="train" if "train" in inside else "test",
        training=inside[0] if inside and not (NOISE.match(inside[0]) or ARCHITECTURE.match(inside[0])) else None,
        sigma=noises[-1][1] if noises else sigma,
        sigma_train=trained[-1] if trained else None,
        transformation=next((name for name in inside if not TRANSFORMATIONS.isdisjoint(WORDS.split(name))), None),
    )


def _dataset(name: str) -> str | None:
    """The dataset that a folder or file name is, or begins with."""
    logged = {folder: card.name for card in DATASETS.values() for folder in card.logged_as}
    found = [folder for folder in logged if re.fullmatch(rf"{re.escape(folder)}([_-].*)?", name)]
    return logged[max(found, key=len)] if found else None  # cifar10-c would be no cifar10


def _last_dataset(folders: Sequence[str]) -> int | None:
    return max((i for i, name in enumerate(folders) if _dataset(name)), default=None)


def stem(path: Path) -> str:
    """The file's name without a text suffix; names such as ``x_selection_0.10`` have none."""
    return path.stem if path.suffix in TEXT_SUFFIXES else path.name


def distinct_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each path, absolute and distinct: its stem, and before it the folders that tell equal stems apart."""
    alike: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        alike[stem(path)].append(path)
    names: dict[Path, str] = {}
    for group in alike.values():
        one_folder = len({path.parent for path in group}) < len(group)  # then only their suffixes differ
        last = {path: path.name if one_folder else stem(path) for path in group}
        depth = 0
        while len({_qualified(path, depth, last[path]) for path in group}) < len(group):
            depth += 1
        names.update({path: _qualified(path, depth, last[path]) for path in group})
    return names


def _qualified(path: Path, depth: int, last: str) -> str:
    folders = path.parts[1:-1]
    return "-".join([*folders[len(folders) - depth :], last])


def split_of(place: Place, path: Path, index: Array, label: Array) -> str:
    """The split, telling apart the two orders in use of a split that is sorted by class, ImageNet's validation images.

    In ImageFolder order label = idx // 50. Logs in the order of the original files give every image another idx, and
    must not be joined with the former. Raises ``AcesError`` for a log that is neither.
    """
    per_class = place.card.per_class
    if per_class is None or place.split != "test":
        return place.split
    sorted_by_class = label == index // per_class
    if sorted_by_class.all():
        return place.split
    if sorted_by_class.mean() < 0.5:
        return FILE_ORDER
    row = int((~sorted_by_class).argmax())
    raise AcesError(
        f"{path}, line {row + 2}: image {index[row]} has label {label[row]}; in {place.card.title}'s order by class, "
        f"which most of the log follows, it has {index[row] // per_class}"
    )


def absent(place: Place, index: Array) -> str | None:
    """What is missing of the subset 0, step, 2 step, ... of the test split that a log began; None if nothing is."""
    if place.last_index is None or len(index) < 2:
        return None
    step = int(np.diff(np.sort(index)).min())
    subset = np.arange(0, place.last_index + 1, step)
    missing = np.setdiff1d(subset, index)
    if not len(missing):
        return None
    held = len(subset) - len(missing)
    return f"{held} of the {len(subset)} images 0, {step}, ..., {subset[-1]}: the first missing is {missing[0]}"
