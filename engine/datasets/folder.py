"""Folders with one subfolder per class: ImageNet's validation set, and whatever pictures a user has.

Classes are the subfolders in order of name, images are sorted by class and then by file name: torchvision's
ImageFolder, whose positions the published logs use (label = index // 50 on ImageNet's validation set).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.datasets.places import data_root
from engine.errors import AcesError

IMAGENET = Transform(crop=224, resize=256)
IMAGENET_FOLDER = {"test": "val", "train": "train"}


def class_folders(folder: Path) -> tuple[str, ...]:
    """The names of the classes. Raises ``AcesError`` where there are none."""
    if not folder.is_dir():
        raise AcesError(f"there is no folder {folder}")
    classes = tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))
    if not classes:
        raise AcesError(f"{folder} holds no subfolders; put the pictures into one subfolder per class")
    return classes


def read_folder(
    folder: Path, dataset: str, split: str, transform: Transform, classes: tuple[str, ...] | None = None
) -> ImageSet:
    """All pictures of a folder, found but not yet decoded; labels count the subfolders, or are those of ``classes``."""
    from torchvision.datasets import ImageFolder

    found = class_folders(folder)
    known = {name: label for label, name in reversed(list(enumerate(classes or found)))}
    if unknown := [name for name in found if name not in known]:
        raise AcesError(f"{folder / unknown[0]} is called like no class; classes are {', '.join(list(known)[:3])}, ...")
    try:
        samples = ImageFolder(folder).samples
    except FileNotFoundError as error:
        raise AcesError(f"{folder}: {error}") from error
    pictures = tuple(EncodedPicture(str(Path(path).relative_to(folder)), Path(path)) for path, _ in samples)
    label = np.array([known[found[folder_number]] for _, folder_number in samples], np.int64)
    return ImageSet(dataset, split, np.arange(len(label)), label, EncodedPictures(pictures, transform), own=True)


def imagenet(split: str, place: Path | None = None) -> ImageSet:
    """ILSVRC 2012: ``val`` (split test) or ``train`` below ``place``, or ``place`` itself, 1000 class folders in it.

    Resized to 256 and cropped to 224, as in the papers. ImageNet is not to be downloaded freely: the message says
    which folder to put where.
    """
    root = place or data_root() / "imagenet"
    below = root / IMAGENET_FOLDER[split]
    folder = below if below.is_dir() else root
    found = class_folders(folder) if folder.is_dir() else ()
    if len(found) != 1000:
        raise AcesError(
            f"imagenet is not at {folder} ({len(found)} class folders; 1000 are needed); put the validation images "
            f"of ILSVRC 2012, in one folder a class (n01440764, ...), into {below}"
        )
    return read_folder(folder, "imagenet", split, IMAGENET)
