"""Thousands of changed files through each reader: what comes out is an object or the project's error, and soon."""

from __future__ import annotations

import logging
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from benchmarks.faults.readers import FuzzedReader, refused
from tests import ROOT

CORPUS = ROOT / "tests" / "corpus"  # files that once came through as something else, by reader
SECONDS = 20  # of the processor's time, for files of some kB
LONGEST = 1_500  # letters of a message


class SlowError(Exception):
    """A reader that takes far longer than its file is worth."""


@dataclass
class Fuzzed:
    """What came of one reader: ``tries`` of which so many were ``refused``; ``faults`` by where they come from."""

    name: str
    tries: int = 0
    refused: int = 0
    seconds: float = 0.0
    faults: dict[str, bytes] = field(default_factory=dict)

    def note(self, where: str, data: bytes) -> None:
        """Keep the smallest file of each fault."""
        known = self.faults.get(where)
        if known is None or len(data) < len(known):
            self.faults[where] = data


def fuzz(reader: FuzzedReader, examples: int, seed: int | None = None) -> Fuzzed:
    """``examples`` changed files through a reader, the same ones for the same ``seed``, or, without one, for the same
    reader.
    """
    found, start = Fuzzed(reader.name), time.monotonic()
    seeds = tuple(reader.seeds())
    for data in (*seeds, *corpus(reader.name)):
        send(reader, data, found)
    strategy = st.one_of(*(mutants(seeds) for mutants in reader.mutants))

    def one(data: bytes) -> None:
        send(reader, data, found)

    how = settings(
        max_examples=examples, deadline=None, database=None, derandomize=seed is None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    test = how(given(strategy)(one))
    (test if seed is None else seeded(seed)(test))()
    found.seconds = time.monotonic() - start
    return found


def corpus(name: str) -> list[bytes]:
    """The kept files of a reader."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def keep(found: Fuzzed, folder: Path = CORPUS) -> list[Path]:
    """Write the files that came through as faults; where they are."""
    paths = []
    for number, data in enumerate(found.faults.values()):
        path = folder / found.name / f"found-{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    return paths


def send(reader: FuzzedReader, data: bytes, found: Fuzzed) -> None:
    """One file through a reader; what came of it is counted in ``found``."""
    found.tries += 1
    try:
        with warnings.catch_warnings(), _quietly(), _soon():
            warnings.simplefilter("error")
            said = refused(reader, data)
        found.refused += said is not None
        if said is not None and len(str(said)) > LONGEST:
            found.note(f"a message of more than {LONGEST} letters: {str(said)[:80]}", data)
    except Exception as error:  # what must not come out
        last = traceback.extract_tb(error.__traceback__)[-1]
        found.note(f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {str(error)[:100]}", data)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the log, which tells of every damaged entry that is passed over."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _soon() -> Iterator[None]:
    """Raises ``SlowError`` after ``SECONDS`` of this process's own time."""

    def late(number: int, frame: FrameType | None) -> None:
        raise SlowError(f"more than {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
