"""``table``, ``smoothed``, ``outcomes``: what the runs say, recomputed from their counts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from cache.catalog import Catalog
from engine.cli.options import (
    AlphaOption,
    AnyCorrectionOption,
    BoundOption,
    CacheOption,
    CertifyOption,
    CoreOption,
    SelectOption,
    ThenOption,
    VotesOption,
    bound_or_default,
    check_one_selection,
    correction_or_default,
    number,
    parse_numbers,
    read_then,
)
from engine.cli.printing import say, warn
from engine.errors import AcesError
from engine.figures.settings import Terms, class_names
from engine.records.compose import Composition, StageRuns, Then, compose_chain
from engine.records.meta import Meta, decisions
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun
from engine.smoothing import Smoothing
from engine.statistics.aces import (
    DEFAULT_ALPHA,
    Certificates,
    certify,
    check_draws,
    check_share,
    predict,
)
from engine.statistics.bounds import MAJORITY
from engine.statistics.by_class import by_class
from engine.statistics.chains import Later
from engine.statistics.corrections import Correction
from engine.statistics.metrics import Convention, evaluate, standalone
from engine.tables import Format, Rows, class_rows, confusion_rows, metric_rows, outcome_rows, render, standalone_row

THETAS = "0:1:0.1"  # of a table that names none


class By(StrEnum):
    """What the rows of a table are."""

    THRESHOLD = "threshold"
    CLASS = "class"
    CONFUSION = "confusion"


def table(
    certify_run: CertifyOption,
    core: CoreOption,
    select: SelectOption = None,
    theta: Annotated[
        str | None, typer.Option(help=f"Thresholds: 0,0.1,0.3 or first:last:step. [default: {THETAS}]")
    ] = None,
    p0: Annotated[
        str | None,
        typer.Option(
            "--p0",
            metavar="LIST",
            help="In place of --theta: answer where the class has more than this share of the noisy votes, in "
            "(0.5, 1); lists as of --theta.",
        ),
    ] = None,
    then: ThenOption = None,
    radii: Annotated[
        str, typer.Option(help="Radii, l2 (uniform noise: l1) in pixel units.")
    ] = "0,0.25,0.5,0.75,1.0,1.25,1.5",
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: AnyCorrectionOption = None,
    votes: VotesOption = MAJORITY,
    bound: BoundOption = None,
    convention: Annotated[
        Convention,
        typer.Option(help="paper: as the printed tables, which count abstentions at r = 0 and round imported radii."),
    ] = Convention.ALGORITHM,
    by: Annotated[By, typer.Option(help="Rows: a threshold each; or at one threshold a class each.")] = By.THRESHOLD,
    form: Annotated[Format, typer.Option("--format")] = Format.MARKDOWN,
    cache: CacheOption = None,
) -> None:
    """NAC, ACR, certified accuracy and certified selection rate by threshold.

    --by class: at one threshold, accuracies of each class with 95 % intervals over its images, and what is answered by
    which network. --by confusion: what each class's images are answered.

    Example: python -m engine table --certify cifar10-gaussian-0.25 --core cifar10-core --theta 0.3 --by class

    Example: python -m engine table --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0:1:0.1

    A chain: --then fashion_mnist-gaussian-0.25,0.3 asks a second network before the core network.
    """
    check_one_selection(theta, p0, select, votes)
    composition, of = _compose(Catalog(cache), certify_run, core, select, then, by_votes=p0 is not None)
    names = [part.strip() for part in radii.split(",")]
    if convention is not Convention.PAPER:  # which says itself what it has no place for
        _check_later_draws(composition, alpha, correction_or_default(correction, convention))
    if by is not By.THRESHOLD:
        asked = theta if p0 is None else p0
        of_class = bound_or_default(bound, of, convention, correction)
        terms = Terms(alpha, correction_or_default(correction, convention), votes, of_class)
        _print_rows(_of_classes(composition, of, by, asked, names, terms, convention), form)
        return
    metrics = evaluate(
        composition,
        parse_numbers(p0, "--p0") if p0 is not None else parse_numbers(theta or THETAS, "--theta"),
        alpha=alpha,
        correction=correction_or_default(correction, convention),
        radii=[float(number(name, "--radii")) for name in names],
        convention=convention,
        t=votes,
        bound=bound_or_default(bound, of, convention, correction),
    )
    _print_rows(metric_rows(metrics, names, "theta" if p0 is None else "p0"), form)


def _of_classes(
    composition: Composition, of: Meta, by: By, asked: str | None, radii: Sequence[str], terms: Terms,
    convention: Convention,
) -> Rows:  # fmt: skip
    """A row a class, at the one threshold that is asked for."""
    if convention is Convention.PAPER:
        raise AcesError("the paper has no tables by class: leave --convention paper out")
    at = parse_numbers(asked, "--theta") if asked is not None else []
    if len(at) != 1:
        raise AcesError(f"--by {by} is at one threshold: --theta or --p0 must name one")
    names = class_names(of)
    values = [float(number(name, "--radii")) for name in radii]
    found = by_class(composition, at[0], values if by is By.CLASS else [], **terms.named)
    return class_rows(found, names, radii) if by is By.CLASS else confusion_rows(found, names)


def smoothed(
    certify_run: CertifyOption,
    radii: Annotated[
        str, typer.Option(help="Radii, l2 (uniform noise: l1) in pixel units.")
    ] = "0,0.25,0.5,0.75,1.0,1.25,1.5",
    alpha: AlphaOption = DEFAULT_ALPHA,
    bound: BoundOption = None,
    convention: Annotated[
        Convention, typer.Option(help="paper: round radii of imported logs as these printed them.")
    ] = Convention.ALGORITHM,
    form: Annotated[Format, typer.Option("--format")] = Format.MARKDOWN,
    cache: CacheOption = None,
) -> None:
    """The certification network alone, without ACES: the paper's triangles.

    Example: python -m engine smoothed --certify fashion_mnist-gaussian-0.5
    """
    run = Catalog(cache).load(certify_run, SmoothedRun.KIND)
    assert isinstance(run, SmoothedRun)
    _say_norm(run.meta.smoothing_card)
    names = [part.strip() for part in radii.split(",")]
    of_class = bound_or_default(bound, run.meta, convention)
    alone = standalone(run, alpha, [float(number(name, "--radii")) for name in names], convention, of_class)
    _print_rows([standalone_row(alone, names)], form)


def outcomes(
    certify_run: CertifyOption,
    core: CoreOption,
    theta: Annotated[float | None, typer.Option(help="The threshold, in [0, 1]; this or --p0.")] = None,
    p0: Annotated[
        float | None,
        typer.Option(
            "--p0",
            help="In place of --theta: answer where the class has more than this share of the votes, in (0.5, 1).",
        ),
    ] = None,
    then: ThenOption = None,
    select: SelectOption = None,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: AnyCorrectionOption = None,
    votes: VotesOption = MAJORITY,
    bound: BoundOption = None,
    form: Annotated[Format, typer.Option("--format")] = Format.CSV,
    cache: CacheOption = None,
) -> None:
    """One row per image: what is answered at one threshold, and with which radius; radii are rounded down.

    The column entropy_median holds the median of what selects: with --select, of the selection network's score. With
    --then the last column, stage, says which stage was guessed to answer: 1, 2, ..., or core.

    Example: python -m engine outcomes --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0.3
    """
    at = check_one_selection(theta, p0, select, votes)
    if at is None:
        raise AcesError("outcomes are at one threshold: name it with --theta, or a share of votes with --p0")
    composition, of = _compose(Catalog(cache), certify_run, core, select, then, by_votes=p0 is not None)
    of_class = bound_or_default(bound, of, correction=correction)
    spent = correction_or_default(correction)
    check_share(votes, composition)
    check_draws(votes, composition.n_select, alpha, spent)
    _check_later_draws(composition, alpha, spent)
    answer: Certificates = certify(composition, [at], alpha, spent, t=votes, bound=of_class)
    natural = predict(composition, [at], alpha, votes).prediction()[:, 0]
    _print_rows(outcome_rows(answer, natural, composition.score_median, composition.stages), form)


def _check_later_draws(c: Composition, alpha: float, correction: Correction) -> None:
    for stage in c.then:
        check_share(stage.t, stage.composition)
        check_draws(stage.t, stage.composition.n_select, alpha, correction)


def _compose(
    catalog: Catalog, certify_run: str, core: str, select: str | None, then: Sequence[str] | None, *, by_votes: bool
) -> tuple[Composition, Meta]:
    """The composition, and the card of its certification run, or of the first of a chain that comes from a log."""
    later = [read_then(text) for text in then or ()]
    core_run = catalog.load(core, CoreRun.KIND)
    selection = catalog.load(select, SelectionRun.KIND) if select is not None else None
    certifying = [catalog.load(name, SmoothedRun.KIND) for name in (certify_run, *(asked.run for asked in later))]
    for sampled in (*certifying, selection):
        if sampled is not None and sampled.meta.looked:
            _warn_looked(sampled.meta)
    assert isinstance(core_run, CoreRun)
    assert selection is None or isinstance(selection, SelectionRun)
    first, *rest = certifying
    assert isinstance(first, SmoothedRun)
    chain = [_then(asked, run) for asked, run in zip(later, rest, strict=True)]
    found = compose_chain(StageRuns(first, selection, by_votes), core_run, chain)
    _say_norm(found.smoothing)
    return found, next((run.meta for run in certifying if run.meta.from_log), first.meta)


def _then(asked: Later[str], run: Run) -> Then:
    assert isinstance(run, SmoothedRun)
    return Then(StageRuns(run, by_votes=asked.by_votes), asked.theta, asked.t)


def _say_norm(smoothing: Smoothing) -> None:
    """Radii are l2 unless something else is said: columns have no place for it."""
    if smoothing.order != 2:
        say(f"radii are {smoothing.norm}, under {smoothing.label}", sys.stderr)


def _warn_looked(meta: Meta) -> None:
    warn(
        f"n of '{meta.name}' was changed after results could be seen ({decisions(meta)}); bounds are for an n fixed in "
        f"advance (docs/statistics.md)"
    )


def _print_rows(rows: Rows, form: Format) -> None:
    sys.stdout.write(render(rows, form))
