"""What a file is that is no checkpoint, told by its first bytes: a sentence in place of a parser's complaint."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from engine import files
from engine.errors import AcesError

HEAD = 1_024  # bytes that are looked at
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
PROTOCOL = 2  # of pickles that torch writes, unless it is asked otherwise, and reads without running them
PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"\x28\xb5\x2f\xfd": "zstandard",
}
OTHERS = {
    b"\x89HDF": "an HDF5 file, as Keras writes them",
    b"\x93NUMPY": "a numpy array",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"GGUF": "a GGUF file of quantised weights",
}
LFS = b"version https://git-lfs"


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with files.opened(path) as file:
        return file.read(HEAD)


def is_safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors do, whatever it is called: the length of a header, and its brace."""
    return head[8:9] == b"{" and head[5:8] == b"\0\0\0"


def mistaken(path: Path, head: bytes) -> str | None:
    """What is wrong with a file that cannot hold weights; None where that must be read. It ends with what to do."""
    if head.startswith(LFS):
        size = re.search(rb"\nsize (\d{1,15})\n", head)
        held = f" of {int(size[1]):,} bytes" if size else ""
        return f"a pointer of Git LFS in place of the file{held}: fetch it with `git lfs pull`"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "a web page in place of the file: download the file itself"
    for sign, name in PACKED.items():
        if head.startswith(sign):
            return f"packed with {name}: unpack it first"
    for sign, what in OTHERS.items():
        if head.startswith(sign):
            return f"{what}, which holds no weights that are read here"
    if head.startswith(ZIP):
        with files.opened(path) as file:
            if not files.ends_as_zip(file):
                return "damaged: a zip archive whose end is missing; download or copy it again"
    return None


def protocol(path: Path, head: bytes) -> int | None:
    """The pickle protocol of a file that ``torch.save`` wrote, either way; None of any other."""
    if head.startswith(ZIP):
        try:
            with files.opened(path) as file, files.unzipped(file) as archive:
                name = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
                if name is None:
                    return None
                with archive.open(name) as entry:
                    head = entry.read(2)
        except (AcesError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, RuntimeError):
            return None
    return head[1] if head.startswith(PICKLE) and len(head) > 1 else None
