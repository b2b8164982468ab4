"""What sampling cost, kept: ``Store`` holds runs and unfinished draws, ``Catalog`` finds whatever can be looked at.

Imports records, ``engine.errors`` and ``engine.folders`` only: looking at finished runs needs no torch.
"""

from cache.catalog import Catalog
from cache.entries import DamagedError
from cache.store import BlockKey, Listing, Store

__all__ = ["BlockKey", "Catalog", "DamagedError", "Listing", "Store"]
