"""What arrays are called in signatures, and the number that stands for no class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

ABSTAIN = -1  # in place of a class: no answer
