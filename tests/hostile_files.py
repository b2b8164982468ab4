"""What may stand where a file is expected, and archives that say more than they hold. Nothing large is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

HUGE = 3_000_000_000


def sparse(path: Path) -> None:
    """A hole of 3 GB, which takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(HUGE)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def loop(path: Path) -> None:
    path.symlink_to(path)


def nowhere(path: Path) -> None:
    path.symlink_to(path.parent / "not there")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


NO_FILES: dict[str, Callable[[Path], None]] = {
    make.__name__: make for make in (sparse, pipe, folder, device, loop, nowhere, empty, noise)
}


def declared(archive: bytes, entry: str, size: int) -> bytes:
    """A zip archive whose list says that ``entry`` unpacks to ``size`` bytes."""
    at = archive.rfind(b"PK\1\2", 0, archive.rfind(entry.encode()))
    return archive[: at + 24] + size.to_bytes(4, "little") + archive[at + 28 :]
