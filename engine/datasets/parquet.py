"""Parquet files of encoded images and labels, as dataset hubs offer them: one row per image.

The image column holds bytes, or a struct with an entry ``bytes``; the label column is ``label`` or ``fine_label``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.errors import AcesError

LABELS = ("label", "fine_label")


def find_parquet(place: Path, split: str) -> tuple[Path, ...] | None:
    """``place`` itself if it is a parquet file, else its ``split.parquet`` or ``split-*.parquet``, in order of name."""
    if place.is_file() and place.suffix == ".parquet":
        return (place,)
    found = (*sorted(place.glob(f"{split}.parquet")), *sorted(place.glob(f"{split}-*.parquet")))
    return found or None


def read_parquet(
    files: tuple[Path, ...], dataset: str, split: str, transform: Transform, num_classes: int | None = None
) -> ImageSet:
    """The images of the files in order of their rows, still encoded; ``index`` is the row.

    Raises ``AcesError`` for a file that is damaged or lacks a column, and for a label outside 0 .. num_classes - 1.
    """
    pictures: list[EncodedPicture] = []
    labels: list[Any] = []
    for file in files:
        cells, classes = _columns(file)
        pictures += [EncodedPicture(f"{file.name}, row {row}", data) for row, data in enumerate(cells)]
        labels += classes
    wrong = [r for r, k in enumerate(labels) if not isinstance(k, int) or not 0 <= k < (num_classes or k + 1)]
    if wrong:
        expected = "a number from 0" if num_classes is None else f"0..{num_classes - 1}"
        raise AcesError(f"{files[0]}: the label of row {wrong[0]} is {labels[wrong[0]]!r}; expected {expected}")
    images = EncodedPictures(tuple(pictures), transform)
    index, label = np.arange(len(labels)), np.array(labels, np.int64)
    return ImageSet(dataset, split, index, label, images, own=True, encoding=images.encoding())


def _columns(file: Path) -> tuple[list[bytes], list[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise AcesError(f"{file} is not a readable parquet file: {' '.join(str(error).split())}") from error
    label = next((name for name in LABELS if name in table.column_names), None)
    image = next((f for f in table.schema if _holds_bytes(f.type)), None)
    if label is None or image is None:
        raise AcesError(
            f"{file} has the columns {', '.join(table.column_names)}; needed: {' or '.join(LABELS)}, and one of "
            f"encoded images (bytes, or a struct with an entry `bytes`)"
        )
    cells = table[image.name].to_pylist()
    encoded = [cell["bytes"] if isinstance(cell, dict) else cell for cell in cells]
    if None in encoded:
        raise AcesError(f"{file}: row {encoded.index(None)} holds no image")
    return encoded, table[label].to_pylist()


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
