"""Draws: what one noisy forward pass each leaves behind, in stream order. Numpy only; their bytes are a contract.

The bytes hold no more than k, the classes and the scores, little-endian, so equal draws give equal bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import AcesError

CHUNK = 250  # draws of one noise generator
BLOCK = 10 * CHUNK  # draws that the store keeps under one key

_HEADER = struct.Struct("<I")  # k
_CLASS, _SCORE = np.dtype("<u2"), np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class Draws:
    """k draws of one stream: ``classes`` uint16 [k], the predicted class; ``scores`` float32 [k], the selection score.

    Raises ``AcesError`` on another dtype or shape, and on unequal lengths. The arrays are frozen.
    """

    classes: npt.NDArray[np.uint16]
    scores: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        _freeze(self, "classes", np.dtype(np.uint16))
        _freeze(self, "scores", np.dtype(np.float32))
        if len(self.classes) != len(self.scores):
            raise AcesError(f"draws hold {len(self.classes)} classes and {len(self.scores)} scores; expected as many")

    def __len__(self) -> int:
        return len(self.classes)

    def first(self, k: int) -> Draws:
        """The first ``k`` draws. Asking for more than there are is a bug: they would be missing from the counts."""
        assert 0 <= k <= len(self), f"{k} of {len(self)} draws"
        return Draws(self.classes[:k], self.scores[:k])

    def after(self, k: int) -> Draws:
        """The draws behind the first ``k``."""
        assert 0 <= k <= len(self), f"{k} of {len(self)} draws"
        return Draws(self.classes[k:], self.scores[k:])


def concatenate(parts: Sequence[Draws]) -> Draws:
    """One stream from its consecutive parts; no parts give no draws."""
    return Draws(
        np.concatenate([np.empty(0, np.uint16), *(part.classes for part in parts)]),
        np.concatenate([np.empty(0, np.float32), *(part.scores for part in parts)]),
    )


def to_bytes(draws: Draws) -> bytes:
    """k as uint32, then the classes, then the scores, all little-endian."""
    return _HEADER.pack(len(draws)) + draws.classes.astype(_CLASS).tobytes() + draws.scores.astype(_SCORE).tobytes()


def from_bytes(data: bytes) -> Draws:
    """Read the bytes of draws. Raises ``AcesError`` unless their length is what their k asks."""
    k = _HEADER.unpack_from(data)[0] if len(data) >= _HEADER.size else 0
    expected = _HEADER.size + k * (_CLASS.itemsize + _SCORE.itemsize)
    if len(data) != expected:
        raise AcesError(f"{len(data)} bytes are no draws; expected {expected} for k = {k}")
    classes = np.frombuffer(data, _CLASS, k, _HEADER.size)
    scores = np.frombuffer(data, _SCORE, k, _HEADER.size + classes.nbytes)
    return Draws(classes.astype(np.uint16, copy=False), scores.astype(np.float32, copy=False))


def _freeze(draws: Draws, name: str, dtype: np.dtype[np.generic]) -> None:
    value = getattr(draws, name)
    if value.dtype != dtype or value.ndim != 1:
        raise AcesError(f"{name} of draws are {value.dtype} {list(value.shape)}; expected {dtype} [k]")
    frozen = value.view()  # a view: the caller's own array stays writeable
    frozen.flags.writeable = False
    object.__setattr__(draws, name, frozen)
