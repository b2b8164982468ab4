"""Views of the explorer that people have named and kept: an address within the explorer, never a whole one."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import diskcache

from cache.entries import Database, kept_names, read, view_key, write
from cache.errors import DamagedError
from cache.notes import checked
from engine.errors import AcesError
from engine.names import quoted

MOST_VIEWS = 200  # a list that people look through
LONGEST_QUERY = 8_000  # letters: what every server and browser takes in an address
PAGE = re.compile(r"[a-z]{1,40}(?:-[a-z]{1,40}){0,4}")
QUERY = re.compile(r"[A-Za-z0-9_.~%+=&-]*")  # the letters that urlencode writes: nothing in it leads anywhere else

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptView:
    """Where a view stands: the path of its ``page``, and its ``query``, without the question mark."""

    page: str
    query: str

    def __post_init__(self) -> None:
        """Raises ``AcesError`` for what is no address within the explorer: others may have written it."""
        if not isinstance(self.page, str) or not PAGE.fullmatch(self.page):
            raise AcesError(f"a view of {quoted(self.page)} cannot be kept: expected the path of a page")
        if not isinstance(self.query, str) or len(self.query) > LONGEST_QUERY or not QUERY.fullmatch(self.query):
            raise AcesError(
                f"a view at {quoted(self.query)} cannot be kept: expected the query of an address, of at most "
                f"{LONGEST_QUERY:,} letters"
            )

    @property
    def address(self) -> str:
        """Relative to that of any page."""
        return f"{self.page}?{self.query}"


class KeptViews:
    """The kept views of the store at ``directory``, by their names. Looking creates nothing."""

    def __init__(self, runs: Database) -> None:
        self._runs = runs

    @classmethod
    def at(cls, directory: Path) -> Self:
        return cls(Database(directory / "runs"))

    def every(self) -> dict[str, KeptView]:
        """All that are kept, by name; a damaged one is none."""
        if not self._runs.exists:
            return {}
        with self._runs.reading() as cache:
            found = {name: _view(cache, name) for name in kept_names(cache)}
        return {name: view for name, view in sorted(found.items()) if view is not None}

    def keep(self, name: str, view: KeptView) -> None:
        """Raises ``AcesError`` for a bad name, for another view's, and where there are too many."""
        name = checked(name, "view")
        if not name:
            raise AcesError("a view needs a name to be kept under")
        with self._runs.writing() as cache:
            names = kept_names(cache)
            if name in names and _view(cache, name) not in (None, view):
                raise AcesError(f"a view named {quoted(name)} is kept already: choose another name, or remove that one")
            if len(names) >= MOST_VIEWS and name not in names:
                raise AcesError(f"{MOST_VIEWS} views are kept already: remove one of them")
            write(cache, view_key(name), json.dumps(asdict(view), sort_keys=True).encode())

    def remove(self, name: str) -> None:
        """Of one that is no longer there nothing is left to remove."""
        with self._runs.writing() as cache:
            cache.delete(view_key(name))

    def close(self) -> None:
        self._runs.close()


def _view(cache: diskcache.Cache, name: str) -> KeptView | None:
    try:
        if not checked(name, "view") or checked(name, "view") != name:
            raise AcesError("its name is none")
        payload = read(cache, view_key(name))
        return None if payload is None else _from_json(json.loads(payload))
    except (DamagedError, ValueError, RecursionError, AcesError) as error:
        logger.warning("passed over the kept view %s: %s", quoted(name), error)
        return None


def _from_json(data: Any) -> KeptView:
    if not isinstance(data, dict):
        raise AcesError("it is no view")
    return KeptView(data.get("page", ""), data.get("query", ""))
