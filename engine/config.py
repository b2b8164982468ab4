"""What to precompute, as a YAML file: validated before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import datasets
from engine.errors import AcesError

Positive = Annotated[int, Field(ge=1)]
AnyEntry = TypeVar("AnyEntry", bound="Entry")


class Entry(BaseModel):
    """A core network: a checkpoint that ``python -m engine train`` wrote. Paths are relative to the config file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoint: Path
    name: str | None = None


class SmoothedEntry(Entry):
    """A certification network and the noise levels to sample it at; by default the one it was trained with."""

    sigma: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] = ()


class Config(BaseModel):
    """Which images, how many draws, which networks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    split: Literal["train", "test"] = "test"
    every: Positive | None = None  # default: the paper's subset of the dataset
    limit: Positive | None = None
    n0: Positive = 100
    n: Positive = 10_000
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    certify: tuple[SmoothedEntry, ...] = ()
    core: tuple[Entry, ...] = ()

    def images(self) -> datasets.ImageSet:
        """The images that the config names."""
        every = self.every or datasets.card(self.dataset).every
        return datasets.load(self.dataset, self.split).every(every, self.limit)


def read_config(path: Path) -> Config:
    """Read a config; checkpoints become absolute. Raises ``AcesError`` that names the wrong key or missing file."""
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise AcesError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise AcesError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise AcesError(f"{path}: {where}: {first['msg']}") from error
    datasets.card(config.dataset)
    return config.model_copy(
        update={
            "certify": tuple(_found(path, entry) for entry in config.certify),
            "core": tuple(_found(path, entry) for entry in config.core),
        }
    )


def _found(path: Path, entry: AnyEntry) -> AnyEntry:
    checkpoint = (path.parent / entry.checkpoint).resolve()
    if not checkpoint.is_file():
        raise AcesError(f"{path}: no checkpoint at {checkpoint}; train it or correct the path")
    return entry.model_copy(update={"checkpoint": checkpoint})
