"""Where the weights of a run's network lie: what sampling needs again, and looking does not."""

from __future__ import annotations

from pathlib import Path

from engine import folders
from engine.errors import AcesError
from engine.names import file_in
from engine.records.runs import Meta


def places() -> list[Path]:
    """Where checkpoints are looked for: the demo, and one's own."""
    return [folders.demo(), folders.models()]


def weights_of(meta: Meta) -> Path:
    """The checkpoint of a run's network, by the network's name. Raises ``AcesError`` if it is in none of the folders.

    That its sha256 is the run's is for whoever loads it to check.
    """
    name = f"{meta.network.name or meta.name}.safetensors"
    for folder in places():
        if (found := file_in(folder, name)).is_file():  # a run's name must not lead out of the folder
            return found
    raise AcesError(
        f"the weights of '{meta.name}' are missing: put {name} into one of {', '.join(map(str, places()))}, or name "
        f"a checkpoint by its path"
    )
