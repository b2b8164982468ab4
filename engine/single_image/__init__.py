"""One image now: plan, draws, evidence, certificate, and what checks or attacks it.

``System``, ``certify_image`` and ``sample_image`` are what a script needs. They are looked up when they are asked for,
so that whoever needs a part of this only does not import all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.single_image.certify import certify_image, sample_image
    from engine.single_image.system import System

__all__ = ["System", "certify_image", "sample_image"]

_HOMES = {"System": "system", "certify_image": "certify", "sample_image": "certify"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
