"""Folders with one subfolder per class: ImageNet's validation set, and whatever pictures a user has.

Classes are the subfolders in order of name, images are sorted by class and then by file name, as torchvision's
ImageFolder does, whose positions the published logs use (label = index // 50 on ImageNet's validation set).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.datasets.places import data_root
from engine.datasets.tree import Tree, classes_of, pictures_below
from engine.errors import AcesError

IMAGENET = Transform(crop=224, resize=256)
IMAGENET_FOLDER = {"test": "val", "train": "train"}


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the classes. Raises ``AcesError`` where there are none."""
    return _classes(folder)[0]


def _classes(folder: Path) -> tuple[tuple[str, ...], Tree]:
    if not folder.is_dir():
        raise AcesError(f"there is no folder {folder}")
    tree = Tree(folder)
    if not (classes := classes_of(tree)):
        raise AcesError(
            "; ".join((f"{folder} holds no subfolders; put the pictures into one subfolder per class", *tree.notes()))
        )
    return classes, tree


def read_folder(
    folder: Path,
    dataset: str,
    split: str,
    transform: Transform,
    classes: tuple[str, ...] | None = None,
    *,
    as_stored: bool = False,
) -> ImageSet:
    """All pictures of a folder, found but not yet decoded; labels count the subfolders, or are those of ``classes``."""
    found, tree = _classes(folder)
    known = {name: label for label, name in reversed(list(enumerate(classes or found)))}
    if unknown := [name for name in found if name not in known]:
        raise AcesError(f"{folder / unknown[0]} is called like no class; classes are {_some(list(classes or found))}")
    of_class = {name: pictures_below(tree, name) for name in found}
    if empty := [name for name, files in of_class.items() if not files]:
        raise AcesError("; ".join((f"{folder}: no pictures of the classes {_some(empty)}", *tree.notes())))
    pictures = tuple(EncodedPicture(file, folder / file) for files in of_class.values() for file in files)
    label = np.array([known[name] for name, files in of_class.items() for _ in files], np.int64)
    images = EncodedPictures(pictures, transform, as_stored)
    return ImageSet(dataset, split, np.arange(len(label)), label, images, own=True, notes=tree.notes())


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"


def imagenet(split: str, place: Path | None = None) -> ImageSet:
    """ILSVRC 2012: ``val`` (split test) or ``train`` below ``place``, or ``place`` itself, 1000 class folders in it.

    Resized to 256, cropped to 224, not turned, as in the papers. ImageNet is not to be downloaded freely: the message
    says which folder to put where.
    """
    root = place or data_root() / "imagenet"
    below = root / IMAGENET_FOLDER[split]
    folder = below if below.is_dir() else root
    found, tree = _classes(folder) if folder.is_dir() else ((), Tree(folder))
    if len(found) != 1000:
        passed = "".join(f"; {note}" for note in tree.notes())
        raise AcesError(
            f"imagenet is not at {folder} ({len(found)} class folders; 1000 are needed); put the validation images "
            f"of ILSVRC 2012, in one folder a class (n01440764, ...), into {below}{passed}"
        )
    return read_folder(folder, "imagenet", split, IMAGENET, as_stored=True)
