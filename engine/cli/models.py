"""``models``, ``inspect``: which networks can be loaded, and what a checkpoint is."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import AcesError


def list_models(
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """List the architectures that can be loaded: whose they are, for which images, how large.

    Example: python -m engine models
    """
    from engine.models import ARCHITECTURES

    if form not in ("table", "json"):
        raise AcesError(f"unknown format '{form}'; known: table, json")
    rows = [
        {
            "name": a.name,
            "paper": a.paper,
            "dataset": a.dataset,
            "pixels": a.size,
            "parameters": a.parameters,
            "macs": a.macs,
            "normalizer": a.normalizer.value,
            "weights": "published" if a.weights else "from a file",
            "about": a.about,
        }
        for a in ARCHITECTURES.values()
    ]
    if form == "json":
        print(json.dumps(rows, indent=1))
        return
    _print_table([{**row, "parameters": f"{row['parameters']:,}", "macs": f"{row['macs']:.3g}"} for row in rows])
    print("Also: module:function (your own), timm:NAME (where timm is installed), TorchScript files.")


def inspect(
    file: Annotated[Path, typer.Argument(help="A checkpoint of any known format.")],
    architecture: Annotated[str | None, typer.Option(help="If the weights alone should not tell it.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The dataset it is for, if not its architecture's.")] = None,
    normalizer: Annotated[str | None, typer.Option(help="normalize, center or none.")] = None,
    probe: Annotated[float | None, typer.Option(help="Try all normalisers under noise of this sigma.")] = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Say what a checkpoint is: format, architecture, outputs, normaliser and why, parameters, sha256. Nothing runs.

    Example: python -m engine inspect pretrained-models/cifar10/gaussian/noise_0.25/checkpoint.pth.tar
    """
    from engine import datasets
    from engine.models import Hints, Normalizer, load
    from engine.models import probe as try_all

    if form not in ("text", "json"):
        raise AcesError(f"unknown format '{form}'; known: text, json")
    if normalizer is not None and normalizer not in list(Normalizer):
        raise AcesError(f"unknown normalizer '{normalizer}'; known: {', '.join(Normalizer)}")
    hints = Hints(
        architecture=architecture,
        dataset=datasets.card(dataset) if dataset else None,
        normalizer=Normalizer(normalizer) if normalizer else None,
    )
    if probe is None:
        checkpoint = load(file, hints)
    else:
        data = dataset or load(file, hints).card.dataset
        checkpoint, scores = try_all(file, hints, datasets.load(data).every(datasets.card(data).every), probe)
        if scores.close:
            print(f"warning: the normalisers are too close to tell: {scores}; say which it is", file=sys.stderr)
    facts: dict[str, Any] = {
        "format": checkpoint.format,
        "architecture": checkpoint.card.architecture,
        "dataset": checkpoint.card.dataset,
        "outputs": checkpoint.outputs,
        "normalizer": f"{checkpoint.normalizer} ({checkpoint.why})",
        "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "training": checkpoint.card.training,
        "sigma_train": checkpoint.card.sigma_train,
        "sha256": checkpoint.sha256,
    }
    if form == "json":
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        print(f"{name:13}{'not known' if value is None else value}")


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    grid = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*map(str, row.values()))
    Console(width=None if sys.stdout.isatty() else 200).print(grid)
