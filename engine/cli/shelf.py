"""``runs``, ``import``, ``export``: what is on the shelf."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from cache.shelf import Shelf
from cache.store import Store
from engine.cli.options import CacheOption
from engine.errors import AcesError
from engine.runs import Meta, write_run


def list_runs(
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    cache: CacheOption = None,
) -> None:
    """List the component runs: those of the store, and the demo that ships.

    Example: python -m engine runs --format json
    """
    if form not in ("table", "json"):
        raise AcesError(f"unknown format '{form}'; known: table, json")
    shelf = Shelf(cache)
    metas = shelf.metas()
    for path, message in shelf.broken.items():
        print(f"warning: {path} is skipped: {message}", file=sys.stderr)
    if form == "json":
        print(json.dumps([meta.to_json() for meta in metas], indent=1))
    else:
        _print_runs(metas)


def import_runs(
    paths: Annotated[list[Path], typer.Argument(help="Run files (.npz), logs, or folders of either.")],
    dataset: Annotated[str | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    sigma: Annotated[float | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    replace_existing: Annotated[bool, typer.Option("--replace", help="Replace runs of the same name.")] = False,
    cache: CacheOption = None,
) -> None:
    """Bring runs into the store: run files, folders of the ACES authors' logs, Cohen-style logs.

    All paths are read before anything is stored: a bad file changes nothing.

    Example: python -m engine import my-run.npz data/cifar10
    """
    from engine.published import import_logs

    found = import_logs(*paths, dataset=dataset, sigma=sigma)
    with Store(cache) as store:
        for run in found:
            store.put(run, replace=replace_existing)
            print(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")
            for note in _notes(run.meta):
                print(f"           {note}")


def export_run(
    run: Annotated[str, typer.Argument(help="A run's name or a unique prefix.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.")],
    cache: CacheOption = None,
) -> None:
    """Write a run as a run file (docs/formats.md).

    Example: python -m engine export fashion_mnist-core -o core.npz
    """
    loaded = Shelf(cache).load(run)
    try:
        write_run(loaded, output)
    except OSError as error:
        raise AcesError(f"cannot write {output}: {error.strerror}") from error


def _notes(meta: Meta) -> list[str]:
    """What an import had to infer or repair."""
    notes = [str(note) for note in meta.extra.get("notes", ())]
    inferred = meta.extra.get("inferred")
    return [*notes, f"inferred from the radii: {json.dumps(inferred)}"] if inferred else notes


def _print_runs(metas: list[Meta]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("name", "kind", "dataset", "training", "sigma", "n0", "n", "precision", box=None, pad_edge=False)
    for m in metas:
        cells = (m.network.training, m.sigma, m.n0, m.n, m.precision)
        grid.add_row(m.name, m.kind, m.dataset, *("" if cell is None else str(cell) for cell in cells))
    # A pipe has no width: names must stay whole for whoever reads them there.
    Console(width=None if sys.stdout.isatty() else 200).print(grid)
