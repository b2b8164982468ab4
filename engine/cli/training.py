"""``train``: a network and its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer


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
