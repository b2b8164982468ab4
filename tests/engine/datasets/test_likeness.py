"""Pictures of runs whose images do not ship: found in the dataset's files, in whatever order these are."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from engine.datasets import find_again, write_likeness
from engine.errors import AcesError
from tests.engine.datasets.pictures import shuffled


def recompressed(image: np.ndarray) -> np.ndarray:
    out = BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(out, "JPEG", quality=75)
    return np.asarray(Image.open(out)).transpose(2, 0, 1)


def test_a_subset_is_found_in_another_order_and_compression(split, tmp_path):
    part = split.every(20)
    write_likeness(part, tmp_path / "likeness.npz")
    other = shuffled(replace(split, images=np.stack([recompressed(x) for x in split.images])))
    found = find_again(tmp_path / "likeness.npz", other)
    np.testing.assert_array_equal(found.index, part.index)
    np.testing.assert_array_equal(found.label, part.label)
    np.testing.assert_array_equal(found.images, [recompressed(x) for x in part.images])


@pytest.mark.parametrize("lacks", ["picture", "label"])
def test_an_image_that_is_not_there_is_named(split, tmp_path, lacks):
    write_likeness(split.every(20), tmp_path / "likeness.npz")
    without = split.rows(np.flatnonzero(split.index != 40))
    if lacks == "label":
        without = split.rows(np.flatnonzero(split.label != split.label[40]))
    with pytest.raises(AcesError, match=r"the first of them index (40|0), are not among"):
        find_again(tmp_path / "likeness.npz", without)
