"""``deposit.json``: what a deposit holds, and on which terms its tables are. Read as a stranger's file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import AcesError
from engine.names import file_fault, quoted
from engine.single_image.strict_json import parse
from engine.statistics.corrections import CORRECTIONS
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

MANIFEST, README = "deposit.json", "README.md"
RUNS, CARDS, TABLES = ROOMS = ("runs", "cards", "tables")
FORMAT, VERSION = "aces-deposit", 1
LARGEST_MANIFEST, LARGEST_FILE = 8 << 20, 4 << 30  # bytes
MOST_FILES, MOST_SYSTEMS, MOST_THETAS, MOST_RADII, MOST_STAGES = 10_000, 200, 2_001, 100, 8
ALONE = "alone.csv"  # the table of the certification networks without ACES

Name = Annotated[str, Field(min_length=1, max_length=200)]
Radii = Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=MOST_RADII)]


class Kept(BaseModel):
    """Entries of the manifest: no other than these, and unchanged once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AloneTerms(Kept):
    """On which terms the certification networks alone are measured; ``radii`` as their columns are called."""

    alpha: float
    bound: Bound
    convention: Convention
    radii: Radii


class DepositedSystem(Kept):
    """A composition of deposited runs, by name, with all that decides the rows of its table, one a threshold.

    ``then``: the later stages, as ``--then`` has them. Where ``by_votes``, ``thetas`` are shares p_0.
    """

    name: Name
    certify: Name
    core: Name
    select: Name | None = None
    by_votes: bool = False
    then: Annotated[tuple[str, ...], Field(max_length=MOST_STAGES)] = ()
    alpha: float
    correction: str
    t: float
    bound: Bound
    convention: Convention
    thetas: Annotated[tuple[float, ...], Field(min_length=1, max_length=MOST_THETAS)]
    radii: Radii

    @property
    def table(self) -> str:
        """Where in the deposit its table is."""
        return f"{TABLES}/{self.name}.csv"


class FileEntry(Kept):
    """A file as it was deposited."""

    size: Annotated[int, Field(ge=0, le=LARGEST_FILE)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Manifest(Kept):
    """All of it: ``files`` by their places, the manifest itself not among them."""

    format: str
    version: int
    made_by: Annotated[str, Field(max_length=200)]
    systems: Annotated[tuple[DepositedSystem, ...], Field(max_length=MOST_SYSTEMS)]
    alone: AloneTerms
    files: Annotated[dict[str, FileEntry], Field(max_length=MOST_FILES)]

    def to_bytes(self) -> bytes:
        """The same manifest gives the same bytes."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()

    def inside(self, room: str) -> list[str]:
        """The names of the files of a room, in order."""
        return sorted(place.removeprefix(f"{room}/") for place in self.files if place.startswith(f"{room}/"))


def read_manifest(data: bytes) -> Manifest:
    """Raises ``AcesError`` for what is no manifest, of a later version, or names files outside of its deposit."""
    if len(data) > LARGEST_MANIFEST:
        raise AcesError(f"{MANIFEST} has more than {LARGEST_MANIFEST >> 20} MB")
    try:
        found = _checked(parse(data))
    except AcesError as error:
        raise AcesError(f"{MANIFEST} is no manifest of a deposit: {error}") from error
    return found


def _checked(value: Any) -> Manifest:
    if not isinstance(value, Mapping) or value.get("format") != FORMAT:
        raise AcesError(f"its format is not {FORMAT}")
    if value.get("version") != VERSION:
        raise AcesError(f"it is of version {quoted(value.get('version'))}, and this engine reads {VERSION}")
    try:
        found = Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise AcesError(f"{quoted('.'.join(map(str, first['loc'])))}: {first['msg']}") from error
    for place in found.files:
        _check_place(place)
    names = [system.name for system in found.systems]
    for system in found.systems:
        _check_system(system)
    if len({name.casefold() for name in names}) < len(names):
        raise AcesError("two systems have one name")
    return found


def _check_place(place: str) -> None:
    """Raises ``AcesError`` where a file would not lie in a room of the deposit."""
    room, _, name = place.partition("/")
    if place != README and (room not in ROOMS or (wrong := file_fault(name)) is not None):
        raise AcesError(f"{quoted(place)} is no place of a file here" + (f": {wrong}" if room in ROOMS else ""))


def _check_system(system: DepositedSystem) -> None:
    if not re.fullmatch(r"[\w.@+-]+", system.name) or file_fault(system.name) is not None:
        raise AcesError(f"{quoted(system.name)} is no name of a system: letters, digits and . @ + - make one")
    if system.correction not in CORRECTIONS:
        raise AcesError(f"no correction is called {quoted(system.correction)}")
