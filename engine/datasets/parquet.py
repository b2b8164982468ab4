"""Parquet files of encoded images and labels, as dataset hubs offer them: one row per image.

The image column holds bytes, or a struct with an entry ``bytes``; the label column is ``label`` or ``fine_label``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine import files
from engine.datasets.images import EncodedPicture, EncodedPictures, ImageSet, Transform
from engine.errors import AcesError
from engine.names import quoted

LABELS = ("label", "fine_label")
MOST_BYTES = 20_000_000_000  # of a file
MOST_TIMES, MOST_SMALL = (
    20,
    100_000_000,
)  # encoded images hardly shrink: bytes unpacked, of those in the file and beside
ROWS = 16  # that are unpacked at once
SHOWN = 12  # columns that a message names


def find_parquet(place: Path, split: str) -> tuple[Path, ...] | None:
    """``place`` itself if it is a parquet file, else its ``split.parquet`` or ``split-*.parquet``, in order of name."""
    if place.is_file() and place.suffix == ".parquet":
        return (place,)
    found = (*sorted(place.glob(f"{split}.parquet")), *sorted(place.glob(f"{split}-*.parquet")))
    return found or None


def read_parquet(
    places: tuple[Path, ...], dataset: str, split: str, transform: Transform, num_classes: int | None = None
) -> ImageSet:
    """The images of the files in order of their rows, still encoded; ``index`` is the row.

    Raises ``AcesError`` for a file that is damaged or lacks a column, and for a label outside 0 .. num_classes - 1.
    """
    pictures: list[EncodedPicture] = []
    labels: list[Any] = []
    for file in places:
        cells, classes = _columns(file)
        pictures += [EncodedPicture(f"{file.name}, row {row}", data) for row, data in enumerate(cells)]
        labels += classes
    wrong = [r for r, k in enumerate(labels) if not isinstance(k, int) or not 0 <= k < (num_classes or k + 1)]
    if wrong:
        expected = "a number from 0" if num_classes is None else f"0..{num_classes - 1}"
        raise AcesError(f"{places[0]}: the label of row {wrong[0]} is {quoted(labels[wrong[0]])}; expected {expected}")
    images = EncodedPictures(tuple(pictures), transform)
    index, label = np.arange(len(labels)), np.array(labels, np.int64)
    return ImageSet(dataset, split, index, label, images, own=True, encoding=images.encoding())


def _columns(file: Path) -> tuple[list[bytes], list[Any]]:
    """Encoded images and labels; read some rows at a time, so that little becomes much only where it may."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with files.opened(file, MOST_BYTES) as opened:
        most = MOST_SMALL + MOST_TIMES * files.size(opened)
        try:
            source = pq.ParquetFile(opened)
            image, label = _named(file, source.schema_arrow)
            cells, labels, held = list[Any](), list[Any](), 0
            for batch in source.iter_batches(ROWS, columns=[image, label]):
                rows = [cell["bytes"] if isinstance(cell, dict) else cell for cell in batch[image].to_pylist()]
                held += sum(len(row or b"") for row in rows)
                if held > most:
                    raise AcesError(f"{file} is refused: its images have more than {most / 1e6:,.0f} MB unpacked")
                cells += rows
                labels += batch[label].to_pylist()
        except (pa.ArrowException, OSError, MemoryError, OverflowError) as error:
            raise AcesError(f"{file} is not a readable parquet file: {files.reason(error)}") from error
    if None in cells:
        raise AcesError(f"{file}: row {cells.index(None)} holds no image")
    return cells, labels


def _named(file: Path, schema: Any) -> tuple[str, str]:
    """The columns of images and labels. Raises ``AcesError`` where there are none."""
    label = next((name for name in LABELS if name in schema.names), None)
    image = next((field.name for field in schema if _holds_bytes(field.type)), None)
    if label is None or image is None:
        shown = ", ".join(schema.names[:SHOWN])
        raise AcesError(
            f"{file} has the columns {shown[: files.SHOWN]}; needed: {' or '.join(LABELS)}, and one of encoded images "
            f"(bytes, or a struct with an entry `bytes`)"
        )
    return image, label


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))
