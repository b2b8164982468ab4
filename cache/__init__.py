"""What sampling cost, kept: ``Store`` holds runs and unfinished draws, ``Shelf`` finds whatever can be looked at.

Imports ``engine.runs``, ``engine.draws`` and ``engine.errors`` only: looking at finished runs needs no torch.
"""

from cache.shelf import Shelf
from cache.store import BlockKey, DamagedError, Store
from cache.weights import weights_of

__all__ = ["BlockKey", "DamagedError", "Shelf", "Store", "weights_of"]
