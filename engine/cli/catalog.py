"""``runs``, ``label``, ``import``, ``export``: what is in the catalog."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cache.catalog import Catalog
from cache.notes import Notes, checked
from cache.store import Listing, Store
from cache.trash import Trash
from engine.cli.options import CacheOption, UnitsOption
from engine.cli.printing import print_table, say, warn
from engine.errors import AcesError
from engine.escape import terminal
from engine.names import LONGEST, quoted
from engine.records.meta import Meta
from engine.records.runs import CoreRun, Run, SmoothedRun, write_run

if TYPE_CHECKING:
    from engine.published import Taken

MEASURES = ("nac", "acr", "best")  # by which runs are sorted, beside their names
Measured = Mapping[str, dict[str, Any]]  # of runs by name: NAC, ACR and the best front point, None for none
MEASURED = ("NAC %", "ACR", "best ACR", "its NAC %", "at θ", "with core")
NAMED = 3  # reasons that a message gives


def list_runs(
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", help="Remove the stored run of exactly this name, broken or not; repeatable."),
    ] = None,
    restore: Annotated[
        list[str] | None,
        typer.Option("--restore", help="Bring back the run of this name that the dashboard deleted; repeatable."),
    ] = None,
    deleted: Annotated[bool, typer.Option("--deleted", help="List what can be restored.")] = False,
    metrics: Annotated[
        bool,
        typer.Option(
            "--metrics", help="With NAC and ACR of each network alone and its best front point, as on the page Runs."
        ),
    ] = False,
    sort: Annotated[
        str,
        typer.Option(help="name; nac, acr or best (best ACR), the largest first, with --metrics."),
    ] = "name",
    empty_trash: Annotated[bool, typer.Option("--empty-trash", help="Remove what was deleted for good.")] = False,
    cache: CacheOption = None,
) -> None:
    """List the component runs: those of the store, and the demo that ships; or remove and restore stored ones.

    Best is, of a certification run composed with the most accurate core network, the largest ACR among the thresholds
    whose NAC lies at least halfway from the certification network's alone to the core network's accuracy.

    What the dashboard deletes stays in the store's trash until it is restored or the trash is emptied; --remove is for
    good.

    Example: python -m engine runs --format json

    Example: python -m engine runs --sort acr

    Example: python -m engine runs --remove my-run

    Example: python -m engine runs --restore my-run
    """
    if form not in ("table", "json"):
        raise AcesError(f"unknown format '{form}'; known: table, json")
    if sort not in ("name", *MEASURES):
        raise AcesError(f"unknown order '{sort}'; known: name, {', '.join(MEASURES)}")
    if sum(map(bool, (remove, restore, deleted, empty_trash))) > 1:
        raise AcesError("of --remove, --restore, --deleted and --empty-trash one at a time")
    if remove:
        _remove(remove, cache)
    elif restore or deleted or empty_trash:
        _trash(restore or [], cache, empty=empty_trash)
    else:
        _list(form, cache, sort, with_metrics=metrics or sort in MEASURES)


def _list(form: str, cache: Path | None, sort: str, *, with_metrics: bool) -> None:
    catalog = Catalog(cache)
    found = catalog.listing()
    for place, message in found.broken.items():
        warn(f"{listed(place)} is skipped: {message}")
    measured = _measured(catalog, found) if with_metrics else {}
    metas = found.metas
    if sort in MEASURES:
        metas = sorted(metas, key=lambda meta: _largest_first(_worth(measured.get(meta.name, {}), sort)))
    if form == "json":
        print(json.dumps([meta.to_json() | measured.get(meta.name, {}) for meta in metas], indent=1))
    else:
        _print_runs(replace(found, metas=metas), measured)


def _measured(catalog: Catalog, found: Listing) -> Measured:
    """NAC, ACR and the best front point of every run that can be read, as the page Runs has them."""
    from engine.figures.headlines import headline

    measured: dict[str, dict[str, Any]] = {}
    cores: dict[str, list[CoreRun]] = {}
    for meta in found.shown:
        if meta.kind == CoreRun.KIND:
            with suppress(AcesError):  # it is told of below
                cores.setdefault(meta.dataset, []).append(cast(CoreRun, catalog.load(meta.name)))
    for meta in found.metas:
        try:
            run = catalog.load(meta.name)
            measured[meta.name] = headline(run)._asdict() | {"best": _best(run, cores.get(meta.dataset, []))}
        except AcesError as error:
            warn(f"{listed(meta.name)} has no NAC and ACR: {error}")
    return measured


def _best(run: Run, cores: list[CoreRun]) -> dict[str, Any] | None:
    """A run's best front point, None where it has none."""
    from engine.figures.headlines import best_point, most_accurate

    core = most_accurate(run, cores) if isinstance(run, SmoothedRun) else None
    if core is None or not isinstance(run, SmoothedRun):
        return None
    try:
        found = best_point(run, core)
    except AcesError:  # of draws too few to select by
        return None
    return None if found is None else found._asdict()


def _worth(measured: Mapping[str, Any], sort: str) -> float | None:
    """By what a run is sorted: of the best front point its ACR."""
    value = measured.get(sort)
    return value["acr"] if isinstance(value, dict) else value


def _largest_first(value: float | None) -> float:
    return math.inf if value is None else -value


def _trash(restore: list[str], cache: Path | None, *, empty: bool) -> None:
    """Restore runs, else empty the trash or list it."""
    trash = Trash.at(Store(cache).directory)
    if restore:
        for name in restore:
            say(f"restored {listed(trash.restore_name(name))}")
    elif empty:
        say(f"removed {trash.empty()} deleted runs for good")
    else:
        times = ((one.name, f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M} UTC") for one in trash.listing())
        print_table(("name", "deleted"), times)


def label_run(
    run: Annotated[str, typer.Argument(help="A run's name or a unique prefix.")],
    text: Annotated[str | None, typer.Argument(help='What legends and tables call it; "" for its name.')] = None,
    collection: Annotated[str | None, typer.Option(help='The study it belongs to; "" for none of its own.')] = None,
    hide: Annotated[bool | None, typer.Option("--hide/--show", help="Whether the explorer passes over it.")] = None,
    cache: CacheOption = None,
) -> None:
    """Give a run a short label, put it into a collection, hide it from the explorer or show it again.

    All of this is kept in the store beside the run, also of the demo's runs; run files and digests do not change.

    Example: python -m engine label cifar10-gaussian-0.25 "Gaussian, small noise"
    """
    name = Catalog(cache).resolve(run).name
    said = {"label": text, "collection": collection, "hidden": hide}
    changed = {what: value for what, value in said.items() if value is not None}
    if not changed:
        raise AcesError(f"nothing to note of {quoted(name)}: give a label, --collection, --hide or --show")
    Notes.at(Store(cache).directory).change([name], **changed)
    say(f"noted of {listed(name)}: {', '.join(f'{what} {value!r}' for what, value in changed.items())}")


def import_runs(
    paths: Annotated[list[Path], typer.Argument(help="Run files (.npz), logs, or folders of either.")],
    dataset: Annotated[str | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    sigma: Annotated[float | None, typer.Option(help="Of logs whose folders do not say it.")] = None,
    alpha_of_log: Annotated[
        float | None, typer.Option(help="What Cohen-style logs were certified at; by default their radii tell.")
    ] = None,
    replace_existing: Annotated[bool, typer.Option("--replace", help="Replace runs of the same name.")] = False,
    units_are_right: UnitsOption = False,
    collection: Annotated[
        str | None,
        typer.Option(help="The study they belong to, of which the explorer looks at one; by default a folder's name."),
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Bring runs into the store: run files, the ACES authors' logs, Cohen-style logs, class counts, trees of them.

    All paths are read before anything is stored: a bad file among named ones changes nothing. In folders, what gives no
    run is named, and the others are imported.

    Example: python -m engine import my-run.npz data/cifar10 --collection "ACES, 2022"
    """
    from engine.published import take

    study = _study(paths) if collection is None else checked(collection, "collection")

    found = take(*paths, dataset=dataset, sigma=sigma, alpha=alpha_of_log, units_are_right=units_are_right)
    several = any(path.is_dir() for path in paths)
    if found.passed and not several:
        raise AcesError((*found.wrong, *found.passed)[0].reason)
    refused = [one.reason for one in found.wrong]
    with Store(cache) as store:
        stored: list[Run] = []
        for run in found.runs:
            try:
                store.put(run, replace=replace_existing)
            except AcesError as error:
                if not several:
                    raise
                refused.append(str(error))
                continue
            store.confirm(run)
            stored.append(run)
            say(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")
            for note in _notes(run.meta):
                say(f"           {note}")
        notes = Notes(store.runs)
        noted = notes.every()
        names = [run.meta.name for run in stored]
        if collection is None:  # where somebody has said one, it stays
            names = [name for name in names if name not in noted or not noted[name].collection]
        if study or collection is not None:
            notes.change(names, collection=study)
    _say_rest(found, stored, refused, several)


def _say_rest(found: Taken, stored: list[Run], refused: list[str], several: bool) -> None:
    """What was passed over and why, and how much came of it all. Raises ``AcesError`` where a log should have come."""
    reasons = [*refused, *(one.reason for one in found.passed if not one.wrong)]
    if not stored:
        raise AcesError(reasons[0] if len(reasons) == 1 else _nothing(reasons))
    for reason in reasons:
        warn(reason)
    for note in found.notes:
        say(note)
    if several:
        kinds = Counter(run.meta.kind for run in stored)
        of = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        say(f"imported {_counted(len(stored), 'run')} ({of}); {_counted(len(reasons), 'log')} gave none")
    if refused:
        raise AcesError(f"{_counted(len(refused), 'log')} could not be imported; the others were")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _nothing(reasons: list[str]) -> str:
    if not reasons:
        return "no logs here; expected X_certification and the like, logs that begin 'idx', or class counts"
    more = f"; and {len(reasons) - NAMED:,} more" if len(reasons) > NAMED else ""
    return f"nothing could be imported: {'; '.join(reasons[:NAMED])}{more}"


def export_run(
    run: Annotated[str, typer.Argument(help="A run's name or a unique prefix.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The run file to write.")],
    cache: CacheOption = None,
) -> None:
    """Write a run as a run file (docs/formats.md).

    Example: python -m engine export fashion_mnist-core -o core.npz
    """
    write_run(Catalog(cache).load(run), output)


def _study(paths: list[Path]) -> str:
    """The collection of what is imported from one folder: the folder's name, if that can be one; else none."""
    if len(paths) != 1 or not paths[0].is_dir():
        return ""
    try:
        return checked(paths[0].resolve().name, "collection")
    except AcesError:
        return ""


def _notes(meta: Meta) -> list[str]:
    """What an import had to infer or repair."""
    notes = [str(note) for note in meta.extra.get("notes", ())]
    inferred = meta.extra.get("inferred")
    return [*notes, f"inferred from the radii: {json.dumps(inferred)}"] if inferred else notes


def _print_runs(found: Listing, measured: Measured) -> None:
    own: tuple[str, ...] = ("name", "kind", "dataset", "training", "sigma", "n0", "n", "precision")
    columns = (*own, *(MEASURED if measured else ()), "collection", "label")
    rows = []
    for m in found.metas:
        note = found.note(m.name)
        said = " ".join(part for part in (note.label, "(hidden)" if note.hidden else "") if part)
        facts = (m.name, m.kind, m.dataset, m.network.training, m.sigma, m.n0, m.n, m.precision)
        values = measured.get(m.name, {})
        shown = _shown(values) if measured else ()
        rows.append((*facts, *shown, note.collection, said))
    print_table(columns, rows)


def _shown(values: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The cells of ``MEASURED``."""
    best = values.get("best") or {}
    point = _rounded(best.get("acr"), 3), _rounded(best.get("nac"), 1), _rounded(best.get("theta"), 3), best.get("core")
    return (_rounded(values.get("nac"), 1), _rounded(values.get("acr"), 3), *point)


def _rounded(value: float | None, decimals: int) -> str | None:
    return None if value is None else f"{value:.{decimals}f}"


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
