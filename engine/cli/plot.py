"""``plot``: a figure of the dashboard as a file."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cache.catalog import Catalog
from engine.cli.options import (
    AlphaOption,
    AnyCorrectionOption,
    BoundOption,
    CacheOption,
    SelectOption,
    VotesOption,
    bound_or_default,
    check_one_selection,
    correction_or_default,
    parse_numbers,
    read_then,
)
from engine.cli.printing import print_table, say, warn
from engine.errors import AcesError
from engine.output import make_folder
from engine.statistics.aces import DEFAULT_ALPHA
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention
from engine.statistics.thresholds import check_thresholds

if TYPE_CHECKING:
    from engine.figures.drawing import FigureOptions
    from engine.figures.numbers import Numbers
    from engine.figures.settings import Settings

MEASURES = ("acr", "certified")
LIST, ALL = "list", "all"


def plot(
    figure: Annotated[str, typer.Argument(help=f"Which one; `plot {LIST}` names them, `plot {ALL}` draws them all.")],
    certify_run: Annotated[
        str | None, typer.Option("--certify", help="Certification run: its name or a unique prefix.")
    ] = None,
    core: Annotated[str | None, typer.Option("--core", help="Core run: its name or a unique prefix.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The file, whose ending says svg, pdf, png, html or csv; of all of them a folder."
        ),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="CERTIFY[,CORE[,SELECT]]",
            help="Another composition beside it, with the same core network unless another is named; repeatable.",
        ),
    ] = None,
    select: SelectOption = None,
    then: Annotated[
        str | None,
        typer.Option("--then", metavar="RUN[,THETA[,VOTES]]", help="A second stage of the first composition."),
    ] = None,
    theta: Annotated[float | None, typer.Option(help="The threshold. [default: 0.3]")] = None,
    p0: Annotated[
        float | None, typer.Option("--p0", help="In place of --theta: the share of the votes for the class.")
    ] = None,
    radius: Annotated[float, typer.Option(help="The radius r, l2 (uniform noise: l1) in pixel units.")] = 0.25,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: AnyCorrectionOption = None,
    votes: VotesOption = MAJORITY,
    bound: BoundOption = None,
    convention: Annotated[
        Convention, typer.Option(help="paper: as the printed tables, with their bound and correction.")
    ] = Convention.ALGORITHM,
    thetas: Annotated[
        str | None, typer.Option(help="Thresholds of lines or marks: 0.1,0.3 or first:last:step.")
    ] = None,
    radii: Annotated[str | None, typer.Option(help="Radii of panels: 0.5,1.0.")] = None,
    image: Annotated[int | None, typer.Option(help="The image by its index, of figures of one.")] = None,
    nac: Annotated[
        float | None,
        typer.Option(help="A natural accuracy in percent: circles the best point there, or compares steps at it."),
    ] = None,
    measure: Annotated[
        str | None, typer.Option(metavar=f"<{'|'.join(MEASURES)}>", help="What stands for robustness on a front.")
    ] = None,
    best_t: Annotated[bool, typer.Option("--best-t", help="Fronts at the best share of votes everywhere.")] = False,
    paper: Annotated[
        list[str] | None, typer.Option("--paper", help="A series of the paper's tables beside it; repeatable.")
    ] = None,
    width: Annotated[float | None, typer.Option(help="In inches.", min=1, max=20)] = None,
    height: Annotated[float | None, typer.Option(help="In inches.", min=1, max=20)] = None,
    size: Annotated[float, typer.Option(help="Of the letters, in points.", min=4, max=40)] = 8.0,
    serif: Annotated[bool | None, typer.Option("--serif/--sans", help="The font of the letters.")] = None,
    dark: Annotated[bool, typer.Option("--dark", help="In the colours of the dark scheme.")] = False,
    form: Annotated[str | None, typer.Option(help="Of the files of `plot all`. [default: svg]")] = None,
    cache: CacheOption = None,
) -> None:
    """Draw a figure of the dashboard into a file, with the pages' own code: for a paper (svg, pdf), to zoom (html), as
    numbers (csv).

    Example: python -m engine plot front --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core -o fig1.svg

    Example: python -m engine plot figure-3 --certify cifar10-gaussian-0.25 --core cifar10-core -o fig3.pdf

    Example: python -m engine plot all --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core -o figures
    """
    from engine.figures.drawing import FIGURES, FigureOptions, draw_view, figure_card
    from engine.figures.numbers import Numbers
    from engine.figures.vector import Look
    from engine.figures.views import Axis

    if figure == LIST:
        _list()
        return
    if figure != ALL:
        figure_card(figure)
    if certify_run is None or core is None or output is None:
        missing = {"--certify": certify_run, "--core": core, "-o": output}
        raise AcesError(f"plot {figure} needs {', '.join(name for name, value in missing.items() if value is None)}")
    places = _places(figure, output, form, with_image=image is not None)
    if measure is not None and measure not in MEASURES:
        raise AcesError(f"--measure is '{measure}'; known: {', '.join(MEASURES)}")
    at = check_one_selection(theta, p0, select, votes)
    catalog = Catalog(cache)
    numbers = Numbers(catalog)
    settings = _view(numbers, certify_run, core, select, then, beside or [], 0.3 if at is None else at, p0 is not None)
    settings = _on_terms(
        settings, radius, alpha, correction, votes, bound, convention, paper or [], catalog.listing().called
    )
    asked = FigureOptions(
        None if radii is None else tuple(parse_numbers(radii, "--radii")),
        None if thetas is None else tuple(parse_numbers(thetas, "--thetas")),
        image,
        nac,
        None if measure is None else Axis.ACR if measure == MEASURES[0] else Axis.CERTIFIED,
        best_t or None,
    )
    _check_thresholds(settings, asked)
    command = shlex.join(["aces", *sys.argv[1:]])
    digests = {run: catalog.fingerprint(run) for run in settings.runs}
    for name, path in places.items():
        of = asked if figure != ALL else _useful(asked, FIGURES[name].takes)
        try:
            drawing = draw_view(name, numbers, settings, of, digests, dark=dark, command=command)
        except AcesError as error:
            if figure != ALL:
                raise
            warn(f"{name} is not drawn: {error}")
            continue
        own = drawing.look
        drawing.save(path, Look(width or own.width, height or own.height, own.serif if serif is None else serif, size))
        for sentence in drawing.missing:
            say(f"{name}: {sentence}" if figure == ALL else sentence, sys.stderr)


def _places(figure: str, output: Path, form: str | None, *, with_image: bool) -> dict[str, Path]:
    """The files to write by the figures' names: one, or of all of them each in a folder."""
    from engine.figures.drawing import FIGURES, FORMS, check_form

    if form is not None and form not in FORMS:
        raise AcesError(f"--form is '{form}'; known: {', '.join(FORMS)}")
    if figure != ALL:
        if form is not None:
            raise AcesError(f"--form is of the files of `plot {ALL}`: the ending of -o says that of one")
        check_form(output)
        return {figure: output}
    make_folder(output)
    names = [card.name for card in FIGURES.values() if with_image or "image" not in card.takes]
    return {name: output / f"{name}.{form or 'svg'}" for name in names}


def _useful(asked: FigureOptions, takes: Sequence[str]) -> FigureOptions:
    """What of it a figure has a use for."""
    useless = {field.name: None for field in fields(asked) if field.name not in takes}
    return replace(asked, **useless)


def _view(
    numbers: Numbers, certify: str, core: str, select: str | None, then: str | None, beside: list[str], at: float,
    by_votes: bool,
) -> Settings:  # fmt: skip
    """The compositions, the first one's threshold and whether votes select in all."""
    from engine.figures.settings import Settings

    own = numbers.choice(certify, core, select, by_votes=by_votes, then=None if then is None else read_then(then))
    drawn = [own]
    for text in beside:
        names = [part.strip() for part in text.split(",")]
        if len(names) > 3 or not all(names):
            raise AcesError(f"--with: '{text}' is not CERTIFY[,CORE[,SELECT]]")
        one = numbers.choice(*names[:1], *(names[1:2] or [core]), *names[2:3], by_votes=by_votes)
        if one.certify_run.dataset != own.certify_run.dataset:
            raise AcesError(f"--with: '{names[0]}' is of {one.certify_run.dataset}, not of {own.certify_run.dataset}")
        if one not in drawn:
            drawn.append(one)
    return Settings(own, theta=at, drawn=tuple(drawn))


def _on_terms(
    settings: Settings, radius: float, alpha: float, correction: Correction | None, votes: float, bound: Bound | None,
    convention: Convention, paper: list[str], called: Mapping[str, str],
) -> Settings:  # fmt: skip
    """The view with the terms of its certificates, what stands beside it, and what runs are called."""
    return replace(
        settings,
        radius=radius,
        alpha=alpha,
        correction=correction_or_default(correction, convention),
        t=votes,
        bound=bound_or_default(bound, settings.certify_run, convention, correction),
        convention=convention,
        paper=tuple(paper),
        called=tuple((name, said) for name, said in called.items() if said != name),
    )


def _check_thresholds(settings: Settings, asked: FigureOptions) -> None:
    check_thresholds([settings.theta, *(asked.thetas or ())], settings.choice.by_votes)


def _list() -> None:
    from engine.figures.drawing import FIGURES

    print_table(
        ("figure", "shows", "also takes"),
        [
            (card.name, card.shows, ", ".join(f"--{name.replace('_', '-')}" for name in card.takes))
            for card in FIGURES.values()
        ],
    )
