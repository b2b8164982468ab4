"""``table``, ``smoothed``, ``outcomes``: what the runs say, recomputed from their counts."""

from __future__ import annotations

import sys
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
    VotesOption,
    bound_or_default,
    correction_or_default,
    number,
    parse_numbers,
)
from engine.cli.printing import say, warn
from engine.records.compose import Composition, compose
from engine.records.runs import CoreRun, Meta, SelectionRun, SmoothedRun, decisions
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
from engine.statistics.metrics import Convention, evaluate, standalone
from engine.tables import Format, Rows, metric_rows, outcome_rows, render, standalone_row


def table(
    certify_run: CertifyOption,
    core: CoreOption,
    select: SelectOption = None,
    theta: Annotated[str, typer.Option(help="Thresholds: 0,0.1,0.3 or first:last:step.")] = "0:1:0.1",
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
    form: Annotated[Format, typer.Option("--format")] = Format.MARKDOWN,
    cache: CacheOption = None,
) -> None:
    """NAC, ACR, certified accuracy and certified selection rate by threshold.

    Example: python -m engine table --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0:1:0.1
    """
    composition, of = _compose(Catalog(cache), certify_run, core, select)
    names = [part.strip() for part in radii.split(",")]
    metrics = evaluate(
        composition,
        parse_numbers(theta, "--theta"),
        alpha=alpha,
        correction=correction_or_default(correction, convention),
        radii=[float(number(name, "--radii")) for name in names],
        convention=convention,
        t=votes,
        bound=bound_or_default(bound, of, convention, correction),
    )
    _print_rows(metric_rows(metrics, names), form)


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
    theta: Annotated[float, typer.Option(help="The threshold, in [0, 1].")],
    select: SelectOption = None,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: AnyCorrectionOption = None,
    votes: VotesOption = MAJORITY,
    bound: BoundOption = None,
    form: Annotated[Format, typer.Option("--format")] = Format.CSV,
    cache: CacheOption = None,
) -> None:
    """One row per image: what is answered at one threshold, and with which radius; radii are rounded down.

    The column entropy_median holds the median of what selects: with --select, of the selection network's score.

    Example: python -m engine outcomes --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --theta 0.3
    """
    composition, of = _compose(Catalog(cache), certify_run, core, select)
    of_class = bound_or_default(bound, of, correction=correction)
    spent = correction_or_default(correction)
    check_share(votes, composition)
    check_draws(votes, composition.n_select, alpha, spent)
    answer: Certificates = certify(composition, [theta], alpha, spent, t=votes, bound=of_class)
    natural = predict(composition, [theta], alpha, votes).prediction()[:, 0]
    _print_rows(outcome_rows(answer, natural, composition.score_median), form)


def _compose(catalog: Catalog, certify_run: str, core: str, select: str | None) -> tuple[Composition, Meta]:
    """The composition, and its certification run's card."""
    certification, core_run = catalog.load(certify_run, SmoothedRun.KIND), catalog.load(core, CoreRun.KIND)
    selection = catalog.load(select, SelectionRun.KIND) if select is not None else None
    for sampled in (certification, selection):
        if sampled is not None and sampled.meta.looked:
            _warn_looked(sampled.meta)
    assert isinstance(certification, SmoothedRun)
    assert isinstance(core_run, CoreRun)
    assert selection is None or isinstance(selection, SelectionRun)
    found = compose(certification, core_run, selection)
    _say_norm(found.smoothing)
    return found, certification.meta


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
