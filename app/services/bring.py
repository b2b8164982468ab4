"""Run files, logs and class counts that are dropped onto a page: read in memory as `import` reads them, then stored.

No Streamlit in here, and nothing of a file is written but the run that it gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.services.question import readable
from cache import Store
from engine.errors import AcesError
from engine.records.runs import Run

FILES = 20  # at once


@dataclass(frozen=True)
class Brought:
    """One file: the ``run`` that it gave and is stored, None with the reason where it gave none."""

    file: str
    run: str | None
    said: str


def bring(
    files: Sequence[tuple[str, bytes]],
    most_mb: int,
    *,
    dataset: str | None = None,
    sigma: float | None = None,
    units_are_right: bool = False,
) -> list[Brought]:
    """Store the run of each file, by its name and content. A file that gives none keeps no other from being stored.

    ``dataset`` and ``sigma`` fill in what logs' names do not say. No run is replaced.
    """
    found = [_one(name, data, most_mb, dataset, sigma, units_are_right) for name, data in files[:FILES]]
    beyond = [Brought(name, None, f"at most {FILES} files are taken at once") for name, _ in files[FILES:]]
    return found + beyond


def _one(
    name: str, data: bytes, most_mb: int, dataset: str | None, sigma: float | None, units_are_right: bool
) -> Brought:
    from engine.published import take_bytes

    shown = readable(name)
    try:
        if len(data) > most_mb * 1_000_000:
            raise AcesError(f"more than {most_mb} MB")
        run = take_bytes(Path(name).name, data, dataset=dataset, sigma=sigma, units_are_right=units_are_right)
        with Store() as store:
            store.put(run)
            store.confirm(run)
    except AcesError as error:
        return Brought(shown, None, str(error).removeprefix(f"{Path(name).name}: "))
    return Brought(shown, run.meta.name, _about(run))


def _about(run: Run) -> str:
    notes = run.meta.extra.get("notes", ())
    return "; ".join([f"{run.meta.kind}, {len(run.index)} images", *map(str, notes)])
