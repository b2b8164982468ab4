"""The paper's Tables 1 and 14 of the sidebar's compositions. No widget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app import data
from app.settings import Choice, Settings, later_label
from engine.errors import AcesError
from engine.figures.short_labels import short_names
from engine.figures.views import core_accuracy
from engine.latex import Block, PrintedRow, PrintedTable
from engine.statistics.metrics import DEFAULT_RADII

SMOOTHED, CORE = "smoothed alone", "core alone"
HEADS = ("Training", "σ", "Core", "Selection", "Then")
NAME_LENGTH = 32


@dataclass(frozen=True)
class PaperTable:
    """A table: what it shows, and the reader's first radii, thresholds and columns; ``of_all`` compositions or one."""

    title: str
    shows: str
    radii: tuple[float, ...]
    thetas: tuple[float, ...]
    with_selection: bool
    of_all: bool


TABLES = {
    "Table 1": PaperTable(
        "One composition over θ",
        "The current composition at each threshold: certified accuracy and selection rate over radii.",
        DEFAULT_RADII[:7], (0.0, 0.1, 0.2, 0.3, 0.6, 1.0), True, False,
    ),
    "Table 14": PaperTable(
        "Compositions over θ",
        "Every composition of the sidebar at each threshold, grouped by σ and then by what differs among them; with "
        "selection rates, as Tables 2 to 13.",
        DEFAULT_RADII, tuple(round(0.1 * k, 1) for k in range(11)), False, True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """The table, and in sentences which compositions are not in it."""

    table: PrintedTable
    missing: tuple[str, ...] = ()


def written(
    settings: Settings,
    of_all: bool,
    radii: tuple[float, ...],
    thetas: tuple[float, ...],
    alone: Sequence[str] = (SMOOTHED, CORE),
    with_selection: bool = True,
) -> Written:
    """The table at these radii and thresholds, with rows for the networks ``alone`` behind those of each sigma."""
    if not thetas and not alone:
        raise AcesError("no threshold and no network alone is chosen: the table has no row")
    choices, missing = _alike(settings, of_all)
    told = [k for k in range(5) if len({_parts(choice)[k] for choice in choices}) > 1]
    order = sorted({1, *told}, key=lambda k: (k != 1, k)) if len(choices) > 1 else []
    by_noise: dict[str, list[Choice]] = {}
    for choice in choices:
        by_noise.setdefault(choice.noise, []).append(choice)
    short = short_names((part for choice in choices for part in _parts(choice)), NAME_LENGTH)
    blocks: list[Block] = []
    for noise, same in by_noise.items():
        for choice in same:
            try:
                rows = _rows(settings.at(choice), radii, thetas)
            except AcesError as error:
                missing.append(f"{', '.join(_parts(choice)[:4])} is not in the table: {error}")
                continue
            blocks.append(Block(tuple(short[_parts(choice)[k]] for k in order), rows, noise))
        last = tuple(_alone(settings, same, radii, alone))
        blocks += [Block((short[noise],) if order else (), last, noise)] if last else []
    blocks = [block for block in blocks if block.rows]
    if not blocks:
        raise AcesError(missing[0] if missing else "the table has no row")
    table = PrintedTable(tuple(HEADS[k] for k in order), settings.symbol, radii, tuple(blocks), with_selection)
    return Written(table, tuple(missing))


def _alike(settings: Settings, of_all: bool) -> tuple[list[Choice], list[str]]:
    """The compositions of the table: those whose thresholds mean the same as the current one's."""
    every = settings.compositions if of_all else (settings.choice,)
    alike = [choice for choice in every if choice.by_votes == settings.choice.by_votes]
    left = len(every) - len(alike)
    said = f"{left} of {len(every)} compositions are not in the table: θ and p₀ are not one threshold."
    return alike, [said] if left else []


def _parts(choice: Choice) -> tuple[str, ...]:
    own = choice.address[:4]
    return (*own, "" if choice.then is None else later_label(choice.then))


def _rows(view: Settings, radii: tuple[float, ...], thetas: tuple[float, ...]) -> tuple[PrintedRow, ...]:
    if not thetas:
        return ()
    m = data.at_thetas(view, thetas, radii)
    digits = max(2, *(len(f"{theta:.9f}".rstrip("0").partition(".")[2]) for theta in thetas))
    return tuple(
        PrintedRow(
            f"{theta:.{digits}f}", float(m.nac[t]), float(m.acr[t]), tuple(m.certified_accuracy[t].tolist()),
            tuple(m.certified_selection[t].tolist()),
        )
        for t, theta in enumerate(m.thetas.tolist())
    )  # fmt: skip


def _alone(
    settings: Settings, choices: Sequence[Choice], radii: tuple[float, ...], alone: Sequence[str]
) -> list[PrintedRow]:
    """Each certification and each core network of these compositions without ACES, once."""
    smoothed = {choice.certify_run.name: choice for choice in choices}
    cores = {choice.core_run.name: choice for choice in choices}
    found: list[PrintedRow] = []
    if SMOOTHED in alone:
        found += _named(SMOOTHED, smoothed, lambda choice: _smoothed(settings.at(choice), radii))
    if CORE in alone:
        found += _named(CORE, cores, lambda choice: _core(settings.at(choice), radii))
    return found


def _named(what: str, by_name: dict[str, Choice], row: Callable[[Choice], PrintedRow]) -> list[PrintedRow]:
    """Rows of what can be read; the blocks say what cannot. Several are told apart by their runs' names."""
    short, found = short_names(by_name, NAME_LENGTH), []
    for name, choice in by_name.items():
        try:
            made = row(choice)
        except AcesError:
            continue
        found.append(replace(made, name=what if len(by_name) == 1 else f"{what}: {short[name]}"))
    return found


def _smoothed(view: Settings, radii: tuple[float, ...]) -> PrintedRow:
    found = data.alone(view, radii)
    return PrintedRow(SMOOTHED, found.nac, found.acr, tuple(found.certified_accuracy.tolist()))


def _core(view: Settings, radii: tuple[float, ...]) -> PrintedRow:
    accuracy = core_accuracy(data.composition(view))
    return PrintedRow(CORE, accuracy, 0.0, tuple(accuracy if radius == 0 else 0.0 for radius in radii))
