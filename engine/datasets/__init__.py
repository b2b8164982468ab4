"""The datasets: a frozen card each (``cards``), and their images as arrays (``images``).

Readers: ``standard`` (torchvision's), ``folder`` (ImageNet, a folder of one's own), ``parquet``. Images are uint8
until they are used, and floats in [0, 1] then.
"""

from engine.datasets.cards import (
    DATASETS,
    DatasetCard,
    card,
    card_at,
    card_of,
    known,
    load,
    on_disk,
    own_card,
    own_images,
)
from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform, write_images
from engine.datasets.likeness import find_again, write_likeness
from engine.datasets.places import data_root, pictures_file

__all__ = [
    "DATASETS",
    "DatasetCard",
    "EncodedPicture",
    "EncodedPictures",
    "ImageSet",
    "Transform",
    "card",
    "card_at",
    "card_of",
    "data_root",
    "find_again",
    "known",
    "load",
    "on_disk",
    "own_card",
    "own_images",
    "pictures_file",
    "write_images",
    "write_likeness",
]
