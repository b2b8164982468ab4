"""Runs and systems of them -> a folder that a stranger can check: whole, or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine import __version__, escape
from engine.deposits.derived import alone_rows, runs_of, system_rows
from engine.deposits.manifest import (
    ALONE,
    CARDS,
    FORMAT,
    MANIFEST,
    README,
    RUNS,
    TABLES,
    VERSION,
    AloneTerms,
    DepositedSystem,
    FileEntry,
    Manifest,
    read_manifest,
)
from engine.errors import AcesError
from engine.names import file_fault, quoted
from engine.output import write_folder
from engine.records.runs import Run, to_bytes
from engine.tables import Format, render

README_TEXT = """# A deposit of runs

{runs} runs and {systems} systems of them, made by {made_by}. The runs are counts: how many noisy copies of each image a
network put into each class, and how many of them selected it. Every number in `tables/` follows from them.

## Check it

In a fresh environment with this software (Python 3.11; `pip install` of its wheel), without network or GPU:

    aces verify {folder}

reads nothing but this folder. It compares every file with its sha256 in `deposit.json`, names what differs, is missing
or was added, reads every run, and computes every table again from the counts. The sha256 that it says is of
`deposit.json` and so of everything here: compare it with the one that was printed.

## What is here

| place | holds |
|---|---|
| `deposit.json` | every file with its size and sha256, and the settings of every table |
| `runs/` | the runs, as `aces import` reads them |
| `cards/` | what each run says of itself: dataset, network and its sha256, noise, draws, seed |
| `tables/` | NAC, ACR, certified accuracy and selection rate of each system by threshold |
| `tables/{alone}` | the certification networks without ACES |

## Systems

| table | certification | core | selection | then | α | correction | t | bound |
|---|---|---|---|---|---|---|---|---|
{rows}
"""


def make_deposit(folder: Path, runs: Sequence[Run], systems: Sequence[DepositedSystem], alone: AloneTerms) -> str:
    """Write the deposit of these runs to ``folder``, which must not be there yet; the sha256 of its manifest.

    Raises ``AcesError``, and leaves nothing, for names that are no files, systems of other runs, and where it cannot be
    written.
    """
    by_name = {run.meta.name: run for run in runs}
    for name in by_name:
        if (wrong := file_fault(name)) is not None:
            raise AcesError(f"a run of the name {quoted(name)} cannot be deposited: expected {wrong}")
    files = {f"{RUNS}/{name}.npz": to_bytes(run) for name, run in by_name.items()}
    files |= {f"{CARDS}/{name}.json": _card(run) for name, run in by_name.items()}
    files |= {system.table: render(system_rows(system, by_name), Format.CSV).encode() for system in systems}
    lone = alone_rows(alone, [*by_name.values()])
    if lone:
        files[f"{TABLES}/{ALONE}"] = render(lone, Format.CSV).encode()
    files[README] = _readme(folder, by_name, systems).encode()
    entries = {place: FileEntry(size=len(data), sha256=_sha256(data)) for place, data in files.items()}
    made_by = f"ACES Explorer {__version__}"
    manifest = Manifest(
        format=FORMAT, version=VERSION, made_by=made_by, systems=tuple(systems), alone=alone, files=entries
    ).to_bytes()
    read_manifest(manifest)  # what nobody could check is not written
    write_folder(folder, {**files, MANIFEST: manifest})
    return _sha256(manifest)


def _card(run: Run) -> bytes:
    """What the run's file says of it, which is nothing of this machine."""
    said = replace(run.meta, origin=None)
    return (json.dumps(said.to_json(), indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def _readme(folder: Path, runs: Mapping[str, Run], systems: Sequence[DepositedSystem]) -> str:
    rows = []
    for s in systems:
        cells = (s.table, s.certify, s.core, s.select or ("the votes" if s.by_votes else "its own"), "; ".join(s.then))
        rows.append([*map(escape.markdown, cells), f"{s.alpha:g}", s.correction, f"{s.t:g}", str(s.bound)])
    return README_TEXT.format(
        runs=len(runs), systems=len(systems), made_by=f"ACES Explorer {__version__}", alone=ALONE,
        folder=escape.terminal(folder.name), rows="\n".join(f"| {' | '.join(row)} |" for row in rows),
    )  # fmt: skip


def missing_runs(systems: Sequence[DepositedSystem], names: Sequence[str]) -> list[str]:
    """The runs of the systems that are not among ``names``."""
    return [name for name in dict.fromkeys(name for s in systems for name in runs_of(s)) if name not in names]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
