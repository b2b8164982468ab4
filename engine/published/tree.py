"""The files of a project's tree: which are logs, which are something else, and what that is, by their first bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from engine import files, npz
from engine.errors import AcesError
from engine.published.aces_logs import FILE
from engine.published.cohen_logs import COLUMNS
from engine.published.counts import LEAST_DRAWS
from engine.published.tsv import BOM

LOOKED_AT = 4096  # bytes of a file, by which it is known
INTEGERS = re.compile(r"\d+(?:[ \t]+\d+){2,}[ \t]*")
PREDICT_COLUMNS = ("idx", "label", "predict", "correct", "time")
MOST_FILES = 100_000  # of a tree: the authors' has some hundreds
LONGEST = 12  # digits of a count
LEADS_OUT = "a link that leads out of the folder: name the file itself"
NAMED = 3  # files that are no logs


@dataclass(frozen=True)
class PassedOver:
    """A file that gives no run: ``reason`` names it, a sentence. ``wrong``: it is a log, which ought to have."""

    path: Path
    reason: str
    wrong: bool = False


@dataclass(frozen=True)
class Sources:
    """The files of some paths: ``logs`` and run files, ``counts``, what is ``passed`` over, and the ``others``."""

    logs: tuple[Path, ...]
    counts: tuple[Path, ...]
    passed: tuple[PassedOver, ...]
    others: tuple[Path, ...]

    @property
    def note(self) -> str | None:
        """How many files are no logs at all, by their endings."""
        if not self.others:
            return None
        kinds = Counter(path.suffix.lower() or path.name for path in self.others).most_common()
        shown = ", ".join(f"{count:,} {kind}" for kind, count in kinds[:NAMED])
        more = f", {sum(count for _, count in kinds[NAMED:]):,} more" if len(kinds) > NAMED else ""
        return f"passed over {len(self.others):,} files that are no logs ({shown}{more})"


def sort_out(paths: Sequence[Path]) -> Sources:
    """The files themselves, which are taken for logs, and what is in the folders, to any depth; each once.

    Hidden files and folders are no logs. Raises ``AcesError`` where there is no such path.
    """
    logs: dict[Path, None] = {}
    counts, passed, others = dict[Path, None](), dict[Path, PassedOver](), dict[Path, None]()
    for path in paths:
        for file in _files(path):
            kind = LEADS_OUT if _leads_out(file, path) else _kind(file)
            if kind == "counts" or (kind == "numbers" and path.is_file()):
                counts[file] = None
            elif kind == "log" or (kind is None and path.is_file()):
                logs[file] = None
            elif kind in (None, "numbers"):
                others[file] = None
            else:
                passed[file] = PassedOver(file, f"{file}: {kind}")
    return Sources(tuple(logs), tuple(counts), tuple(passed.values()), tuple(others))


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path.parent.resolve() / path.name  # a linked file keeps the name it has here
        return
    if not path.is_dir():
        raise AcesError(f"{path}: no such file or folder")
    top = path.resolve()
    found = list(islice(top.rglob("*"), MOST_FILES + 1))
    if len(found) > MOST_FILES:
        raise AcesError(f"{path}: more than {MOST_FILES:,} files: name the folder in it that holds the logs")
    for file in sorted(found):
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(top).parts):
            yield file


def _leads_out(file: Path, path: Path) -> bool:
    """Whether it is a link in the folder ``path`` to what is not in there."""
    return not path.is_file() and file.is_symlink() and not file.resolve().is_relative_to(path.resolve())


def _kind(file: Path) -> str | None:
    """As ``kind_of``."""
    with files.opened(file) as opened:
        if file.suffix == ".npz":
            return "log" if _is_run(opened) else None
        return kind_of(file.name, opened.read(LOOKED_AT))


def kind_of(name: str, head: bytes) -> str | None:
    """What a file that begins so is: ``log``, ``counts``, or ``numbers`` that no counts are; else what it is in words.

    None for nothing of this kind.
    """
    if head.startswith((b"\xff\xfei\0d\0x\0", b"\xfe\xff\0i\0d\0x")):
        return "a log saved as UTF-16: save it as UTF-8"
    return _kind_of_text(name, head.removeprefix(BOM).decode(errors="replace"))


def _kind_of_text(name: str, head: str) -> str | None:
    if head.lstrip().startswith("x disttype "):
        return "a DSRS log, which bounds the share of each image's label and names no label: no class can be told"
    first, _, rest = head.partition("\n")
    first = first.rstrip("\r")
    if INTEGERS.fullmatch(first):
        return "counts" if _are_counts(first.split()) else "numbers"
    if not first.startswith("idx\t"):
        return None
    columns = tuple(first.split("\t"))
    if FILE.fullmatch(name):
        return "log"
    if columns == PREDICT_COLUMNS:
        return "a PREDICT log: answers without radii, which certify nothing"
    if "radius proved" in columns:
        return (
            "an adaptive log of smoothing-ensembles: it says neither how many draws a level took nor which radius was "
            "asked for, so the votes cannot be told"
        )
    return "a header and no rows: nothing was logged" if columns == COLUMNS and not rest.strip() else "log"


def _are_counts(cells: list[str]) -> bool:
    """Whether the numbers may be the draws of each class and a label."""
    *votes, label = (int(cell) if len(cell) < LONGEST else -1 for cell in cells)
    return min(votes) >= 0 and sum(votes) >= LEAST_DRAWS and 0 <= label < len(votes)


def _is_run(file: IO[bytes]) -> bool:
    """Whether an npz is a run file, as far as its list of arrays says; a damaged one may be."""
    try:
        return "meta" in npz.names(file)
    except AcesError:
        return True
