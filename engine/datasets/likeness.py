"""Which picture is which: a subset found again in a copy of its dataset that is in another order, or recompressed.

CIFAR-10 comes as torchvision's files and, in other orders and as JPEG, as parquet files; a run's ``index`` counts in
the copy that was sampled. A likeness is an image's mean over each of 4 x 4 blocks: enough to recognise one that is at
hand, too little to look at.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine import files, npz
from engine.datasets.images import ImageSet
from engine.errors import AcesError
from engine.output import write_file

BLOCKS = 4
MOST_BYTES = 100_000_000  # of a file: 60,000 images of CIFAR-10 have 4 MB
FAR = 4.0  # mean difference of blocks, of 255: JPEG changes a likeness by 1 or 2, almost every other image by over 10


def likeness(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [N, C, H, W], H and W multiples of 4 -> uint8 [N, C, 4, 4]: the rounded mean of each block."""
    n, c, h, w = images.shape
    blocks = images.reshape(n, c, BLOCKS, h // BLOCKS, BLOCKS, w // BLOCKS).mean((3, 5))
    rounded: npt.NDArray[np.uint8] = blocks.round().astype(np.uint8)
    return rounded


def write_likeness(images: ImageSet, path: Path) -> None:
    """An npz with ``index`` and ``label`` int64 [N], ``likeness`` uint8 [N, C, 4, 4]."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, index=images.index, label=images.label, likeness=likeness(images.array()))
    write_file(path, buffer.getvalue())


def find_again(path: Path, among: ImageSet) -> ImageSet:
    """The images of a likeness file out of a whole split, with the ``index`` of the file, whatever theirs is.

    Raises ``AcesError`` if one of them is not there.
    """
    index, label, wanted = _read(path)
    there = likeness(among.array())
    rows = np.array([_nearest(x, y, there, among.label) for x, y in zip(wanted, label, strict=True)])
    missing = index[rows < 0]
    if len(missing):
        raise AcesError(
            f"{len(missing)} of {len(index)} images, the first of them index {missing[0]}, are not among the "
            f"{len(among)} of {among.dataset}, {among.split}: is it another dataset?"
        )
    return replace(among.rows(rows), index=index)


def _read(path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """index and label [N], likeness [N, C, 4, 4]. Raises ``AcesError`` for another file."""
    with files.opened(path, MOST_BYTES) as file:
        try:
            kept = npz.read_arrays(file, ("index", "label", "likeness"), MOST_BYTES)
            index, label, wanted = kept["index"], kept["label"], kept["likeness"]
            if not (index.shape == label.shape == wanted.shape[:1] and wanted.shape[2:] == (BLOCKS, BLOCKS)):
                raise AcesError("its arrays are not of one length")
        except (AcesError, KeyError) as error:
            raise AcesError(f"{path} is no file of likenesses: {error}") from error
    return index, label, wanted


def _nearest(
    wanted: npt.NDArray[np.uint8], label: int, there: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> int:
    """The row of the same label whose likeness is nearest; -1 if even that is far."""
    rows = np.flatnonzero(labels == label)
    apart = np.abs(there[rows].astype(np.int16) - wanted).mean((1, 2, 3))
    return int(rows[apart.argmin()]) if len(rows) and apart.min() <= FAR else -1
