"""``denoise``: the file of a denoiser and a classifier that are one certification network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine import folders
from engine.cli.options import own_config
from engine.cli.printing import say
from engine.errors import AcesError
from engine.names import file_fault, file_in, quoted
from engine.output import make_folder
from engine.weights import DENOISED_SUFFIX, FFDNET, PUBLISHED


def denoise(
    denoiser: Annotated[
        str, typer.Option(help="A checkpoint of `train denoiser`, a folder of diffusers (a UNet), or ffdnet.")
    ],
    classifier: Annotated[Path, typer.Option(help="Any classifier: a checkpoint, or `published`.")],
    sigma: Annotated[float, typer.Option(help="The noise that is removed, in pixel units of [0, 1].")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the file.")],
    name: Annotated[str | None, typer.Option(help="Of the network; by default CLASSIFIER-denoised-SIGMA.")] = None,
    architecture: Annotated[str | None, typer.Option(help="Of the classifier, if its file does not tell.")] = None,
    dataset: Annotated[str | None, typer.Option(help="That the classifier is for, if its file does not tell.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="The config of the pictures that the classifier is for, where these are your own."),
    ] = None,
) -> None:
    """Put a denoiser before a classifier: a certification network without training one. Writes NAME.denoised.json.

    The file names both by name and sha256; they are looked for beside it, in the demo and in your folder of networks.

    Example: python -m engine denoise --denoiser ffdnet --classifier models/core.safetensors --sigma 0.25 -o models
    """
    from engine import datasets
    from engine.models import Hints
    from engine.models.denoised import load_denoised, write_denoised

    if name is not None and (wrong := file_fault(name)) is not None:
        raise AcesError(f"the name is {quoted(name)}; expected {wrong}")
    own = own_config(config, dataset)
    hints = Hints(name, architecture, own.card() if own else datasets.card(dataset) if dataset else None)
    made = load_denoised(denoiser, classifier, sigma, hints)
    if str(classifier) != PUBLISHED:
        _check_found(output, classifier)
    if denoiser != FFDNET:
        _check_found(output, Path(denoiser))
    make_folder(output)
    path = file_in(output, f"{made.card.name}{DENOISED_SUFFIX}")
    write_denoised(made, classifier, path)
    say(str(path))


def _check_found(output: Path, part: Path) -> None:
    """The file that is written finds its parts by name, in a few folders. Raises ``AcesError`` for another one."""
    places = [output, folders.demo(), folders.models()]
    if part.resolve().parent not in [place.resolve() for place in places]:
        raise AcesError(f"{part} must lie in {output}, where the file that names it is to lie: put it there first")
