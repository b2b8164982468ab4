"""The catalog: every run that can be looked at, the demo's and the store's, found by name. Looking writes nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from cache import notes
from cache.notes import Note, Notes
from cache.store import Listing, Store
from engine import files, folders, npz
from engine.errors import AcesError
from engine.records.meta import Meta, RunError
from engine.records.runs import MOST_BYTES, Images, Run, read_images, read_meta, read_run

DEMO = folders.DEMO  # what ships; what is shown is ``folders.demo()``, where ACES_DEMO has a word
SHOWN = 8  # names in a message


@dataclass(frozen=True)
class _Listed:
    """A run in the catalog: its demo file, or None if the store holds it."""

    meta: Meta
    path: Path | None


class Catalog:
    """The demo runs in ``demo`` and the runs of the store at ``directory``, which is not created for looking.

    By default those that ``engine.folders`` names.

    A stored run hides a demo run of the same name. What cannot be read, a demo file's path or a stored run's name, is
    listed as broken; the other runs stay visible. So is the store itself, by its folder, where nothing in it can be.
    """

    def __init__(self, directory: Path | None = None, demo: Path | None = None) -> None:
        self._demo = demo or folders.demo()
        self._store = Store(directory)
        self._notes = Notes(self._store.runs)

    def metas(self) -> list[Meta]:
        """What is in the catalog, by name; what cannot be read is left out."""
        return self.listing().metas

    def listing(self) -> Listing:
        """What is in the catalog, by name, and what in it cannot be read."""
        found, broken = self._look()
        said = {} if self._place in broken else self._notes.every()
        noted = {name: _noted(said.get(name, Note()), run) for name, run in found.items()}
        return Listing([listed.meta for listed in found.values()], broken, noted)

    def demo_metas(self) -> list[Meta]:
        """What ships, hidden by stored runs or not."""
        return [listed.meta for listed in _demo_runs(self._demo)[0].values()]

    def resolve(self, name_or_prefix: str, kind: str | None = None) -> Meta:
        """The run of exactly this name, else the only one whose name begins so; of one ``kind``, if given.

        Raises ``AcesError`` that lists the candidates, or the nearest names, or says what is wrong with the run.
        """
        return self._find(name_or_prefix, kind).meta

    def load(self, name_or_prefix: str, kind: str | None = None) -> Run:
        """The run that ``resolve`` finds. Raises ``AcesError`` if it is damaged."""
        listed = self._find(name_or_prefix, kind)
        return self._store.get(listed.meta.name) if listed.path is None else read_run(listed.path)

    def images(self, name: str) -> Images:
        """Which images the run of this name was evaluated on, without its counts. Raises ``AcesError`` as ``load``."""
        listed = self._find(name, None)
        return self._store.images(listed.meta.name) if listed.path is None else read_images(listed.path)

    def fingerprint(self, name: str) -> str:
        """A digest of a run's content, for keys of what is computed from it. Demo files are read only when changed."""
        listed = self._find(name, None)
        return self._store.fingerprint(listed.meta.name) if listed.path is None else _digest(*_version(listed.path))

    @property
    def _place(self) -> str:
        return str(self._store.directory)

    def _look(self) -> tuple[dict[str, _Listed], dict[str, str]]:
        demos, broken = _demo_runs(self._demo)
        stored: list[Meta] = []
        self._store.renew()
        if self._store.exists:
            try:
                listing = self._store.listing()
                stored = listing.metas
                broken |= listing.broken
            except AcesError as error:  # the file as a whole: the demo can be looked at all the same
                broken[self._place] = str(error)
        names = demos | {meta.name: _Listed(meta, None) for meta in stored}
        return {name: names[name] for name in sorted(names) if name not in broken}, broken

    def _find(self, wanted: str, kind: str | None) -> _Listed:
        catalog, broken = self._look()
        listed = {name: run for name, run in catalog.items() if kind in (None, run.meta.kind)}
        starting = [name for name in listed if name.startswith(wanted)]
        if wanted in listed:
            return listed[wanted]
        _check_broken(wanted, broken)
        if len(starting) == 1:
            return listed[starting[0]]
        if starting:
            raise AcesError(f"'{wanted}' may be {_some(starting)}: give more of the name")
        if self._place in broken:
            raise AcesError(broken[self._place])
        if wanted in catalog:
            raise AcesError(f"'{wanted}' is a {catalog[wanted].meta.kind} run, where a {kind} run is asked for")
        near = get_close_matches(wanted, listed)
        raise AcesError(
            f"no {kind + ' ' if kind else ''}run matches '{wanted}'{f' (near: {_some(near)})' if near else ''}; "
            f"`python -m engine runs` lists them"
        )


def _noted(note: Note, run: _Listed) -> Note:
    """What is noted of a run, with the collection that it is in where nobody has named one."""
    return note if note.collection else replace(note, collection=notes.OWN if run.path is None else notes.DEMO)


def _check_broken(wanted: str, broken: dict[str, str]) -> None:
    """Raise what is wrong with a run that was asked for by its name, which for a demo file is that of the file."""
    for where, message in broken.items():
        if wanted in (where, Path(where.removesuffix(".npz")).name):
            raise AcesError(message)


def _demo_runs(folder: Path) -> tuple[dict[str, _Listed], dict[str, str]]:
    """The run files of a folder by name, and what is wrong with the unreadable ones by path."""
    found: dict[str, _Listed] = {}
    broken: dict[str, str] = {}
    for path in sorted(folder.glob("*.npz")):
        try:
            meta = _meta(*_version(path))
        except OSError as error:  # a link that leads nowhere
            broken[str(path)] = f"{path} cannot be read ({error.strerror})"
            continue
        except AcesError as error:
            broken[str(path)] = str(error)
            continue
        if meta is not None:
            found[meta.name] = _Listed(meta, path)
    return found, broken


def _version(path: Path) -> tuple[Path, int, int]:
    """A file as it stands: what is remembered of it holds until its size or time of change differ."""
    status = path.stat()
    return path, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=1024)
def _meta(path: Path, size: int, mtime_ns: int) -> Meta | None:
    """The meta of a run file; None for other arrays, which the demo keeps as well."""
    with files.opened(path, MOST_BYTES) as file:
        try:
            is_run = "meta" in npz.names(file)
        except AcesError as error:
            raise RunError(f"{path}: {error}") from error
    return read_meta(path) if is_run else None


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    return hashlib.sha256(files.read(path, MOST_BYTES)).hexdigest()


def _some(names: list[str]) -> str:
    more = f" or one of {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
