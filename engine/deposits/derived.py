"""Deposited runs and settings -> their tables, as they are made and as they are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from engine.deposits.manifest import AloneTerms, DepositedSystem
from engine.errors import AcesError
from engine.names import quoted
from engine.records.compose import Composition, StageRuns, Then, compose_chain
from engine.records.runs import CoreRun, Run, SelectionRun, SmoothedRun
from engine.statistics.chains import read_later
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate, standalone
from engine.tables import Rows, metric_rows, standalone_row


def system_rows(system: DepositedSystem, runs: Mapping[str, Run]) -> Rows:
    """The system's table, one row a threshold. Raises ``AcesError`` for runs that are not there or do not fit."""
    found = evaluate(
        composed(system, runs),
        system.thetas,
        alpha=system.alpha,
        correction=Correction(system.correction),
        radii=_radii(system.radii),
        convention=system.convention,
        t=system.t,
        bound=system.bound,
    )
    return metric_rows(found, system.radii, "p0" if system.by_votes else "theta")


def composed(system: DepositedSystem, runs: Mapping[str, Run]) -> Composition:
    """The system's runs, joined."""
    certify = cast(SmoothedRun, _run(runs, system.certify, SmoothedRun.KIND))
    select = None if system.select is None else cast(SelectionRun, _run(runs, system.select, SelectionRun.KIND))
    then = []
    for later in map(read_later, system.then):
        stage = StageRuns(cast(SmoothedRun, _run(runs, later.run, SmoothedRun.KIND)), by_votes=later.by_votes)
        then.append(Then(stage, later.theta, later.t))
    core = cast(CoreRun, _run(runs, system.core, CoreRun.KIND))
    return compose_chain(StageRuns(certify, select, system.by_votes), core, then)


def runs_of(system: DepositedSystem) -> list[str]:
    """The names of the runs that it is composed of."""
    select = [] if system.select is None else [system.select]
    return [system.certify, system.core, *select, *(read_later(text).run for text in system.then)]


def alone_rows(terms: AloneTerms, runs: Sequence[Run]) -> Rows:
    """The certification networks among the runs without ACES, one row each; of logs by the bound that these have."""
    rows: Rows = []
    for run in sorted(runs, key=lambda run: run.meta.name):
        if isinstance(run, SmoothedRun):
            bound = Bound.COMPLEMENT if run.meta.from_log else terms.bound
            found = standalone(run, terms.alpha, _radii(terms.radii), terms.convention, bound)
            rows.append({"run": run.meta.name, **standalone_row(found, terms.radii)})
    return rows


def _radii(names: Sequence[str]) -> list[float]:
    try:
        return [float(name) for name in names]
    except ValueError as error:
        raise AcesError(f"{quoted(tuple(names))} are no radii") from error


def _run(runs: Mapping[str, Run], name: str, kind: str) -> Run:
    if name not in runs:
        raise AcesError(f"the deposit has no run {quoted(name)}")
    if runs[name].meta.kind != kind:
        raise AcesError(f"{quoted(name)} is a {runs[name].meta.kind} run, where a {kind} run is asked for")
    return runs[name]
