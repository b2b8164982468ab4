"""What lies beside the weights in a pickle, and is of no use here: read as nothing, so that nothing of it runs.

Training loops save numpy's numbers, their options and their paths beside the weights. ``weights_only`` refuses to
load what it does not know; under the names below it is given this class in place of what the file names.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Self

import torch

NAMES = (
    *(f"numpy.{core}.multiarray.{what}" for core in ("core", "_core") for what in ("scalar", "_reconstruct")),
    *("numpy.dtype", "numpy.ndarray", "_codecs.encode"),
    *("argparse.Namespace", "types.SimpleNamespace"),
    *(f"pathlib.{kind}" for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(f"pathlib._local.{kind}" for kind in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *("datetime.datetime", "datetime.timedelta", "datetime.date"),
)


class Inert:
    """Stands for anything, holds nothing, does nothing."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def beside_weights() -> AbstractContextManager[Any]:
    """While this is open, ``torch.load`` with ``weights_only`` puts ``Inert`` where a pickle names one of ``NAMES``."""
    names: list[Any] = [(Inert, name) for name in NAMES]  # torch's own type says less than it takes
    return torch.serialization.safe_globals(names)
