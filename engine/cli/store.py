"""``store``: whether every entry of the store is what was written, and what to do where one is not."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cache import repair
from cache.repair import Inventory
from engine import folders
from engine.cli.options import CacheOption
from engine.cli.printing import say

NAMED = 20  # damaged entries that are named


class Action(enum.StrEnum):
    """What is done with a store."""

    CHECK = "check"
    REPAIR = "repair"


def store(
    action: Annotated[Action, typer.Argument(help="check reads everything; repair also drops what is damaged.")],
    cache: CacheOption = None,
) -> None:
    """Read every entry of the store: does it have its checksum, and is it a run, draws, or a note?

    Exit status 1 where something is damaged. `repair` keeps what is intact, in a new database; the old one is moved
    aside, and nothing is guessed. Stop other commands on the store first.

    Example: python -m engine store check
    """
    directory = folders.store() if cache is None else cache
    report = repair.check(directory) if action is Action.CHECK else repair.repair(directory)
    for line in _lines(report):
        say(line)
    if action is Action.CHECK and not report.is_intact:
        say("`python -m engine store repair` drops what is damaged and keeps the rest")
        raise typer.Exit(1)


def _lines(report: Inventory) -> list[str]:
    kept = f"intact: {report.runs:,} runs, {report.blocks:,} blocks of draws, {report.other:,} other entries"
    more = len(report.damaged) - NAMED
    return [
        kept,
        *(f"damaged: {what}" for what in report.damaged[:NAMED]),
        *([f"damaged: {more:,} more"] if more > 0 else []),
        *(f"what was there is in {folder} now" for folder in report.moved),
    ]
