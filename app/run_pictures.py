"""The images behind a run: those that ship, or what the files of its dataset on this disk hold."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import streamlit as st

from app import catalog
from app.catalog import RunKey
from app.services import work
from app.services.limits import Limits
from app.services.pictures import Pictures, read_pictures
from engine import datasets, folders, processes
from engine.errors import AcesError
from engine.names import file_in
from engine.records.meta import Meta
from engine.records.runs import SmoothedRun


def pictures(meta: Meta) -> Pictures:
    """The images of a run: those that ship, else what the dataset's files on this disk hold, if any.

    Raises ``AcesError`` for a damaged file, and where those files are not what was sampled.
    """
    path = _shipped_pictures(meta)
    if not path.exists():
        run = cast(SmoothedRun, catalog.load(catalog.run_key(meta)))
        path = datasets.pictures_file(meta.dataset, run.index, run.label, meta.extra.get("images"))
    if not path.exists() and _on_disk(meta) and (problem := take_pictures(catalog.run_key(meta))):
        raise AcesError(problem)
    return _pictures(path, path.stat().st_mtime_ns if path.exists() else 0)


def pictured(metas: Sequence[Meta]) -> frozenset[str]:
    """The datasets of runs whose images can be shown: they ship, or lie on this disk."""
    return frozenset(meta.dataset for meta in metas if _shipped_pictures(meta).exists() or _on_disk(meta))


def _shipped_pictures(meta: Meta) -> Path:
    return file_in(folders.demo(), f"{meta.dataset}_images.npz")


def _on_disk(meta: Meta) -> bool:
    """Whether the pictures of a run can be had here without a download."""
    own = meta.origin.pictures if meta.origin is not None else None
    return datasets.on_disk(meta.dataset) or (own is not None and Path(own).exists())


@st.cache_resource(max_entries=32, show_spinner="Taking the pictures from the dataset's files")
def take_pictures(source: RunKey) -> str:
    """Have a process of its own write a run's pictures, as what reads datasets loads torch; why it could not, or "".

    Raises ``AcesError`` while another does so.
    """
    command = processes.command("engine", "pictures", "--", source.name)
    with work.PLACES.held(work.Kind.PICTURES, "", Limits.from_environment()):
        # A list of words, no shell; the run's name follows "--".
        done = subprocess.run(  # nosec B603
            command, env=processes.environment(), capture_output=True, text=True, check=False
        )
    return processes.why(done.returncode, done.stderr) if done.returncode else ""


@st.cache_resource(max_entries=8, show_spinner=False)
def _pictures(path: Path, mtime_ns: int) -> Pictures:
    return read_pictures(path)
