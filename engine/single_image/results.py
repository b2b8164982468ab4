"""Many certificates in a folder, as they come: one line of JSON and one of CSV for each picture, and its certificate.

Whoever is interrupted goes on where it was: a picture that has a line is not certified again, as long as file, system
and plan are the same. Results of another system or plan are never mixed with them.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from engine import escape, files
from engine.errors import AcesError
from engine.output import make_folder, open_lock, write_file
from engine.single_image.certificate import Certificate, to_json
from engine.single_image.picture import Framing
from engine.single_image.plan import Plan
from engine.single_image.subject import Networks, commitment
from engine.statistics.aces import Outcome

LINES, TABLE = "results.jsonl", "results.csv"
FAILED = "failed"
MOST_BYTES, MOST_LINE = 2_000_000_000, 1_000_000  # of a file of results, and of a line
UNPAIRED = ("utf-8", "backslashreplace")  # names of files may be no text


@dataclass(frozen=True)
class Result:
    """One picture: its ``file`` below the folder that was asked about, the sha256 of its content, and what came of it.

    ``outcome`` is CERTIFY's, or ``FAILED`` with the ``error``; ``radius`` in units where a pixel runs from 0 to 1, 0
    unless certified; ``draws`` of each network; ``certificate``: its file, below the folder of the results; ``notes``:
    what reading the picture had to leave out.
    """

    file: str
    file_sha256: str | None
    outcome: str
    prediction: int | None = None
    answer: str | None = None
    radius: float | None = None
    draws: int | None = None
    seconds: float | None = None
    certificate: str | None = None
    notes: str | None = None
    error: str | None = None

    @classmethod
    def of(cls, file: str, made: Certificate, seconds: float, notes: Sequence[str] = ()) -> Result:
        """Of a certificate, which stands under the picture's own name."""
        said = made.outcome, made.prediction, made.answer, made.radius, made.draws
        told = " ".join(notes) or None
        return cls(file, made.image.file_sha256, *said, round(seconds, 3), f"{file}.json", told)


COLUMNS = [field.name for field in fields(Result)]


def digest(plan: Plan, networks: Networks, framing: Framing, more: str) -> str:
    """The sha256 of everything that decides a result beside its picture; the machine may be another. ``more``: what
    else does.
    """
    fixed = commitment(plan, replace(networks, as_run=None, device=""), "", None)
    return hashlib.sha256(f"{fixed}|{framing}|{more}".encode()).hexdigest()


class Results:
    """The results in a folder. ``done``: by file, those that stand there already; failures are tried again."""

    def __init__(self, folder: Path, of: str, done: Iterable[Result], lines: TextIO, table: TextIO) -> None:
        self._folder, self._of = folder, of
        self._files = lines, table
        self.done = {one.file: one for one in done}
        self.new: list[Result] = []

    @classmethod
    @contextmanager
    def open(cls, folder: Path, of: str) -> Iterator[Results]:
        """The results in ``folder``, of the digest ``of``; no other command adds any meanwhile.

        Raises ``AcesError`` where they are of another one, and where what stands there is no result.
        """
        make_folder(folder)
        with _alone(folder):
            kept = {one.file: one for one in _read(folder / LINES, of) if _stands(one, folder)}.values()
            write_file(folder / LINES, "".join(_line(one, of) for one in kept).encode())
            table = ",".join(COLUMNS) + "\n" + "".join(map(_row, kept))
            write_file(folder / TABLE, table.encode(*UNPAIRED))
            with _appended(folder / LINES) as lines, _appended(folder / TABLE) as rows:
                yield cls(folder, of, kept, lines, rows)

    def has(self, file: str, sha256: str) -> bool:
        """Whether a picture of this content has its result."""
        return file in self.done and self.done[file].file_sha256 == sha256

    def add(self, result: Result, made: Certificate | None = None) -> None:
        """Write a result, its certificate first: a line says that there is one."""
        if made is not None:
            place = self._folder / str(result.certificate)
            make_folder(place.parent)
            write_file(place, to_json(made).encode())
        self.done.pop(result.file, None)
        self.new.append(result)
        for file, line in zip(self._files, (_line(result, self._of), _row(result)), strict=True):
            file.write(line)
            file.flush()


def _stands(one: Result, folder: Path) -> bool:
    return one.outcome != FAILED and (folder / str(one.certificate)).is_file()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with open_lock(folder / f".{LINES}.lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AcesError(f"another command writes its results into {folder}: name another folder") from error
        yield


@contextmanager
def _appended(path: Path) -> Iterator[TextIO]:
    with path.open("a", encoding=UNPAIRED[0], errors=UNPAIRED[1], newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _line(result: Result, of: str) -> str:
    return json.dumps({**asdict(result), "of": of}) + "\n"


def _row(result: Result) -> str:
    out = io.StringIO()
    values = [escape.csv(value) if isinstance(value, str) else value for value in asdict(result).values()]
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def _read(path: Path, of: str) -> Iterator[Result]:
    """The results of a file, without a last line that an interruption left unfinished."""
    if not path.exists():
        return
    try:
        file = files.opened(path, MOST_BYTES)
    except files.FileError as error:
        raise AcesError(f"{path}: no results that could be gone on with; name another folder") from error
    with file:
        for number, line in enumerate(iter(partial(file.readline, MOST_LINE), b""), 1):
            if len(line) == MOST_LINE:
                raise AcesError(f"{path}, line {number}: no result; name another folder, or take the file away")
            if not line.endswith(b"\n"):
                return
            result, said = _parsed(line, f"{path}, line {number}")
            if said != of:
                raise AcesError(
                    f"{path.parent} holds results of another system, plan or crop: name another folder, or take them "
                    f"away"
                )
            yield result


def _parsed(line: bytes, where: str) -> tuple[Result, Any]:
    try:
        data = json.loads(line)
        said = data.pop("of")
        result = Result(**data)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise AcesError(f"{where}: no result; name another folder, or take the file away") from error
    if not isinstance(result.file, str) or result.certificate not in (None, f"{result.file}.json"):
        raise AcesError(f"{where}: no result; name another folder, or take the file away")
    return result, said


def summary(results: Iterable[Result], radii: Iterable[float]) -> list[str]:
    """What came of many pictures, in lines: how many ended how, and how many are certified at each of ``radii``."""
    found = list(results)
    ended = Counter(one.outcome for one in found)
    names = {
        Outcome.CERTIFIED.label: "certified",
        Outcome.CORE.label: "answered by the core network",
        Outcome.CONSENSUS.label: "by consensus",
        Outcome.ABSTAIN.label: "abstained",
        FAILED: "failed",
    }
    parts = [f"{ended[outcome]:,} {name}" for outcome, name in names.items() if ended[outcome]]
    lines = [f"{len(found):,} images: {', '.join(parts) or 'none'}"]
    reached = [one.radius or 0.0 for one in found if one.outcome == Outcome.CERTIFIED.label]
    at = [(r, sum(radius >= r for radius in reached)) for r in radii]
    if reached:
        lines.append("certified at r: " + ", ".join(f"{r:g}: {count:,}" for r, count in at if count))
    draws = [one.draws for one in found if one.draws is not None]
    if draws:
        lines.append(f"draws: {sum(draws):,}, {sum(draws) / len(draws):,.0f} an image")
    return lines


def places(files: Iterable[tuple[Path, str]]) -> dict[str, Path]:
    """Files by where their results stand: by their names below the folders that were asked about.

    Where two would stand at one place, every name begins with its folder's. Raises ``AcesError`` where that does not
    tell them apart.
    """
    named = list(files)
    found = {name: path for path, name in named}
    if len(found) == len(named):
        return found
    named = [(path, f"{_folder(path, name).name}/{name}") for path, name in named]
    found = {name: path for path, name in named}
    if len(found) < len(named):
        twice = next(name for name, count in Counter(name for _, name in named).items() if count > 1)
        raise AcesError(f"the results of two images would stand at {twice}.json: certify their folders one by one")
    return found


def _folder(path: Path, name: str) -> Path:
    """The folder below which a file has this name."""
    return path.absolute().parents[len(Path(name).parts) - 1]
