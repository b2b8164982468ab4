"""ACES engine: sample once, certify for every threshold.

The straight line, one module a step:

    datasets -> inference -> sampling -> runs -> bounds -> aces -> metrics

``bounds``, ``aces``, ``metrics`` and ``runs`` need numpy and scipy only; everything that
touches a network imports torch itself, so that importing ``engine`` never does.

``from engine import System`` is what a program needs that uses a deployed system.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.single_image.system import System

__all__ = ["System", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "System":
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from engine.single_image.system import System

    return System
