"""Does a deposit hold what it says? Its files against their digests, its runs against their cards, its tables against
the counts. Everything in the folder is a stranger's: no link is followed, nothing is run, no size is believed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine import files
from engine.deposits.derived import alone_rows, system_rows
from engine.deposits.manifest import (
    ALONE,
    CARDS,
    LARGEST_MANIFEST,
    MANIFEST,
    ROOMS,
    RUNS,
    TABLES,
    FileEntry,
    Manifest,
    read_manifest,
)
from engine.errors import AcesError
from engine.names import quoted
from engine.records.runs import Run, from_bytes
from engine.single_image.strict_json import parse
from engine.tables import Format, Rows, render

CLOSE = 1e-7  # relative, of nine digits: the last may be another on another processor
BLOCK = 1 << 20


@dataclass(frozen=True)
class DepositCheck:
    """``problems``, a line each, none if all is as it was deposited; ``digest`` is the sha256 of the manifest."""

    digest: str
    files: int
    runs: int
    tables: int
    problems: tuple[str, ...]


def check_deposit(folder: Path) -> DepositCheck:
    """Check the deposit in ``folder``, from nothing but what it holds.

    Raises ``AcesError`` where there is none: without a manifest, or with one that is none.
    """
    data = _read(folder / MANIFEST, LARGEST_MANIFEST)
    manifest = read_manifest(data)
    problems = [*_files(folder, manifest), *_added(folder, manifest)]
    tables = 0
    if not problems:  # of files that differ, nothing is computed
        runs, wrong = _runs(folder, manifest)
        problems += wrong
        tables = len(manifest.inside(TABLES))
        problems += [] if wrong else _tables(folder, manifest, runs)
    digest = hashlib.sha256(data).hexdigest()
    return DepositCheck(digest, len(manifest.files), len(manifest.inside(RUNS)), tables, tuple(problems))


def _files(folder: Path, manifest: Manifest) -> Iterator[str]:
    for place, entry in sorted(manifest.files.items()):
        why = _differs(folder / place, entry)
        if why:
            yield f"{place}: {why}"


def _differs(path: Path, entry: FileEntry) -> str:
    """Why a file is not the one that was deposited; "" if it is."""
    try:
        if stat.S_ISLNK(path.parent.lstat().st_mode):
            return "lies behind a link"
        status = path.lstat()
    except OSError:
        return "is missing"
    if not stat.S_ISREG(status.st_mode):
        return "is a link" if stat.S_ISLNK(status.st_mode) else "is no regular file"
    if status.st_size != entry.size:  # which is not read, however large it is
        return f"differs: it has {status.st_size:,} bytes and had {entry.size:,}"
    try:
        return "" if _digest(path, entry.size) == entry.sha256 else "differs from its sha256"
    except files.FileError as error:
        return f"cannot be read ({error})"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _digest(path: Path, size: int) -> str:
    digest = hashlib.sha256()
    with files.opened(path, follow=False) as file:
        while size > 0 and (block := file.read(min(BLOCK, size))):
            digest.update(block)
            size -= len(block)
        return digest.hexdigest() if not file.read(1) else "longer than it was"


def _added(folder: Path, manifest: Manifest) -> Iterator[str]:
    """What is in the folder and not in the manifest; what is in added folders is not looked at."""
    known = {MANIFEST, *manifest.files}
    for room in ("", *ROOMS):
        if room and not stat.S_ISDIR(_mode(folder / room)):
            continue
        with os.scandir(folder / room) as inside:
            names = sorted(f"{room}/{entry.name}" if room else entry.name for entry in inside)
        for place in names:
            used = place in ROOMS and any(file.startswith(f"{place}/") for file in known)
            if place not in known and not used:
                yield f"{quoted(place)[1:-1]}: was added"


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _read(path: Path, most: int) -> bytes:
    """The bytes of a file of at most so many. Raises ``AcesError`` where it is none."""
    if not os.path.lexists(path):
        raise AcesError(f"{path.parent} is no deposit: it has no {path.name}")
    return files.read(path, most, follow=False)


def _runs(folder: Path, manifest: Manifest) -> tuple[dict[str, Run], list[str]]:
    """The runs by name, and what is wrong with them or their cards."""
    found: dict[str, Run] = {}
    problems = []
    for file in manifest.inside(RUNS):
        place, name = f"{RUNS}/{file}", file.removesuffix(".npz")
        card = f"{CARDS}/{name}.json"
        try:
            run = from_bytes(_read(folder / place, manifest.files[place].size), place)
            if run.meta.name != name:
                raise AcesError(f"{place}: holds the run {quoted(run.meta.name)}")
            found[name] = run
            if card not in manifest.files:
                raise AcesError(f"{place}: has no card")
            said = parse(_read(folder / card, LARGEST_MANIFEST))
            if isinstance(said, dict):
                said.pop("origin", None)  # cards once held it of runs that were sampled there; run files never did
            if said != json.loads(json.dumps(run.meta.to_json())):
                raise AcesError(f"{card}: is not what the run says of itself")
        except AcesError as error:
            problems.append(str(error))
    return found, problems


def _tables(folder: Path, manifest: Manifest, runs: dict[str, Run]) -> Iterator[str]:
    """Each table against what the runs give."""
    known = set()
    for system in manifest.systems:
        known.add(system.table)
        try:
            yield from _compared(folder, manifest, system.table, system_rows(system, runs))
        except AcesError as error:
            yield f"{system.table}: cannot be had of the runs: {error}"
    lone = f"{TABLES}/{ALONE}"
    if lone in manifest.files:
        known.add(lone)
        try:
            yield from _compared(folder, manifest, lone, alone_rows(manifest.alone, [*runs.values()]))
        except AcesError as error:
            yield f"{lone}: cannot be had of the runs: {error}"
    for file in manifest.inside(TABLES):
        if f"{TABLES}/{file}" not in known:
            yield f"{TABLES}/{file}: no system is said whose table it is"


def _compared(folder: Path, manifest: Manifest, place: str, rows: Rows) -> Iterator[str]:
    """The first cell in which a deposited table is not the one that the runs give."""
    if place not in manifest.files:
        yield f"{place}: is missing"
        return
    there = _cells(_read(folder / place, manifest.files[place].size).decode(errors="replace"))
    ours = _cells(render(rows, Format.CSV)) if rows else []
    if len(there) != len(ours) or there[:1] != ours[:1]:
        yield f"{place}: has other rows or columns than the runs give"
        return
    for k, (row, own) in enumerate(zip(there, ours, strict=True)):
        for column, a, b in zip(ours[0], row, own, strict=False):
            if not _same(a, b) or len(row) != len(own):
                yield f"{place}: row {k}, {column}: {quoted(a)}, and the counts give {quoted(b)}"
                return


def _cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def _same(a: str, b: str) -> bool:
    if a == b:
        return True
    try:
        return abs(float(a) - float(b)) <= CLOSE * max(abs(float(a)), abs(float(b)))
    except ValueError:
        return False
