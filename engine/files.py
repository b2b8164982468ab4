"""The one place that opens a file which anybody may have made: a regular file, no larger than is read, else a sentence.

A pipe would be waited for, a device has no end, and a file that is far too large fills the memory before it is refused.
What stands at a path is therefore opened without waiting, asked what it is, and only then read.
"""

from __future__ import annotations

import io
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import IO, Any

from engine.errors import AcesError

KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISCHR, "it is a device"),
    (stat.S_ISBLK, "it is a device"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
)
SHOWN = 200  # letters of a path, or of somebody else's complaint, in a message
MOST_DIRECTORY = 8_000_000  # bytes of the list of entries of a zip archive: some 100,000 of them
END, END_64, LOCATOR_64 = 22, 56, 20  # bytes of what closes an archive


class FileError(AcesError):
    """A file that is none, is too large, or cannot be read; the message begins with its name."""


def kind_of_mode(mode: int) -> str:
    """What is no regular file, in words."""
    return next((said for kind, said in KINDS if kind(mode)), "it is no regular file")


def opened(path: Path, most: int | None = None, *, name: str | None = None, follow: bool = True) -> io.BufferedReader:
    """A regular file of at most ``most`` bytes, open for reading; ``name`` is what messages call it.

    ``follow``: whether a link may lead to it. Raises ``FileError``; nothing is waited for and nothing is read.
    """
    called = f"{shown(path)}:" if name is None else name
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW))
    except (OSError, ValueError) as error:  # ValueError: a NUL in its name
        raise FileError(f"{called} cannot be read ({reason(error)})") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise FileError(f"{called} is no file: {kind_of_mode(status.st_mode)}")
    if most is not None and status.st_size > most:
        os.close(descriptor)
        raise FileError(_too_large(called, most))
    return os.fdopen(descriptor, "rb")


def read(path: Path, most: int, *, name: str | None = None, follow: bool = True) -> bytes:
    """The content of a regular file of at most ``most`` bytes. Raises ``FileError`` as ``opened``."""
    called = f"{shown(path)}:" if name is None else name
    with opened(path, most, name=name, follow=follow) as file:
        try:
            expected = size(file) + 1
            data = file.read(expected)
            if len(data) == expected:  # it has grown, or is one of the system's, which have no size
                data += file.read(max(0, most + 1 - expected))
        except OSError as error:
            raise FileError(f"{called} cannot be read ({reason(error)})") from error
    if len(data) > most:
        raise FileError(_too_large(called, most))
    return data


def read_object(path: Path, most: int) -> dict[str, Any]:
    """The JSON object in a file of at most ``most`` bytes. Raises ``AcesError`` that begins with its name."""
    data = read(path, most)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:  # ValueError: also what is no UTF-8, and numbers of too many digits
        raise AcesError(f"{shown(path)} is damaged, or no JSON ({reason(error)})") from error
    if not isinstance(value, dict):
        raise AcesError(f"{shown(path)} is damaged: it is a {type(value).__name__}, not an object")
    return value


def size(file: IO[bytes]) -> int:
    """Bytes of an open file, as the system says."""
    return os.fstat(file.fileno()).st_size


def ends_as_zip(file: IO[bytes]) -> bool:
    """Whether an open file ends as a zip archive that can be read: zipfile's own answer is an error for some."""
    try:
        return zipfile.is_zipfile(file)
    except zipfile.BadZipFile:  # of several disks
        return False


def unzipped(file: IO[bytes]) -> zipfile.ZipFile:
    """An open file as a zip archive, whose list of entries is not too long to be held.

    Raises ``AcesError``, which does not name the file, for everything else.
    """
    try:
        if (listed := _directory(file)) > MOST_DIRECTORY:
            most = MOST_DIRECTORY / 1e6
            raise AcesError(f"a list of entries of {listed / 1e6:,.0f} MB; at most {most:.0f} MB are read")
        return zipfile.ZipFile(file)
    except AcesError:
        raise
    except Exception as error:  # on damaged bytes, zipfile raises errors of many kinds
        raise AcesError(reason(error)) from error


def reason(error: BaseException) -> str:
    """What an error of Python or of a library says, in one line that is no longer than is quoted.

    >>> reason(FileNotFoundError(2, "No such file or directory")), reason(AssertionError())
    ('No such file or directory', 'AssertionError')
    """
    said = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}…"


def shown(path: Path) -> str:
    """A path in a message: of a long one its end."""
    text = str(path)
    return text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"


def _too_large(called: str, most: int) -> str:
    return f"{called.removesuffix(':')}: more than {most / 1e6:,.0f} MB, which is not read"


def _directory(file: IO[bytes]) -> int:
    """Bytes of an archive's list of entries, as it says, found as ``zipfile`` finds it; 0 where there is none."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - (1 << 16) - END - LOCATOR_64 - END_64))
    tail = file.read()
    file.seek(0)
    last = len(tail) - END
    at = last if tail[last:].startswith(b"PK\5\6") and tail.endswith(b"\0\0") else tail.rfind(b"PK\5\6")
    if at < 0:
        return 0
    wide = tail[max(0, at - LOCATOR_64 - END_64) : max(0, at - LOCATOR_64)]
    if tail[max(0, at - LOCATOR_64) :].startswith(b"PK\6\7") and wide.startswith(b"PK\6\6"):
        return int.from_bytes(wide[40:48], "little")
    return int.from_bytes(tail[at + 12 : at + 16], "little")
