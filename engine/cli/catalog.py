"""``runs``, ``import``, ``export``: what is in the catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cache.catalog import Catalog
from cache.store import Listing, Store
from engine.cli.options import CacheOption
from engine.cli.printing import print_table, say, warn
from engine.errors import AcesError
from engine.escape import terminal
from engine.names import LONGEST
from engine.records.runs import Meta, write_run


def list_runs(
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", help="Remove the stored run of exactly this name, broken or not; repeatable."),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """List the component runs: those of the store, and the demo that ships; or remove stored ones.

    Example: python -m engine runs --format json

    Example: python -m engine runs --remove my-run
    """
    if form not in ("table", "json"):
        raise AcesError(f"unknown format '{form}'; known: table, json")
    if remove:
        _remove(remove, cache)
        return
    found = Catalog(cache).listing()
    for place, message in found.broken.items():
        warn(f"{listed(place)} is skipped: {message}")
    if form == "json":
        print(json.dumps([meta.to_json() for meta in found.metas], indent=1))
    else:
        _print_runs(found.metas)


def import_runs(
    paths: Annotated[list[Path], typer.Argument(help="Run files (.npz), logs, or folders of either.")],
    dataset: Annotated[str | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    sigma: Annotated[float | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    alpha_of_log: Annotated[
        float | None, typer.Option(help="What Cohen-style logs were certified at; by default their radii tell.")
    ] = None,
    replace_existing: Annotated[bool, typer.Option("--replace", help="Replace runs of the same name.")] = False,
    cache: CacheOption = None,
) -> None:
    """Bring runs into the store: run files, folders of the ACES authors' logs, Cohen-style logs.

    All paths are read before anything is stored: a bad file changes nothing.

    Example: python -m engine import my-run.npz data/cifar10
    """
    from engine.published import import_logs

    found = import_logs(*paths, dataset=dataset, sigma=sigma, alpha=alpha_of_log)
    with Store(cache) as store:
        for run in found:
            store.put(run, replace=replace_existing)
            store.confirm(run)
            say(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")
            for note in _notes(run.meta):
                say(f"           {note}")


def export_run(
    run: Annotated[str, typer.Argument(help="A run's name or a unique prefix.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.")],
    cache: CacheOption = None,
) -> None:
    """Write a run as a run file (docs/formats.md).

    Example: python -m engine export fashion_mnist-core -o core.npz
    """
    write_run(Catalog(cache).load(run), output)


def _notes(meta: Meta) -> list[str]:
    """What an import had to infer or repair."""
    notes = [str(note) for note in meta.extra.get("notes", ())]
    inferred = meta.extra.get("inferred")
    return [*notes, f"inferred from the radii: {json.dumps(inferred)}"] if inferred else notes


def _print_runs(metas: list[Meta]) -> None:
    columns = ("name", "kind", "dataset", "training", "sigma", "n0", "n", "precision")
    print_table(
        columns, [(m.name, m.kind, m.dataset, m.network.training, m.sigma, m.n0, m.n, m.precision) for m in metas]
    )


def _remove(wanted: list[str], cache: Path | None) -> None:
    """Remove stored runs, all of them or none."""
    demo = {meta.name for meta in Catalog(cache).demo_metas()}
    with Store(cache) as store:
        there = store.listing() if store.exists else Listing([], {})
        held = [meta.name for meta in there.metas] + list(there.broken)
        names = list(dict.fromkeys(_stored(name, held, demo) for name in wanted))
        for name in names:
            store.remove(name)
            say(f"removed {listed(name)}; its draws are kept")


def _stored(wanted: str, held: list[str], demo: set[str]) -> str:
    """The stored run of exactly this name, or the one that is listed so: not every letter can be typed."""
    found = [wanted] if wanted in held else [name for name in held if listed(name) == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise AcesError(f"{len(found)} stored runs are listed as '{wanted}'")
    if wanted in demo:
        raise AcesError(f"'{wanted}' ships with the demo and cannot be removed; only stored runs can")
    raise AcesError(f"the store holds no run named '{listed(wanted)}'; `python -m engine runs` lists the runs")


def listed(name: str) -> str:
    """A stored name as it is listed, which may break every rule of names: on one line, cut where it is long."""
    return terminal(name if len(name) <= LONGEST else f"{name[:60]}…{name[-20:]}")
