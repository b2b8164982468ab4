"""``precompute``: sampling what a config asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache.store import Store
from engine.cli.options import CacheOption
from engine.errors import AcesError


def precompute(
    config: Annotated[Path, typer.Argument(help="A YAML file that names images, draws and networks.")],
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    n: Annotated[int | None, typer.Option(help="Estimation draws an image, instead of the config's.")] = None,
    every: Annotated[int | None, typer.Option(help="Every so-many-th image, instead of the config's.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many images, instead of the config's.")] = None,
    cache: CacheOption = None,
) -> None:
    """Sample what the config asks for and the store lacks. Interrupt it when you like: it goes on where it was.

    Example: python -m engine precompute engine/configs/demo.yaml --n 1000
    """
    from engine.config import read_config
    from engine.precompute import precompute as run_config
    from engine.progress import SamplingBar

    settings = read_config(config)
    changes = {name: value for name, value in (("n", n), ("every", every), ("limit", limit)) if value is not None}
    for name, value in changes.items():
        if value < 1:
            raise AcesError(f"--{name} is {value}; it must be at least 1")
    settings = settings.model_copy(update=changes)
    with Store(cache) as store, SamplingBar() as bar:
        made = run_config(settings, store, device=device, report=bar)
    for run in made:
        print(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")
