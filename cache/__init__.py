"""What sampling cost, kept: ``Store`` holds runs and unfinished draws, ``Catalog`` finds whatever can be looked at.

Imports records, ``engine.errors`` and ``engine.folders`` only: looking at finished runs needs no torch.
"""

from cache.catalog import Catalog
from cache.errors import DamagedError
from cache.notes import Note, Notes
from cache.store import BlockKey, Listing, Store
from cache.trash import Deleted, Trash
from cache.views import KeptView, KeptViews

__all__ = [
    "BlockKey",
    "Catalog",
    "DamagedError",
    "Deleted",
    "KeptView",
    "KeptViews",
    "Listing",
    "Note",
    "Notes",
    "Store",
    "Trash",
]
