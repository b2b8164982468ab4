"""Where the weights of a run's network lie: what sampling needs again, and looking does not."""

from __future__ import annotations

import os
from pathlib import Path

from cache.shelf import DEMO
from engine.errors import AcesError
from engine.runs import Meta


def folders() -> list[Path]:
    """Where checkpoints are looked for: the demo, and ``ACES_MODELS`` (default: ``models`` where one stands)."""
    return [Path(os.environ.get("ACES_DEMO", DEMO)), Path(os.environ.get("ACES_MODELS", "models"))]


def weights_of(meta: Meta) -> Path:
    """The checkpoint of a run's network, by the network's name. Raises ``AcesError`` if it is in none of the folders.

    That its sha256 is the run's is for whoever loads it to check.
    """
    name = f"{meta.network.name or meta.name}.safetensors"
    for folder in folders():
        if Path(name).name == name and (folder / name).is_file():  # a run's name must not lead out of the folder
            return folder / name
    raise AcesError(
        f"the weights of '{meta.name}' are missing: put {name} into one of {', '.join(map(str, folders()))}, or name "
        f"a checkpoint by its path"
    )
