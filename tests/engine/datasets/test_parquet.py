from __future__ import annotations

import numpy as np
import pytest

from engine import datasets
from engine.errors import AcesError
from tests.engine.datasets.pictures import CIFAR10, encoded, flat, needs_cifar10, parquet


def test_cifar_is_read_from_parquet_files_in_the_data_folder_or_where_one_says(tmp_path, monkeypatch):
    white, black = flat((255, 255, 255), (32, 32)), flat((0, 0, 0), (32, 32))
    parquet(tmp_path / "cifar10" / "test.parquet", image=[encoded(white), encoded(black)], label=[3, 8])
    hub = parquet(tmp_path / "hub" / "test-00000.parquet", img=[{"bytes": encoded(white)}], fine_label=[9])
    monkeypatch.setenv("ACES_DATA", str(tmp_path))
    data = datasets.load("cifar10", "test")
    assert data.label.tolist() == [3, 8]
    assert data.images.mean((1, 2, 3)).tolist() == [255, 0]
    assert data.encoding == "PNG"
    assert datasets.card_at("cifar10", hub.parent).read("test").label.tolist() == [9]
    assert datasets.card_at("cifar10", hub).read("test").label.tolist() == [9]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"image": [b"x"], "label": [10]}, r"label of row 0 is 10; expected 0\.\.9"),
        ({"image": [b"x"], "label": [None]}, "label of row 0 is None"),
        ({"image": [None, b"x"], "label": [0, 1]}, "row 0 holds no image"),
        ({"image": [b"x"], "target": [1]}, "has the columns image, target; needed: label or fine_label"),
        ({"file": ["a.png"], "label": [1]}, "one of encoded images"),
        ({"image": [b"no picture"], "label": [1]}, r"test\.parquet, row 0: this is no image that can be read"),
    ],
)
def test_parquet_files_that_do_not_fit_say_what_is_wrong(tmp_path, columns, message):
    file = parquet(tmp_path / "test.parquet", **columns)
    with pytest.raises(AcesError, match=message):
        datasets.card_at("cifar10", file).read("test")


def test_a_damaged_parquet_file_is_named(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(AcesError, match=r"test\.parquet is not a readable parquet file"):
        datasets.card_at("cifar10", tmp_path).read("test")


@needs_cifar10
def test_the_parquet_files_of_cifar10_hold_its_test_set():
    data = datasets.card_at("cifar10", CIFAR10).read("test")
    assert data.images.shape == (10_000, 3, 32, 32)
    assert data.encoding == "JPEG"
    assert np.bincount(data.label).tolist() == [1000] * 10
    means = data.images.mean((0, 2, 3)) / 255
    assert means == pytest.approx(datasets.card("cifar10").mean, abs=0.005)


def test_a_parquet_file_of_ones_own_needs_the_names_of_its_classes(tmp_path):
    file = parquet(tmp_path / "test.parquet", image=[encoded(flat((9, 9, 9)))], label=[1])
    with pytest.raises(AcesError, match="name them under `classes`"):
        datasets.own_card("mine", file, 8)
    card = datasets.own_card("mine", file, 4, classes=("no", "yes"))
    assert card.read("test").array().tolist() == np.full((1, 3, 4, 4), 9).tolist()
