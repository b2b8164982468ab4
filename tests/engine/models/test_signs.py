"""A file that is no checkpoint is called what it is."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from engine.errors import AcesError
from engine.models import load
from engine.models.signs import head_of, is_safetensors, mistaken, protocol
from tests.engine.models.fabricated import saved, weights20

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 26234567\n"


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors", "net.pth.tar"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LFS, "is a pointer of Git LFS in place of the file of 26,234,567 bytes: fetch it with `git lfs pull`"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS in place of the file: fetch"),
        (b"<!DOCTYPE html><html><body>Quota exceeded", "is a web page in place of the file"),
        (b"\xef\xbb\xbf\n  <html>", "is a web page in place of the file"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "is a web page in place of the file"),
        (gzip.compress(b"x" * 100, mtime=0), "is packed with gzip: unpack it first"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "is an HDF5 file, as Keras writes them"),
        (array(), "is a numpy array"),
        (encoded("PNG"), "is a PNG picture"),
        (encoded("JPEG"), "is a JPEG picture"),
        (b"GGUF\3\0\0\0", "is a GGUF file of quantised weights"),
        (b"PK\x03\x04" + b"\0" * 100, "is damaged: a zip archive whose end is missing"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_checkpoint_is_called_by_its_name(tmp_path, data, said, name):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(AcesError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path} {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"{", b"\0" * 5, b"\0" * 100, b"404: Not Found", b"\x80", b"PK"])
def test_short_files_are_damaged_at_most(tmp_path, data):
    path = tmp_path / "net.pth"
    path.write_bytes(data)
    with pytest.raises(AcesError, match=r"damaged|refused"):
        load(path)


def test_a_zip_of_something_else_holds_no_checkpoint(tmp_path):
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", array())
    with pytest.raises(AcesError, match=r"is damaged, or no checkpoint of torch"):
        load(path)


def test_weights_are_mistaken_for_nothing(tmp_path):
    for zipped in (True, False):
        path = saved(tmp_path / "net.pth", weights20(), _use_new_zipfile_serialization=zipped)
        assert mistaken(path, head_of(path)) is None
        assert protocol(path, head_of(path)) == 2
        assert not is_safetensors(head_of(path))
    assert is_safetensors(save({"a": torch.zeros(2)}))
