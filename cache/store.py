"""The store: finished runs, and the draws of unfinished ones, by content. It never computes a statistic.

Two SQLite files under one folder, ``runs/`` and ``blocks/``, through diskcache: damage to the draws, which can be made
again, leaves the runs alone. A value is ``sha256(key, payload)`` and the payload, so that a damaged or swapped entry is
found out; nothing is ever pickled or unpickled, and nothing is evicted. Every write is one transaction: ``kill -9``
leaves an entry as it was or as it should be, and two processes may work on one store.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType

import diskcache

from cache.entries import Database, card_key, note_key, read, run_key, stored_names, write
from cache.errors import DamagedError
from cache.notes import Note, display_names
from engine import folders
from engine.errors import AcesError
from engine.names import quoted
from engine.records import draws as draw_bytes
from engine.records import runs
from engine.records.draws import Draws
from engine.records.meta import Meta, NewerFormatError
from engine.records.runs import Images, Run
from engine.smoothing import GAUSSIAN

STAGES = ("guess", "estimate")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BlockKey:
    """Everything that the draws of one block depend on, and nothing else.

    ``network`` is the sha256 of its weights; ``index`` the image's position in the split; ``sigma`` in pixel units and
    ``smoothing`` the noise; ``mechanism`` names what scored the draws; ``as_run`` precision, device and layout;
    ``block`` counts within the stream of ``stage``. The number of draws is not in it, since raising it continues the
    streams, and neither is anything that is turned afterwards (alpha, theta).
    """

    network: str
    dataset: str
    split: str
    index: int
    sigma: float
    seed: int
    mechanism: str
    as_run: str
    stage: str
    block: int
    smoothing: str = GAUSSIAN.name

    def __post_init__(self) -> None:
        assert self.network, "without its sha256, two networks would share their draws"
        assert self.stage in STAGES, f"stage {self.stage!r}; allowed: {', '.join(STAGES)}"


def block_key(key: BlockKey) -> str:
    """The text under which a block is stored: equal for equal keys (0.5 and 1/2), different for different ones."""
    place = (key.network, key.dataset, key.split, int(key.index))
    stream = (float(key.sigma).hex(), int(key.seed), key.mechanism, key.as_run, key.stage, int(key.block))
    noise = () if key.smoothing == GAUSSIAN.name else (key.smoothing,)  # of other noise there were no draws before
    return json.dumps(["draws", *place, *stream, *noise])


@dataclass(frozen=True, eq=False)
class Part:
    """Draws of one block from its draw ``first`` on."""

    key: BlockKey
    first: int
    draws: Draws


@dataclass(frozen=True)
class Listing:
    """What can be looked at, by name, and what cannot be read: a run's name or a file's path -> what is wrong.

    ``notes``: what a catalog knows of every run that can be looked at, with its collection.
    """

    metas: list[Meta]
    broken: dict[str, str]
    notes: dict[str, Note] = field(default_factory=dict)

    def note(self, name: str) -> Note:
        return self.notes.get(name, Note())

    @property
    def shown(self) -> list[Meta]:
        """What is not hidden."""
        return [meta for meta in self.metas if not self.note(meta.name).hidden]

    @property
    def collections(self) -> dict[str, str]:
        """The collection of every run."""
        return {meta.name: self.note(meta.name).collection for meta in self.metas}

    @property
    def called(self) -> dict[str, str]:
        """What every run is called where it is shown."""
        return display_names([meta.name for meta in self.metas], self.notes)


def parsed_card(card: bytes) -> tuple[Meta, str]:
    """The meta of a run and the sha256 of its bytes. Raises ``AcesError``: others may have written it."""
    try:
        fields = json.loads(card)
        return Meta.from_json(fields["meta"]), str(fields["sha256"])
    except AcesError:  # also what a newer program wrote, which is no damage
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"its card is no JSON of a run ({type(error).__name__})") from error


class Store:
    """Finished runs by name, and blocks of draws by ``BlockKey``, under ``directory``.

    By default that is ``folders.store()``, which ``ACES_CACHE`` names. It is created (mode 0700) and opened at the
    first use; a place that cannot be used, a full disk and a lock that is never released raise ``AcesError``. Threads
    may share a store; ``close`` closes the calling thread's connections, which open again when needed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = folders.at_home(directory or folders.store(), "the store").absolute()
        self.runs = Database(self.directory / "runs")
        self.blocks = Database(self.directory / "blocks")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close this thread's connections."""
        self.runs.close()
        self.blocks.close()

    def renew(self) -> None:
        """Look at what stands at ``directory`` now, where it is not what was opened; whoever writes is told instead."""
        self.runs.renew()
        self.blocks.renew()

    @property
    def exists(self) -> bool:
        """Whether a run may have been stored here; asking creates nothing."""
        return self.runs.exists

    # --- blocks of draws ---------------------------------------------------------------------------------------

    def get_block(self, key: BlockKey) -> Draws | None:
        """The stored draws of a block, or None. A damaged entry is named in the log, removed, and as good as none."""
        with self.blocks.reading() as cache:
            return self._block(cache, block_key(key))

    def put_parts(self, parts: Iterable[Part]) -> None:
        """Lengthen blocks, all in one transaction. What is there already stays: equal keys mean equal draws.

        A part that begins after the end of its block is left out: what came before it was found damaged meanwhile.
        """
        self.runs.check_place()  # where the run is to go
        with self.blocks.writing() as cache:
            for part in parts:
                text = block_key(part.key)
                held = self._block(cache, text)
                have = 0 if held is None else len(held)
                if part.first <= have < part.first + len(part.draws):
                    before = [] if held is None else [held.first(part.first)]
                    write(cache, text, draw_bytes.to_bytes(draw_bytes.concatenate([*before, part.draws])))

    def remember(self, about: str, text: str) -> None:
        """Keep a short text beside the draws."""
        with self.blocks.writing() as cache:
            write(cache, about, text.encode())

    def recall(self, about: str) -> str | None:
        """What was remembered; None where nothing was, or where it is damaged."""
        with self.blocks.reading() as cache:
            try:
                payload = read(cache, about)
            except DamagedError:
                return None
        return None if payload is None else payload.decode(errors="replace")

    def check_writable(self) -> None:
        """Raises ``AcesError`` where nothing could be stored, before anything is sampled."""
        for database in (self.runs, self.blocks):
            with database.writing() as cache:
                cache.set("writable", b"")
                cache.delete("writable")

    def _block(self, cache: diskcache.Cache, text: str) -> Draws | None:
        try:
            payload = read(cache, text)
            return None if payload is None else draw_bytes.from_bytes(payload)
        except AcesError as error:
            logger.warning("dropped the draws %s, which %s holds damaged (%s)", text, self.directory, error)
            cache.delete(text)
            return None

    # --- finished runs -----------------------------------------------------------------------------------------

    def put(self, run: Run, *, replace: bool = False) -> None:
        """Store a run under its name; to store it twice changes nothing.

        Raises ``AcesError`` if a run of that name but other content is there, unless ``replace``. A damaged one gives
        way; what a newer program wrote never does.
        """
        name, data = run.meta.name, runs.to_bytes(run, local=True)
        card = {"meta": run.meta.to_json(), "sha256": hashlib.sha256(data).hexdigest()}
        with self.runs.writing() as cache:
            self._check_not_newer(cache, name)
            held = None if replace else self._intact(cache, name)
            if held is not None and not runs.same(held, run):
                raise AcesError(
                    f"{self.directory} holds another run named '{name}': replace it, or give this one another name"
                )
            has_moved = held is not None and run.meta.origin not in (None, held.meta.origin)
            if held is None or has_moved:
                write(cache, run_key(name), data)
                write(cache, card_key(name), json.dumps(card, sort_keys=True).encode())

    def confirm(self, run: Run) -> None:
        """Read a stored run back, through a connection of its own to the file that stands there now.

        Raises ``AcesError`` unless it is there, and the same but for the moment at which it was made: two processes may
        make one run.
        """
        name, fresh = run.meta.name, Store(self.directory)
        if not fresh.exists:
            raise AcesError(f"{self.directory} was removed, and '{name}' with it: run the command again")
        with fresh:
            held = fresh.get(name)
        if not runs.same(replace(held, meta=replace(held.meta, created=run.meta.created)), run):
            raise AcesError(f"'{name}' was replaced in {self.directory} since it was stored: run the command again")

    def get(self, name: str) -> Run:
        """The run of exactly this name. Raises ``AcesError`` if there is none, ``DamagedError`` if it is damaged, and
        ``NewerFormatError`` for what a newer program wrote."""
        with self.runs.reading() as cache:
            run = self._run(cache, name)
        if run is None:
            raise self._missing(name)
        return run

    def find(self, name: str) -> Run | None:
        """The run of exactly this name, or None. Raises ``DamagedError``, also where only its card is damaged, and
        ``NewerFormatError`` for what a newer program wrote."""
        with self.runs.reading() as cache:
            return None if self._card(cache, name) is None else self._run(cache, name)

    def metas(self) -> list[Meta]:
        """What the stored runs are, by name; those that cannot be read are left out."""
        return self.listing().metas

    def listing(self) -> Listing:
        """What the stored runs are, by name, without reading their arrays, and which cannot be read."""
        found: list[Meta] = []
        broken: dict[str, str] = {}
        with self.runs.reading() as cache:
            for name in stored_names(cache):
                try:
                    card = self._card(cache, name)
                except (DamagedError, NewerFormatError) as error:
                    broken[name] = str(error)
                    continue
                if card is not None:  # else another process has just removed it
                    found.append(card[0])
        return Listing(found, broken)

    def fingerprint(self, name: str) -> str:
        """The sha256 of a run's file bytes, without reading them: it changes whenever the run is replaced."""
        with self.runs.reading() as cache:
            card = self._card(cache, name)
        if card is None:
            raise self._missing(name)
        return card[1]

    def remove(self, name: str) -> None:
        """Remove the run of exactly this name, damaged or not, but not its draws.

        Raises ``AcesError`` if there is none, and for what a newer program wrote.
        """
        with self.runs.writing() as cache:
            self._check_not_newer(cache, name)
            gone = [cache.delete(key) for key in (run_key(name), card_key(name))]
            cache.delete(note_key(name))
        if not any(gone):
            raise self._missing(name)

    def _intact(self, cache: diskcache.Cache, name: str) -> Run | None:
        try:
            return self._run(cache, name)
        except DamagedError:
            return None

    def _check_not_newer(self, cache: diskcache.Cache, name: str) -> None:
        """Raise ``NewerFormatError`` if a newer program's run has this name, whichever of its two entries says so."""
        for look in (self._card, self._run_meta):
            try:
                look(cache, name)
            except DamagedError:
                continue

    def _run_meta(self, cache: diskcache.Cache, name: str) -> Meta | None:
        with self._naming(name):
            data = read(cache, run_key(name))
            return None if data is None else runs.meta_from_bytes(data)

    def _run(self, cache: diskcache.Cache, name: str) -> Run | None:
        with self._naming(name):
            data = read(cache, run_key(name))
            run = None if data is None else runs.from_bytes(data, local=True)
            if run is not None and run.meta.name != name:
                raise DamagedError("it is another run")
            return run

    def images(self, name: str) -> Images:
        """The images that the run of exactly this name was evaluated on. Raises as ``get`` does."""
        with self.runs.reading() as cache, self._naming(name):
            data = read(cache, run_key(name))
            if data is not None:
                return runs.images_from_bytes(data)
        raise self._missing(name)

    def _card(self, cache: diskcache.Cache, name: str) -> tuple[Meta, str] | None:
        """The meta of a run and the sha256 of its bytes."""
        with self._naming(name):
            card = read(cache, card_key(name))
            if card is None:
                return None
            meta, sha256 = parsed_card(card)
            if meta.name != name:
                raise DamagedError("its card is of another run")
            return meta, sha256

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Name the run in what is wrong with it: written by a newer program, or else damaged."""
        try:
            yield
        except NewerFormatError as error:
            raise NewerFormatError(
                f"run '{name}' in {self.directory} was written by a newer program ({error}); it is left as it is"
            ) from error
        except AcesError as error:
            raise self._damaged(name, error) from error

    def _missing(self, name: str) -> AcesError:
        return AcesError(f"{self.directory} holds no run named {quoted(name)}; `python -m engine runs` lists the runs")

    def _damaged(self, name: str, error: AcesError) -> DamagedError:
        return DamagedError(
            f"run {quoted(name)} in {self.directory} is damaged ({error}): import its file again, precompute it again, "
            f"for which its stored draws are used, or remove it (`runs --remove`)"
        )
