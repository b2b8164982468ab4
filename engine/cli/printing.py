"""What commands print for people: names and messages of others as one line each, in which nothing is obeyed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from engine.escape import terminal

WHOLE = 4000  # columns where nobody looks through a window: names must stay whole for whoever reads them there


def say(text: str, file: TextIO | None = None) -> None:
    """One line on stdout, or on ``file``."""
    print(terminal(text), file=file)


def warn(text: str) -> None:
    """One line on stderr."""
    say(f"warning: {text}", sys.stderr)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table without lines; None is an empty cell."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*(Text("" if cell is None else terminal(str(cell))) for cell in row))  # Text: no markup is read
    Console(width=None if sys.stdout.isatty() else WHOLE).print(grid)
