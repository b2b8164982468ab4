"""The one reader of npz files: plain arrays, whose sizes are added up before anything is unpacked."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Collection, Mapping
from typing import IO

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.files import reason, unzipped

SUFFIX = ".npy"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def names(file: IO[bytes]) -> list[str]:
    """The arrays in an open file. Raises ``AcesError``, which does not name the file, where it is no archive."""
    with _archive(file) as archive:
        return [name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)]


def read_arrays(
    file: IO[bytes], only: Collection[str], most: int, longest: Mapping[str, int] | None = None
) -> dict[str, Array]:
    """The arrays ``only`` of these names in an open file, which has at most ``most`` bytes unpacked.

    ``longest``: the most bytes of some of them. Others are not unpacked. Nothing is unpickled: an array of objects is
    refused under any name. Raises ``AcesError``, which does not name the file.
    """
    with _archive(file) as archive:
        held = sum(entry.file_size for entry in archive.infolist())
        if held > most:
            raise AcesError(f"{held / 1e6:,.0f} MB unpacked; at most {most / 1e6:,.0f} MB are read")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # numpy remarks on headers that Python 2 wrote
                return {name: _loaded(archive, name, longest or {}) for name in _checked(archive, only)}
        except AcesError:
            raise
        except Exception as error:  # damaged bytes raise zlib.error, struct.error, ValueError, MemoryError, ...
            raise _unreadable(error) from error


def _archive(file: IO[bytes]) -> zipfile.ZipFile:
    try:
        return unzipped(file)
    except AcesError as error:
        raise _unreadable(error) from error


def _checked(archive: zipfile.ZipFile, only: Collection[str]) -> list[str]:
    """The arrays that are wanted, by name, after a look at the head of each, wanted or not."""
    found = []
    for entry in archive.infolist():
        if not entry.filename.endswith(SUFFIX):
            continue
        with archive.open(entry) as part:
            shape, _, kind = HEADERS[np.lib.format.read_magic(part)](part)
            if kind.hasobject:
                raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
            if math.prod(shape) * kind.itemsize + part.tell() != entry.file_size:
                raise ValueError(f"{entry.filename} has other bytes than its shape {shape} needs")
        name = entry.filename.removesuffix(SUFFIX)
        if name in only:
            found.append(name)
    return found


def _loaded(archive: zipfile.ZipFile, name: str, longest: Mapping[str, int]) -> Array:
    entry = archive.getinfo(name + SUFFIX)
    if entry.file_size > longest.get(name, entry.file_size):
        raise AcesError(f"{name} has {entry.file_size:,} bytes; at most {longest[name]:,} are read")
    with archive.open(entry) as part:
        value: Array = np.lib.format.read_array(part, allow_pickle=False)
    return value


def _unreadable(error: Exception) -> AcesError:
    return AcesError(f"not a readable npz file ({reason(error)})")
