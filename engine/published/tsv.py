"""Tab-separated logs: read whole, every cell checked, every complaint with file, line and value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import numpy as np

from engine import files
from engine.arrays import Array
from engine.errors import AcesError
from engine.names import quoted

SHOWN = 12  # columns that a message names
MOST_BYTES, MOST_LINES = 50_000_000, 2_000_000  # of a log: 50,000 rows of Cohen et al. have 3 MB
BOM = b"\xef\xbb\xbf"  # which editors put before UTF-8

# datetime.timedelta as Python prints it, or plain seconds
TIME = re.compile(r"(\d+ days?, )?\d+:\d\d:\d\d(\.\d+)?|\d+(\.\d+)?")


@dataclass(frozen=True, eq=False)
class Log:
    """A log of N >= 1 rows: ``cells[name]`` holds the N cells of a column as they were written, ``at`` says when."""

    path: Path
    cells: dict[str, tuple[str, ...]]
    at: str | None = None

    def fail(self, row: int, column: str, expected: str) -> NoReturn:
        """Raise ``AcesError`` about one cell. ``row`` counts from 0 below the header."""
        value = self.cells[column][row]
        raise AcesError(f"{self.path}, line {row + 2}: {column} is {quoted(value)}; {expected}")

    def integers(self, column: str, low: int, high: int | None = None) -> Array:
        """A column as int64 [N] within ``low``..``high``."""
        top = np.iinfo(np.int64).max if high is None else high
        allowed = f"expected an integer {f'in {low}..{high}' if high is not None else f'of at least {low}'}"
        values = [self._parsed(row, column, int, allowed) for row in range(len(self))]
        for row, value in enumerate(values):
            if not low <= value <= top:
                self.fail(row, column, allowed)
        return np.array(values, np.int64)

    def numbers(self, column: str, high: float = np.inf) -> Array:
        """A column as float64 [N], finite and within 0..``high``."""
        allowed = f"expected a number {f'in 0..{high:g}' if high < np.inf else 'that is not negative'}"
        values = np.array([self._parsed(row, column, float, allowed) for row in range(len(self))], np.float64)
        bad = ~((values >= 0) & (values <= high) & np.isfinite(values))  # also true for NaN
        if bad.any():
            self.fail(int(bad.argmax()), column, allowed)
        return values

    def index(self, high: int | None = None) -> Array:
        """The column ``idx``, int64 [N]: positions in the split, up to ``high``, none twice."""
        values = self.integers("idx", 0, high)
        _, first = np.unique(values, return_index=True)
        if len(first) < len(values):
            again = int(np.setdiff1d(np.arange(len(values)), first)[0])
            self.fail(again, "idx", f"line {int((values == values[again]).argmax()) + 2} has that image already")
        return values

    def check_times(self) -> None:
        """Raise ``AcesError`` unless the column ``time`` holds H:MM:SS or plain seconds throughout."""
        for row, cell in enumerate(self.cells["time"]):
            if not TIME.fullmatch(cell):
                self.fail(row, "time", "expected H:MM:SS or seconds")

    def check_same(self, other: Log, column: str) -> None:
        """Raise ``AcesError`` unless ``column`` reads as in ``other``: else the logs are not of one run."""
        mine, theirs = self.cells[column], other.cells[column]
        if mine == theirs:
            return
        if len(mine) != len(theirs):
            raise AcesError(
                f"{self.path} holds {len(mine)} rows, {other.path.name} {len(theirs)}: cut off, or not of one run"
            )
        row = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
        self.fail(row, column, f"{other.path.name} has {theirs[row]!r} there: the logs are not of one run")

    def __len__(self) -> int:
        return len(next(iter(self.cells.values())))

    def _parsed(self, row: int, column: str, kind: type[int] | type[float], allowed: str) -> int | float:
        try:
            return kind(self.cells[column][row])
        except ValueError:
            self.fail(row, column, allowed)


def written(path: Path) -> str:
    """When a file was last written, ISO 8601 in UTC: importing it again gives the same record."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")


def read_log(path: Path, columns: Sequence[str], data: bytes | None = None) -> Log:
    """Read a log with exactly these columns, from its content ``data`` where that is at hand.

    Raises ``AcesError`` for another header, no rows, or damaged rows.
    """
    lines = read_lines(path, data)
    header = lines[0].split("\t", len(columns) + SHOWN)
    if header != list(columns):
        raise AcesError(f"{path}: the columns are {_names(header)}; expected {_names(columns)}")
    if len(lines) == 1:
        raise AcesError(f"{path}: a header and no rows: nothing was logged")
    for number, line in enumerate(lines[1:], start=2):
        if (cells_here := line.count("\t") + 1) != len(columns):  # before it is taken apart
            raise AcesError(f"{path}, line {number}: {cells_here} cells, expected {len(columns)}: {quoted(line)}")
    rows = [line.split("\t") for line in lines[1:]]
    cells = dict(zip(columns, zip(*rows, strict=True), strict=True))
    return Log(path, cells, written(path) if data is None else None)


def read_lines(path: Path, data: bytes | None = None) -> list[str]:
    """The lines of a text file, or of its content, at least one. Raises ``AcesError`` where the last one has no end."""
    try:
        text = (files.read(path, MOST_BYTES) if data is None else data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AcesError(f"{path}: not a text file ({error.reason} at byte {error.start})") from error
    if not text:
        raise AcesError(f"{path}: the file is empty")
    if text.count("\n") + text.count("\r") > 2 * MOST_LINES:
        raise AcesError(f"{path}: more than {MOST_LINES:,} lines, which no log has")
    *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if rest:
        raise AcesError(f"{path}, line {len(lines) + 1}: the file is cut off in {quoted(rest)}: no end of line")
    return lines


def _names(columns: Sequence[str]) -> str:
    more = f", and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return ", ".join(quoted(name) for name in columns[:SHOWN]) + more
