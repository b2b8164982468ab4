"""Where the weights of a run's network lie: what sampling needs again, and looking does not."""

from __future__ import annotations

from pathlib import Path

from engine import folders
from engine.errors import AcesError
from engine.names import file_in
from engine.records.meta import Meta
from engine.records.origin import LIBRARIES

MOST_BYTES = 20_000_000_000  # of a checkpoint: the largest denoisers in use have 2 to 4
PUBLISHED = "published"  # in place of a path: the weights that an architecture's authors offer
DENOISED_SUFFIX = ".denoised.json"  # of a file that names a denoiser and a classifier


def file_names(name: str) -> tuple[str, ...]:
    """What the file of a network of that name may be called."""
    return f"{name}.safetensors", f"{name}{DENOISED_SUFFIX}"


def places() -> list[Path]:
    """Where checkpoints are looked for: the demo, and one's own."""
    return [folders.demo(), folders.models()]


def weights_of(meta: Meta) -> Path:
    """The checkpoint of a run's network: by the network's name, else where it was sampled from.

    Raises ``AcesError`` if it is in none of the folders.

    That its sha256 is the run's is for whoever loads it to check.
    """
    names = file_names(meta.network.name or meta.name)
    for folder in places():
        for name in names:
            if (found := file_in(folder, name)).is_file():  # a run's name must not lead out of the folder
                return found
    if meta.origin is not None:
        named = meta.origin.checkpoint
        if named.startswith(LIBRARIES) or named == PUBLISHED or Path(named).is_file():
            return Path(named)
    wanted = names["denoised" in meta.extra]
    raise AcesError(
        f"the weights of '{meta.name}' are missing: put {wanted} into one of {', '.join(map(str, places()))}, or name "
        f"a checkpoint by its path"
    )
