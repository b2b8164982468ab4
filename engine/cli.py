"""``python -m engine COMMAND``: a thin function a command: parse, one call of the engine, print.

Heavy imports stay inside the commands that need them: ``table`` and ``outcomes`` never load torch.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from cache.shelf import Shelf
from cache.store import Store
from engine.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, Certificates, Correction, certify, predict
from engine.compose import Composition, compose
from engine.errors import AcesError
from engine.metrics import Convention, evaluate, standalone
from engine.runs import CoreRun, Meta, SelectionRun, SmoothedRun, write_run
from engine.tables import Format, Rows, metric_rows, outcome_rows, render, standalone_row

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

CacheOption = Annotated[
    Path | None, typer.Option("--cache", envvar="ACES_CACHE", help="The store's folder (default: cache/store).")
]
CertifyOption = Annotated[str, typer.Option("--certify", help="Certification run: its name or a unique prefix.")]
CoreOption = Annotated[str, typer.Option("--core", help="Core run: its name or a unique prefix.")]
SelectOption = Annotated[
    str | None, typer.Option("--select", help="Selection run; by default the certification run's own entropies.")
]
AlphaOption = Annotated[float, typer.Option(help="Failure probability of an answer, in (0, 1).")]
CorrectionOption = Annotated[Correction, typer.Option(help="How alpha is spent on the two bounds.")]


@app.callback()
def root() -> None:
    """Sample a smoothed classifier once, then certify for every threshold."""


@app.command("runs")
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


@app.command("import")
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


@app.command("export")
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


@app.command()
def table(
    certify_run: CertifyOption,
    core: CoreOption,
    select: SelectOption = None,
    theta: Annotated[str, typer.Option(help="Thresholds: 0,0.1,0.3 or first:last:step.")] = "0:1:0.1",
    radii: Annotated[str, typer.Option(help="Radii, l2 in pixel units.")] = "0,0.25,0.5,0.75,1.0,1.25,1.5",
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: CorrectionOption = DEFAULT_CORRECTION,
    convention: Annotated[
        Convention, typer.Option(help="paper: count abstentions at r = 0 as the printed tables do.")
    ] = Convention.ALGORITHM,
    form: Annotated[Format, typer.Option("--format")] = Format.MARKDOWN,
    cache: CacheOption = None,
) -> None:
    """NAC, ACR, certified accuracy and certified selection rate by threshold.

    Example: python -m engine table --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0:1:0.1
    """
    composition = _compose(Shelf(cache), certify_run, core, select)
    names = [part.strip() for part in radii.split(",")]
    metrics = evaluate(
        composition,
        parse_numbers(theta, "--theta"),
        alpha=alpha,
        correction=correction,
        radii=[float(number(name, "--radii")) for name in names],
        convention=convention,
    )
    _print_rows(metric_rows(metrics, names), form)


@app.command()
def smoothed(
    certify_run: CertifyOption,
    radii: Annotated[str, typer.Option(help="Radii, l2 in pixel units.")] = "0,0.25,0.5,0.75,1.0,1.25,1.5",
    alpha: AlphaOption = DEFAULT_ALPHA,
    form: Annotated[Format, typer.Option("--format")] = Format.MARKDOWN,
    cache: CacheOption = None,
) -> None:
    """The certification network alone, without ACES: the paper's triangles.

    Example: python -m engine smoothed --certify fashion_mnist-gaussian-0.5
    """
    run = Shelf(cache).load(certify_run, SmoothedRun.KIND)
    assert isinstance(run, SmoothedRun)
    names = [part.strip() for part in radii.split(",")]
    alone = standalone(run, alpha, [float(number(name, "--radii")) for name in names])
    _print_rows([standalone_row(alone, names)], form)


@app.command()
def outcomes(
    certify_run: CertifyOption,
    core: CoreOption,
    theta: Annotated[float, typer.Option(help="The threshold, in [0, 1].")],
    select: SelectOption = None,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: CorrectionOption = DEFAULT_CORRECTION,
    form: Annotated[Format, typer.Option("--format")] = Format.CSV,
    cache: CacheOption = None,
) -> None:
    """One row an image: what is answered at one threshold, and with which radius.

    Example: python -m engine outcomes --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0.3
    """
    composition = _compose(Shelf(cache), certify_run, core, select)
    answer: Certificates = certify(composition, [theta], alpha, correction)
    natural = predict(composition, [theta], alpha).prediction()[:, 0]
    _print_rows(outcome_rows(answer, natural, composition.score_median), form)


@app.command()
def precompute(
    config: Annotated[Path, typer.Argument(help="A YAML file that names images, draws and networks.")],
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    n: Annotated[int | None, typer.Option(help="Estimation draws an image, instead of the config's.")] = None,
    cache: CacheOption = None,
) -> None:
    """Sample what the config asks for and the store lacks. Interrupt it when you like: it goes on where it was.

    Example: python -m engine precompute engine/configs/demo.yaml --n 1000
    """
    from engine.config import read_config
    from engine.precompute import precompute as run_config
    from engine.progress import SamplingBar

    settings = read_config(config)
    if n is not None:
        if n < 1:
            raise AcesError(f"--n is {n}; at least 1 draw is needed")
        settings = settings.model_copy(update={"n": n})
    with Store(cache) as store, SamplingBar() as bar:
        made = run_config(settings, store, device=device, report=bar)
    for run in made:
        print(f"{run.meta.kind:9}  {run.meta.name}  ({len(run.index)} images)")


@app.command()
def train(
    method: Annotated[str, typer.Argument(help="standard (core networks) or gaussian.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the checkpoint and its card.")],
    dataset: Annotated[str, typer.Option(help="fashion_mnist.")] = "fashion_mnist",
    architecture: Annotated[str, typer.Option(help="resnet8, resnet14, resnet20, resnet110.")] = "resnet8",
    sigma: Annotated[float, typer.Option(help="Training noise, in pixel units of [0, 1].")] = 0.0,
    preset: Annotated[str, typer.Option(help="paper (as published) or demo (two CPU cores).")] = "demo",
    epochs: Annotated[int | None, typer.Option(help="Instead of the preset's.")] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights, batches and noise.")] = 0,
    name: Annotated[str | None, typer.Option(help="Of the checkpoint; by default dataset-method-sigma.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a network and write its checkpoint and card. Interrupt it when you like: it goes on from the last epoch.

    Example: python -m engine train gaussian --sigma 0.25 -o models
    """
    from engine.progress import TrainingBar
    from engine.training.fit import fit
    from engine.training.methods import recipe

    chosen = recipe(preset) if epochs is None else replace(recipe(preset), epochs=epochs)
    name = name or f"{dataset}-{method}" + (f"-{sigma:g}" if sigma else "")
    with TrainingBar(chosen.epochs) as bar:
        path = fit(
            method, dataset, architecture, sigma, chosen, output, name=name, seed=seed, device=device, report=bar
        )
    print(path)


def number(text: str, option: str) -> Decimal:
    """One number of an option. Raises ``AcesError`` that quotes it."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise AcesError(f"{option}: '{text.strip()}' is not a number")
    return value


def parse_numbers(text: str, option: str) -> list[float]:
    """``0,0.1,0.3`` or ``first:last:step`` (last included). Decimal arithmetic, so that 0:1:0.1 holds 0.3 itself.

    >>> parse_numbers("0:0.4:0.1", "--theta")
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    if ":" not in text:
        return [float(number(part, option)) for part in text.split(",")]
    parts = [number(part, option) for part in text.split(":")]
    if len(parts) != 3 or parts[2] <= 0 or parts[1] < parts[0]:
        raise AcesError(f"{option}: '{text}' is not first:last:step with a positive step, for example 0:1:0.1")
    first, last, step = parts
    if (last - first) / step > 100_000:
        raise AcesError(f"{option}: '{text}' names more than 100,000 values")
    return [float(first + i * step) for i in range(int((last - first) / step) + 1)]


def _compose(shelf: Shelf, certify_run: str, core: str, select: str | None) -> Composition:
    certification, core_run = shelf.load(certify_run, SmoothedRun.KIND), shelf.load(core, CoreRun.KIND)
    selection = shelf.load(select, SelectionRun.KIND) if select is not None else None
    assert isinstance(certification, SmoothedRun)
    assert isinstance(core_run, CoreRun)
    assert selection is None or isinstance(selection, SelectionRun)
    return compose(certification, core_run, selection)


def _notes(meta: Meta) -> list[str]:
    """What an import had to infer or repair."""
    notes = [str(note) for note in meta.extra.get("notes", ())]
    inferred = meta.extra.get("inferred")
    return [*notes, f"inferred from the radii: {json.dumps(inferred)}"] if inferred else notes


def _print_rows(rows: Rows, form: Format) -> None:
    sys.stdout.write(render(rows, form))


def _print_runs(metas: list[Meta]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table("name", "kind", "dataset", "training", "sigma", "n0", "n", "precision", box=None, pad_edge=False)
    for m in metas:
        cells = (m.network.training, m.sigma, m.n0, m.n, m.precision)
        grid.add_row(m.name, m.kind, m.dataset, *("" if cell is None else str(cell) for cell in cells))
    # A pipe has no width: names must stay whole for whoever reads them there.
    Console(width=None if sys.stdout.isatty() else 200).print(grid)


def main() -> None:
    """Run the command line; what the user can mend is one line on stderr and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except AcesError as error:
        status = _fail(str(error))
    except TyperException as error:  # unknown options and the like; without a message its help was printed
        status = _fail(f"{error.format_message()} See `python -m engine --help`.") if str(error) else 2
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; what was done is kept: the same command goes on from here", file=sys.stderr)
        status = 130
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    raise SystemExit(status)


def _fail(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2
