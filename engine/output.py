"""What a user asked for, written to where the user said: a regular file, whole or not at all.

A file is written beside its place and renamed, so that an interruption or a full disk leaves what was there. Renaming
puts a file in the place of anything, a device of the system as well: what stands at a path is therefore looked at
first. A link is followed, and what it leads to is replaced.
"""

from __future__ import annotations

import io
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

from engine import files
from engine.errors import AcesError

SHOWN = 40  # letters of a name in that of the file that is being written


def write_file(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` in a folder that exists. Raises ``AcesError`` and changes nothing where it cannot."""
    try:
        _replace(_place(path), data)
    except OSError as error:
        raise AcesError(_refusal(path, error.strerror or str(error))) from error


def write_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a new folder with ``files`` by their places in it, all or nothing: it is made beside its own and renamed.

    Raises ``AcesError`` and changes nothing where it cannot, and where something stands there already.
    """
    place = path.absolute()
    partial = place.with_name(f".{place.name[:SHOWN]}.{secrets.token_hex(4)}.partial")
    try:
        if os.path.lexists(place):
            raise AcesError(_refusal(path, "something stands there"))
        partial.mkdir()
        for name, data in files.items():
            file = partial / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        partial.rename(place)
    except OSError as error:
        raise AcesError(_refusal(path, error.strerror or str(error))) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def confirm(path: Path, data: bytes) -> None:
    """Read back what was written: raises ``AcesError`` unless ``path`` still holds ``data``."""
    try:
        held = files.read(path, max(len(data), 1 << 20))
    except files.FileError as error:
        raise AcesError(f"{path} was written, but is gone now ({error}): write it again") from error
    if held != data:
        raise AcesError(f"{path} was written, but holds something else now: write it again")


def open_lock(path: Path) -> io.FileIO:
    """The file at ``path``, made if need be, to take a lock on. Raises ``AcesError`` for a link and what is no file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise AcesError(_refusal(path, error.strerror or str(error))) from error
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise AcesError(_refusal(path, files.kind_of_mode(mode)))
    return io.FileIO(descriptor, "r+")


def make_folder(path: Path) -> None:
    """Make sure that files can be put into the folder ``path``. Raises ``AcesError`` where they cannot."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        _partial(path / "writable").unlink()
    except FileExistsError as error:
        raise AcesError(f"cannot write into {path}: it is no folder") from error
    except OSError as error:
        raise AcesError(f"cannot write into {path}: {error.strerror or error}") from error


def _place(path: Path) -> Path:
    """Where the file is to stand, links followed. Raises ``AcesError`` where something else than a file stands."""
    try:
        place = path.resolve()
    except RuntimeError as error:  # a link that leads to itself
        raise AcesError(_refusal(path, "its links lead nowhere")) from error
    try:
        mode = place.stat().st_mode
    except FileNotFoundError:
        return _in_a_folder(path, place)
    if not stat.S_ISREG(mode):
        raise AcesError(_refusal(path, files.kind_of_mode(mode)))
    return place


def _in_a_folder(path: Path, place: Path) -> Path:
    if not place.parent.is_dir():
        raise AcesError(_refusal(path, f"there is no folder {place.parent}"))
    return place


def _refusal(path: Path, why: str) -> str:
    return f"cannot write {path}: {why}; name another place"


def _replace(place: Path, data: bytes) -> None:
    partial = _partial(place)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a disk may be found full only now
        if place.exists():
            partial.chmod(stat.S_IMODE(place.stat().st_mode))
        partial.replace(place)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _partial(place: Path) -> Path:
    """A new, empty file beside ``place``, under a name that nobody could have put a link under."""
    path = place.with_name(f".{place.name[:SHOWN]}.{secrets.token_hex(4)}.partial")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return path
