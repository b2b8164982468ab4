"""``models``, ``inspect``: which networks can be loaded, and what a checkpoint is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.options import own_config
from engine.cli.printing import print_table, say, warn
from engine.errors import AcesError
from engine.records.origin import Origin

if TYPE_CHECKING:
    from engine.models import Hints


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
    shown = [{**row, "parameters": f"{row['parameters']:,}", "macs": f"{row['macs']:.3g}"} for row in rows]
    print_table(list(shown[0]), [list(row.values()) for row in shown])
    print(
        "Also: module:function, FILE.py:function (your own), timm:NAME, transformers:DIR, TorchScript files (--trust)."
    )


def inspect(
    file: Annotated[Path, typer.Argument(help="A checkpoint of any known format, or a system.yaml.")],
    architecture: Annotated[str | None, typer.Option(help="If the weights alone should not tell it.")] = None,
    dataset: Annotated[str | None, typer.Option(help="The dataset it is for, if not its architecture's.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="The config of the pictures it is for, where these are your own.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="KEY", help="Which set of weights, where the file holds several.")
    ] = None,
    normalizer: Annotated[
        str | None, typer.Option(help="normalize, center, none, or MEAN/STD: 0.5/0.5, or 0.485,0.456,0.406/0.229,...")
    ] = None,
    probe: Annotated[float | None, typer.Option(help="Try all normalisers under noise of this sigma.")] = None,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Say what a checkpoint is: format, architecture, outputs, normaliser and why, parameters, sha256. Of a system.yaml
    its networks and settings, and what was measured when it was chosen.

    Nothing that the file brings is run: of a TorchScript file, which is code, it says no more than that.

    Example: python -m engine inspect pretrained-models/cifar10/gaussian/noise_0.25/checkpoint.pth.tar
    """
    from engine.single_image.system_file import facts as facts_of
    from engine.single_image.system_file import is_system, read_system

    if form not in ("text", "json"):
        raise AcesError(f"unknown format '{form}'; known: text, json")
    if is_system(file):
        _print_facts(facts_of(read_system(file)), form)
        return
    from engine import datasets
    from engine.models import Hints, load, read_normalizer
    from engine.models import probe as try_all
    from engine.models.files import is_torchscript

    own = own_config(config, dataset)
    hints = Hints(
        architecture=architecture,
        dataset=own.card() if own else datasets.card(dataset) if dataset else None,
        normalizer=read_normalizer(normalizer) if normalizer else None,
        weights=weights,
    )
    if is_torchscript(file):
        if probe is not None:
            raise AcesError(f"{file} is a TorchScript file: to try its normalisers is to run its code")
        _print_facts(_of_torchscript(file, hints), form)
        return
    if probe is None:
        checkpoint = load(file, hints)
    else:
        data = dataset or load(file, hints).card.dataset
        images = own.images() if own else datasets.load(data).every(datasets.card(data).every)
        checkpoint, scores = try_all(file, hints, images, probe)
        if scores.close:
            warn(f"the normalisers are too close to tell: {scores}; say which it is")
    facts: dict[str, Any] = {
        "format": checkpoint.format,
        "architecture": checkpoint.card.architecture,
        "dataset": None if hints.dataset is None and Origin("", architecture).runs_code else checkpoint.card.dataset,
        "outputs": checkpoint.outputs,
        "normalizer": f"{checkpoint.normalizer} ({checkpoint.why})",
        "parameters": sum(p.numel() for p in checkpoint.network.parameters()),
        "training": checkpoint.card.training,
        "sigma_train": checkpoint.card.sigma_train,
        "sha256": checkpoint.sha256,
    }
    for part, of in (checkpoint.parts or {}).items():
        facts[part] = of if form == "json" else ", ".join(str(value) for value in of.values() if value)
    _print_facts(facts, form)


def _of_torchscript(file: Path, hints: Hints) -> dict[str, Any]:
    """What can be said of code without running it."""
    from engine.models import Normalizer
    from engine.models.archive import archive
    from engine.models.checkpoint import torchscript_sha256

    entries = archive(file)
    kind = hints.normalizer or Normalizer.NONE
    return {
        "format": "TorchScript",
        "architecture": "its own code, which was not run: only --trust, or `trust: true` in a config, would run it",
        "code": ", ".join(ascii(name)[1:-1][:100] for name in entries.code[:5]) if entries else None,
        "bytes": file.stat().st_size,
        "outputs": None,
        "normalizer": str(kind),
        "sha256": torchscript_sha256(file, kind),
    }


def _print_facts(facts: dict[str, Any], form: str) -> None:
    if form == "json":
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        say(f"{name:13}{'not known' if value is None else value}")
