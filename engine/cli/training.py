"""``train``: a network and its card."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.options import UnitsOption, own_config
from engine.cli.printing import say
from engine.errors import AcesError
from engine.output import make_folder
from engine.units import check_sigma

if TYPE_CHECKING:
    from engine.datasets import DatasetCard
    from engine.models import Checkpoint
    from engine.training.fit import TrainingPlan
    from engine.training.selection import Selection

METHODS = (
    "standard (core networks), gaussian, smoothadv, macer, consistency, smoothadv-consistency, selection, denoiser."
)


def train(
    method: Annotated[str, typer.Argument(help=METHODS)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the checkpoint and its card.")],
    dataset: Annotated[str | None, typer.Option(help="fashion_mnist (the default), ...")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="A config that names pictures of your own: `train` under `data`, and those to test."),
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            help="See `models`, or FILE.py:FUNCTION; default: resnet8, of --preset fast resnet14x4-half; of a denoiser "
            "dncnn-half."
        ),
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(help="Weights to start from: a checkpoint, or an architecture that has published ones."),
    ] = None,
    sigma: Annotated[float, typer.Option(help="Training noise, in pixel units of [0, 1].")] = 0.0,
    preset: Annotated[
        str, typer.Option(help="paper (as published), demo (two CPU cores) or fast (their hours).")
    ] = "demo",
    epochs: Annotated[int | None, typer.Option(help="Instead of the preset's.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE instead of the preset's, such as lr=0.05 or attack=ddn; repeatable."),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(help="selection: the certification network that labels; it brings dataset, sigma and method."),
    ] = None,
    eta: Annotated[float, typer.Option(help="selection: the share of correct noisy answers that gives label 1.")] = 0.5,
    draws: Annotated[int | None, typer.Option(help="selection: noisy answers per image, not the preset's.")] = None,
    objective: Annotated[str, typer.Option(help="denoiser: mse, of its pixels, or stability, of the answer.")] = "mse",
    classifier: Annotated[
        Path | None, typer.Option(help="denoiser: the network that it stands before; it brings the dataset.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of initial weights, batches and noise.")] = 0,
    name: Annotated[str | None, typer.Option(help="Of the checkpoint; by default dataset-method-sigma.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
    units_are_right: UnitsOption = False,
) -> None:
    """Train a network and write its checkpoint and card. Interrupt it when you like: it goes on from the last epoch.

    Example: python -m engine train consistency --sigma 0.25 --set lam=10 -o models

    Example: python -m engine train selection --network models/net.safetensors --eta 0.95 -o models

    Example: python -m engine train denoiser --classifier models/core.safetensors --sigma 0.25 -o models

    Example: python -m engine train gaussian --config pets.yaml --sigma 0.25 -o models
    """
    from engine.training.fit import TrainingPlan
    from engine.training.presets import DRAWS, FAST_ARCHITECTURE, denoiser_preset, override
    from engine.training.presets import preset as find
    from engine.training.selection import Selection

    if not units_are_right:
        check_sigma(sigma, "--sigma")
    values = _values(settings or []) | ({} if epochs is None else {"epochs": str(epochs)})
    described = own_config(config, dataset)
    own = described.card_to_train() if described else None
    dataset = own.name if own else dataset or "fashion_mnist"
    teacher, selection = None, None
    if method == "denoiser":
        behind = _classifier(classifier, objective, own)
        dataset, method = behind.card.dataset, f"denoiser-{objective}"
        recipe, _ = override(denoiser_preset(preset, own or dataset), None, values)
        named = name or f"{dataset}-{method}-{sigma:g}"
        built = architecture or "dncnn-half"
        plan = TrainingPlan(named, method, dataset, built, sigma, recipe, None, seed, initial, own)
        say(str(_fit(plan, output, device, behind, None)))
        return
    architecture = architecture or (FAST_ARCHITECTURE if preset == "fast" else "resnet8")
    if method == "selection":
        teacher = _teacher(network, own)
        dataset, architecture = teacher.card.dataset, teacher.card.architecture
        method, sigma = _training(teacher)
        selection = Selection(eta, DRAWS.get(preset, 1) if draws is None else draws)
        name = name or f"{teacher.card.name}-selection-{eta:g}"
    recipe, hyper = override(*find(preset, method, own or dataset, sigma), values)
    name = name or f"{dataset}-{method}" + (f"-{sigma:g}" if sigma else "")
    plan = TrainingPlan(name, method, dataset, architecture, sigma, recipe, hyper, seed, initial, own)
    say(str(_fit(plan, output, device, teacher, selection)))


def _classifier(path: Path | None, objective: str, own: DatasetCard | None) -> Checkpoint:
    from engine.training.denoiser import OBJECTIVES

    if objective not in OBJECTIVES:
        raise AcesError(f"unknown objective '{objective}'; known: {', '.join(OBJECTIVES)}")
    if path is None:
        raise AcesError("a denoiser is trained before a classifier: name its checkpoint by --classifier")
    return _loaded(path, own)


def _loaded(path: Path, own: DatasetCard | None) -> Checkpoint:
    """A network for the dataset of the config, where there is one."""
    from engine.models import Hints, load

    found = load(path, Hints(dataset=own))
    if own is not None and found.card.dataset != own.name:
        raise AcesError(f"{path} is for {found.card.dataset}; the config is for {own.name}")
    return found


def _teacher(network: Path | None, own: DatasetCard | None) -> Checkpoint:
    from engine.models.files import is_torchscript

    if network is None:
        raise AcesError("a selection network learns from a certification network: name its checkpoint by --network")
    if is_torchscript(network):
        raise AcesError(f"{network} is a TorchScript file: it does not say how to build a network like it")
    return _loaded(network, own)


def _training(teacher: Checkpoint) -> tuple[str, float]:
    """How the certification network was trained, and so the selection network will be."""
    method, sigma = teacher.card.training, teacher.card.sigma_train
    if method is None or sigma is None:
        raise AcesError(f"nothing says how {teacher.card.name} was trained: load it with a card of its own first")
    return method, sigma


def _fit(
    plan: TrainingPlan, directory: Path, device: str, teacher: Checkpoint | None, selection: Selection | None
) -> Path:
    """Train under a progress bar; an interruption says what is kept."""
    from engine.cli.progress import TrainingBar
    from engine.training.denoiser import fit_denoiser
    from engine.training.fit import DENOISING, fit, state_file
    from engine.training.selection import fit_selection

    make_folder(directory)  # before an epoch is trained
    try:
        with TrainingBar(plan.recipe.epochs) as bar:
            if plan.method in DENOISING and teacher is not None:
                return fit_denoiser(teacher, plan, directory, device=device, report=bar)
            if teacher is None or selection is None:
                return fit(plan, directory, device=device, report=bar)
            return fit_selection(
                teacher, selection, plan, directory, device=device, report=bar, report_draws=bar.labelling
            )
    except KeyboardInterrupt:
        kept = state_file(directory, plan)
        where = f"{kept} holds the last whole epoch" if kept.exists() else "no epoch was begun"
        say(f"interrupted; {where}: the same command goes on from there", sys.stderr)
        raise SystemExit(130) from None  # all is said


def _values(settings: list[str]) -> dict[str, str]:
    """NAME=VALUE each. Raises ``AcesError`` that quotes what is not."""
    for setting in settings:
        if "=" not in setting:
            raise AcesError(f"--set {setting}: expected NAME=VALUE, for example --set lr=0.05")
    return dict(setting.split("=", 1) for setting in settings)
