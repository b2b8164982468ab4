"""What a store may turn out to be."""

from __future__ import annotations

import sqlite3

from engine.errors import AcesError

TROUBLE = (sqlite3.Error, UnicodeDecodeError)  # the latter where SQLite's message quotes bytes of a damaged schema


class DamagedError(AcesError):
    """A stored entry, or a whole database, that is not what was written."""
