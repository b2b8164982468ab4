r"""Tables as the paper prints them (Tables 1 and 14): grouped columns over radii, blocks of rows, the best in bold.

For ``booktabs``; every name is set letter for letter. Rates have one decimal, ACR three, rounded to nearest: they are
estimates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine import escape
from engine.tables import Rows

NONE = "--"
ACCURACY, SELECTION = "Certified accuracy at radius $r$", "Certified selection rate at radius $r$"


@dataclass(frozen=True)
class PrintedRow:
    """NAC and rates at each radius in percent, ACR; ``selection`` is empty for a network alone, which selects none."""

    name: str
    nac: float
    acr: float
    accuracy: tuple[float, ...]
    selection: tuple[float, ...] = ()

    @property
    def ranked(self) -> tuple[str, ...]:
        """NAC, ACR and certified accuracies as printed: larger is better."""
        return f"{self.nac:.1f}", f"{self.acr:.3f}", *(f"{rate:.1f}" for rate in self.accuracy)

    @property
    def rates(self) -> tuple[str, ...]:
        """The certified selection rates as printed, of which none is better than another."""
        return tuple(f"{rate:.1f}" for rate in self.selection)


@dataclass(frozen=True)
class Block:
    """Rows of one method, named under the table's ``heads``; blocks of one ``group``, such as a sigma, compete."""

    names: tuple[str, ...]
    rows: tuple[PrintedRow, ...]
    group: str = ""


@dataclass(frozen=True)
class PrintedTable:
    """Blocks under ``heads``, a column for the rows' names (``first``, such as θ), NAC, ACR, and groups of columns over
    ``radii`` for certified accuracy and, ``with_selection``, for the certified selection rate.
    """

    heads: tuple[str, ...]
    first: str
    radii: tuple[float, ...]
    blocks: tuple[Block, ...]
    with_selection: bool = True
    caption: str = ""
    label: str = ""


def render(table: PrintedTable) -> str:
    """The table in LaTeX, ending in a newline."""
    names = len(table.heads) + 1
    groups = [ACCURACY, *([SELECTION] if table.with_selection else [])]
    count = len(table.radii)
    spans = " & ".join(f"\\multicolumn{{{count}}}{{c}}{{{title}}}" for title in groups)
    starts = [names + 3 + k * count for k in range(len(groups))]
    rules = " ".join(f"\\cmidrule(lr){{{start}-{start + count - 1}}}" for start in starts)
    head = [*map(escape.latex, (*table.heads, table.first)), "NAC", "ACR", *(_radii(table.radii) * len(groups))]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}[t]",
        "\\centering\\small\\setlength{\\tabcolsep}{3.5pt}",
        f"\\caption{{{escape.latex(table.caption)}}}",
        f"\\label{{tab:{_label(table.label)}}}",
        f"\\begin{{tabular}}{{{'l' * names}{'r' * (2 + count * len(groups))}}}",
        "\\toprule",
        *([f"{'& ' * (names + 2)}{spans} \\\\", rules] if count else []),
        " & ".join(head) + " \\\\",
        *_body(table),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _body(table: PrintedTable) -> Iterator[str]:
    best = {group: _best(rows) for group, rows in _groups(table).items()}
    before: Block | None = None
    for block in table.blocks:
        yield "\\midrule" if before is None or before.group != block.group else "\\addlinespace"
        for k, row in enumerate(block.rows):
            names = [escape.latex(name) if k == 0 else "" for name in _filled(block.names, len(table.heads))]
            ranked = [_bold(cell, cell == most) for cell, most in zip(row.ranked, best[block.group], strict=True)]
            rates = list(row.rates) or [NONE] * len(table.radii) if table.with_selection else []
            yield " & ".join([*names, escape.latex(row.name), *ranked, *rates]) + " \\\\"
        before = block


def _groups(table: PrintedTable) -> dict[str, list[PrintedRow]]:
    groups: dict[str, list[PrintedRow]] = {}
    for block in table.blocks:
        groups.setdefault(block.group, []).extend(block.rows)
    return groups


def _best(rows: Sequence[PrintedRow]) -> list[str]:
    """The largest cell of every ranked column, as printed; "" where all are alike, so that none is the best."""
    columns = zip(*(row.ranked for row in rows), strict=True)
    return ["" if len(set(column)) == 1 else max(column, key=float) for column in columns]


def _bold(cell: str, is_best: bool) -> str:
    return f"\\textbf{{{cell}}}" if is_best else cell


def _filled(names: Sequence[str], count: int) -> list[str]:
    return [*names, *[""] * (count - len(names))]


def _radii(radii: Sequence[float]) -> list[str]:
    """Radii with as many decimals as the longest has, two at least."""
    digits = max((len(f"{radius:.9f}".rstrip("0").partition(".")[2]) for radius in radii), default=0)
    return [f"{radius:.{max(digits, 2)}f}" for radius in radii]


def _label(text: str) -> str:
    """A label that ``\\ref`` can take: letters, digits and dashes."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)


def plain_rows(table: PrintedTable) -> Rows:
    """The same cells without LaTeX, a row each, under names that say what they are."""
    accuracy = [f"certified accuracy at r {radius}" for radius in _radii(table.radii)]
    selection = [f"selected at r {radius}" for radius in _radii(table.radii)] if table.with_selection else []
    found: Rows = []
    for block in table.blocks:
        heads = dict(zip(table.heads, _filled(block.names, len(table.heads)), strict=True))
        for row in block.rows:
            ranked = dict(zip(("NAC", "ACR", *accuracy), row.ranked, strict=True))
            rates = dict(zip(selection, row.rates or [""] * len(selection), strict=True)) if selection else {}
            found.append({**heads, table.first: row.name, **ranked, **rates})
    return found
