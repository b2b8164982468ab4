"""``deploy``: the best point above a floor of natural accuracy, as a system that other programs use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cache.catalog import Catalog
from engine.cli.options import AlphaOption, CacheOption, CorrectionOption, VotesOption, read_then
from engine.cli.printing import say, warn
from engine.errors import AcesError
from engine.output import write_file
from engine.records.meta import Meta
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION, check_share
from engine.statistics.bounds import MAJORITY, check_level
from engine.statistics.deployment import Rule
from engine.statistics.margin import Bound
from engine.statistics.metrics import check_radii

SAID = ("certify", "core", "select", "then 1", "sigma", "theta", "t", "stage 2", "chosen", "on these", "on others")


def deploy(
    nac: Annotated[float, typer.Option(help="The natural accuracy to reach, in percent.")],
    certify_runs: Annotated[
        list[str] | None,
        typer.Option("--certify", metavar="RUN", help="Certification runs to choose among; by default all there are."),
    ] = None,
    core: Annotated[list[str] | None, typer.Option("--core", metavar="RUN", help="Core runs, likewise.")] = None,
    select: Annotated[
        str | None, typer.Option("--select", metavar="RUN", help="Selection run; by default the networks' entropies.")
    ] = None,
    then: Annotated[
        str | None,
        typer.Option("--then", metavar="RUN[,THETA[,VOTES]]", help="A second stage of every system, as of `table`."),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Of the runs, where there are several.")] = None,
    radius: Annotated[
        float | None, typer.Option(help="Choose by certified accuracy at this radius, not by ACR.")
    ] = None,
    confident: Annotated[
        bool, typer.Option("--confident", help="The lower end of the NAC's 95 % interval must reach the floor.")
    ] = False,
    best_t: Annotated[
        bool, typer.Option("--best-t", help="Also choose the share of votes, of 21 from 0.01 to 0.99.")
    ] = False,
    votes: VotesOption = MAJORITY,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: CorrectionOption = DEFAULT_CORRECTION,
    bound: Annotated[Bound | None, typer.Option(help="Of the class: margin, the default, or complement.")] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("system.yaml"),
    copy: Annotated[bool, typer.Option("--copy", help="Put the networks beside it, to move with it.")] = False,
    cache: CacheOption = None,
) -> None:
    """Write system.yaml: the most robust system whose natural accuracy is at least --nac percent, and how to use it.

    The numbers of a choice flatter on the images that it was made on; the file says both, those and what to expect.

    Example: python -m engine deploy --nac 75 --dataset fashion_mnist -o system.yaml
    """
    from engine.figures import deploy as points
    from engine.figures.numbers import Numbers
    from engine.figures.settings import Settings
    from engine.figures.views import Axis
    from engine.single_image.system_file import copy_beside, script, to_yaml

    if not 0 <= nac <= 100:
        raise AcesError(f"--nac is {nac:g}; a natural accuracy is a percentage, 0 to 100")
    check_radii([0.0 if radius is None else radius])
    check_level(alpha)
    check_share(votes)
    catalog = Catalog(cache)
    numbers = Numbers(catalog)
    certify, by = _runs(catalog, certify_runs, core, dataset)
    later = None if then is None else read_then(then)
    if later is not None and certify_runs is None:
        again = catalog.resolve(later.run, SmoothedRun.KIND).name
        certify = [run for run in certify if run.name != again]  # a network that is asked twice is no chain
    choices = [numbers.choice(run.name, other.name, select, then=later) for run in certify for other in by]
    if not choices:
        raise AcesError(f"--then: beside '{then}' there is no certification run to begin with")
    of_class = bound or (Bound.COMPLEMENT if correction == "bonferroni" else Bound.MARGIN)
    settings = Settings(
        choices[0], alpha=alpha, correction=correction, t=votes, bound=of_class, drawn=tuple(choices),
        radius=0.0 if radius is None else radius,
    )  # fmt: skip
    measure = Axis.ACR if radius is None else Axis.CERTIFIED
    fronts, problems = numbers.fronts(settings, measure, best_t)
    for label, problem in problems.items():
        warn(f"{label}: {problem}")
    best = points.best(fronts, nac, confident=confident)
    if best is None:
        reached = max((float(front.nac.max()) for front in fronts), default=0.0)
        sure = " at 95 % confidence" if confident else ""
        raise AcesError(f"no composition reaches a NAC of {nac:g} %{sure}: the best one has {reached:.1f} %")
    at = settings.at(settings.compositions[best.front.position], best.theta)
    at = at if best.t is None else replace(at, t=best.t)
    tiles = numbers.summary(at)
    found = numbers.optimism(settings, measure, fronts, Rule(nac, confident))
    robustness = tiles.acr if radius is None else tiles.certified_accuracy
    deployed = points.deployed(at, points.measured(best, robustness, found, measure, settings))
    text = to_yaml(deployed, output, beside=copy)
    if copy:
        copy_beside(deployed.system.pair, output)
    write_file(output, text.encode())
    _say(output)
    print(script(output, deployed.system), end="")


def _runs(
    catalog: Catalog, certify: Sequence[str] | None, core: Sequence[str] | None, dataset: str | None
) -> tuple[list[Meta], list[Meta]]:
    """The certification and core runs that are named, or all of one dataset whose networks are at hand."""
    of = [catalog.resolve(name, SmoothedRun.KIND) for name in certify or ()]
    by = [catalog.resolve(name, CoreRun.KIND) for name in core or ()]
    every = [meta for meta in catalog.metas() if meta.kind in (SmoothedRun.KIND, CoreRun.KIND)]
    datasets = {meta.dataset for meta in (*of, *by)} or {dataset or meta.dataset for meta in every if _at_hand(meta)}
    if (dataset is not None and datasets != {dataset}) or len(datasets) > 1:
        raise AcesError(f"runs of {', '.join(sorted(datasets))}: name one with --dataset, or runs of one alone")
    at_hand = [meta for meta in every if meta.dataset in datasets and _at_hand(meta)]
    of = of or [meta for meta in at_hand if meta.kind == SmoothedRun.KIND]
    by = by or [meta for meta in at_hand if meta.kind == CoreRun.KIND]
    if not of or not by:
        raise AcesError(
            "a system needs a certification run and a core run whose networks are at hand; `runs` lists runs"
        )
    if len({meta.smoothing_card.norm for meta in of}) > 1:
        raise AcesError(
            "radii of different norms are not compared: name certification runs of one noise with --certify"
        )
    return of, by


def _at_hand(meta: Meta) -> bool:
    from engine.weights import is_named, weights_of

    try:
        found = weights_of(meta)
    except AcesError:
        return False
    return meta.network.sha256 is not None and (is_named(found) or found.is_file())


def _say(output: Path) -> None:
    from engine.single_image.system_file import facts, read_system

    say(f"wrote {output}")
    for name, value in facts(read_system(output)).items():
        if name in SAID:
            say(f"{name:10}{value}")
    print()
