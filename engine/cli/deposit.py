"""``deposit``: runs and systems of them in a folder that strangers can check; ``verify FOLDER`` checks it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cache.catalog import Catalog
from engine.cli.options import (
    AlphaOption,
    AnyCorrectionOption,
    BoundOption,
    CacheOption,
    ThenOption,
    VotesOption,
    bound_or_default,
    check_one_selection,
    correction_or_default,
    number,
    parse_numbers,
    read_then,
)
from engine.cli.printing import say
from engine.errors import AcesError
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.statistics.aces import DEFAULT_ALPHA
from engine.statistics.bounds import MAJORITY
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

if TYPE_CHECKING:
    from engine.deposits import DepositedSystem
    from engine.single_image.plan import LaterPlan
    from engine.single_image.system_file import Deployed

MANIFEST = "deposit.json"
USUAL_ROWS = "0:1:0.1"
SHOWN = 50  # problems that are listed


def deposit(
    runs: Annotated[list[str] | None, typer.Argument(help="More runs: names or unique prefixes.")] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The folder to write; it must not be there yet.")
    ] = ...,  # type: ignore[assignment]
    system: Annotated[
        list[str] | None,
        typer.Option(
            "--system",
            metavar="CERTIFY,CORE[,SELECT]|FILE",
            help="A composition, or the system.yaml of one, whose runs are deposited with its table; repeatable.",
        ),
    ] = None,
    theta: Annotated[
        str | None, typer.Option(help="Rows of the tables: 0,0.1 or first:last:step. [default: 0:1:0.1]")
    ] = None,
    p0: Annotated[
        str | None, typer.Option("--p0", metavar="LIST", help="In place of --theta: the votes select.")
    ] = None,
    then: ThenOption = None,
    radii: Annotated[str, typer.Option(help="Columns of the tables.")] = "0,0.25,0.5,0.75,1.0,1.25,1.5",
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: AnyCorrectionOption = None,
    votes: VotesOption = MAJORITY,
    bound: BoundOption = None,
    convention: Annotated[Convention, typer.Option(help="paper: as the printed tables.")] = Convention.ALGORITHM,
    cache: CacheOption = None,
) -> None:
    """Write runs, their cards, settings, tables and digests into one folder, from which a stranger derives a paper's
    numbers again: `verify FOLDER` needs nothing else.

    Example: python -m engine deposit --system fashion_mnist-gaussian-0.5,fashion_mnist-core -o paper-runs
    """
    from engine.deposits import AloneTerms, DepositedSystem, make_deposit
    from engine.deposits.making import missing_runs
    from engine.single_image.system_file import is_system

    catalog = Catalog(cache)
    check_one_selection(theta, p0, None, votes)
    names = [catalog.resolve(name).name for name in runs or []]
    columns = tuple(part.strip() for part in radii.split(","))
    for name in columns:
        number(name, "--radii")
    later = tuple(_whole(text, catalog) for text in then or ())
    rows = tuple(parse_numbers(p0, "--p0") if p0 is not None else parse_numbers(theta or USUAL_ROWS, "--theta"))
    spent = str(correction_or_default(correction, convention))
    systems: list[DepositedSystem] = []
    for text in system or []:
        name = f"system-{len(systems) + 1}"
        if is_system(Path(text)):
            own = None if p0 is None and theta is None else rows
            systems.append(_of_file(Path(text), name, catalog, own, columns, convention))
            continue
        parts = [part.strip() for part in text.split(",")]
        if len(parts) not in (2, 3) or not all(parts):
            raise AcesError(f"--system: '{text}' is neither CERTIFY,CORE[,SELECT] nor a system.yaml")
        if p0 is not None and len(parts) == 3:
            raise AcesError(f"--system: '{text}' names a selection run, and with --p0 the votes select")
        certify = catalog.resolve(parts[0], SmoothedRun.KIND)
        select = catalog.resolve(parts[2], SelectionRun.KIND).name if len(parts) == 3 else None
        systems.append(
            DepositedSystem(
                name=name, certify=certify.name,
                core=catalog.resolve(parts[1], CoreRun.KIND).name, select=select, by_votes=p0 is not None, then=later,
                alpha=alpha, correction=spent, t=votes, bound=bound_or_default(bound, certify, convention, correction),
                convention=convention, thetas=rows, radii=columns,
            )
        )  # fmt: skip
    names = list(dict.fromkeys([*names, *missing_runs(systems, names)]))
    if not names:
        raise AcesError("nothing to deposit: name runs, or --system CERTIFY,CORE")
    of_class = bound or (Bound.COMPLEMENT if convention is Convention.PAPER else Bound.MARGIN)
    terms = AloneTerms(alpha=alpha, bound=of_class, convention=convention, radii=columns)
    digest = make_deposit(output, [catalog.load(name) for name in names], systems, terms)
    say(f"{output}: {len(names)} runs, {len(systems)} systems; sha256 of deposit.json {digest}")


def _of_file(
    path: Path,
    name: str,
    catalog: Catalog,
    rows: tuple[float, ...] | None,
    radii: tuple[str, ...],
    convention: Convention,
) -> DepositedSystem:
    """A ``system.yaml`` by the runs that it names, on its own terms; its table has its own threshold among the rows."""
    from engine.deposits import DepositedSystem
    from engine.single_image.system_file import read_system

    found = read_system(path)
    system, by_votes = found.system, found.system.p0 is not None
    runs = _runs_of(found, path, catalog)
    usual = () if by_votes else tuple(parse_numbers(USUAL_ROWS, "--theta"))
    return DepositedSystem(
        name=name, certify=runs["certify"], core=runs["core"], select=runs.get("select"), by_votes=by_votes,
        then=tuple(_stage(runs["then"], stage) for stage in system.then), alpha=system.alpha,
        correction=str(system.correction), t=system.t, bound=cast(Bound, system.bound), convention=convention,
        thetas=tuple(sorted({*(usual if rows is None else rows), system.threshold})), radii=radii,
    )  # fmt: skip


def _runs_of(found: Deployed, path: Path, catalog: Catalog) -> dict[str, str]:
    """The run of each network of a system, by its part: only those that were sampled with the file's own weights."""
    pair = found.system.pair
    parts = [("certify", SmoothedRun.KIND, pair.sha256[0]), ("core", CoreRun.KIND, pair.sha256[1])]
    parts += [("select", SelectionRun.KIND, pair.select.sha256)] if pair.select is not None else []
    parts += [("then", SmoothedRun.KIND, later.sha256) for later in pair.then]
    if sorted(found.runs) != sorted(part for part, _, _ in parts):
        raise AcesError(f"{path}: does not name one run for each of its networks; say CERTIFY,CORE[,SELECT] instead")
    runs = {}
    for part, kind, sha256 in parts:
        meta = catalog.resolve(found.runs[part], kind)
        if meta.network.sha256 != sha256:
            raise AcesError(f"{path}: '{meta.name}' was sampled with other weights than those of its {part} network")
        runs[part] = meta.name
    return runs


def _stage(run: str, stage: LaterPlan) -> str:
    """A later stage as ``--then`` has it."""
    return f"{run},p0={stage.p0!r}" if stage.p0 is not None else f"{run},{stage.theta!r},{stage.t!r}"


def _whole(text: str, catalog: Catalog) -> str:
    """A later stage with its run's whole name."""
    name, comma, rest = text.partition(",")
    read_then(text)
    return f"{catalog.resolve(name.strip(), SmoothedRun.KIND).name}{comma}{rest}"


def is_deposit(path: Path) -> bool:
    """Whether ``verify`` was given a folder: a name of a run that is also one is that of the run, without a deposit."""
    try:
        return path.is_dir() and ((path / MANIFEST).is_file() or len(path.parts) > 1)
    except (OSError, ValueError):
        return False


def verify_deposit(folder: Path) -> None:
    """Check a deposit; a line on stderr for every problem, then the error that says how many."""
    from engine.deposits import check_deposit

    found = check_deposit(folder)
    for problem in found.problems[:SHOWN]:
        say(problem, sys.stderr)
    if found.problems:
        more = f", of which {SHOWN} are listed" if len(found.problems) > SHOWN else ""
        raise AcesError(f"{folder} is not what was deposited: {len(found.problems)} problems{more}")
    said = f"{found.files} files as deposited, {found.runs} runs read, {found.tables} tables computed again"
    say(f"{folder}: {said}; sha256 of deposit.json {found.digest}")
