"""Pictures and files of them, made for a test."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.datasets import ImageSet
from tests import ROOT

CIFAR10 = ROOT.parent / "shared" / "cifar10"
needs_cifar10 = pytest.mark.skipif(not CIFAR10.is_dir(), reason="no parquet files of CIFAR-10 beside the checkout")


def flat(colour: object, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, size, colour)


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form)
    return buffer.getvalue()


def parquet(path: Path, /, **columns: list[object]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def shuffled(split: ImageSet) -> ImageSet:
    order = np.random.default_rng(1).permutation(len(split))
    return replace(split.rows(order), index=np.arange(len(split)))
