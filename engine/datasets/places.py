"""Where datasets lie."""

from __future__ import annotations

import os
from pathlib import Path

DATA_ROOT = Path(__file__).resolve().parents[2] / "data"


def data_root() -> Path:
    """Where datasets lie and are downloaded to: ``ACES_DATA``, or ``data/`` beside the packages."""
    return Path(os.environ.get("ACES_DATA", DATA_ROOT))
