"""Where a run's network and pictures lie on the machine that sampled it, and what their files do not say.

Only the store keeps it: no run file holds it, and of a file that says it nothing is believed. Whoever else reads the
run learns no folder of this machine, and no file of anybody's names what is read, or run, here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from engine.errors import AcesError
from engine.names import LONGEST_NOTE, fault, quoted

LIBRARIES = ("timm:", "transformers:")  # whose names hold a colon and are no code of the user's own


def code_of(architecture: str | None) -> tuple[Path, str] | None:
    """File and function of ``FILE.py:function``; None for every other name.

    >>> code_of("net.py:make"), code_of("package.module:make"), code_of("resnet110")
    ((PosixPath('net.py'), 'make'), None, None)
    """
    file, colon, function = (architecture or "").rpartition(":")
    return (Path(file), function) if colon and file.endswith(".py") else None


def placed(architecture: str | None, place: Callable[[Path], str | Path]) -> str | None:
    """An architecture with its file of code where ``place`` says; any other name as it is.

    >>> placed("net.py:make", lambda file: "/nets" / file), placed("resnet110", Path)
    ('/nets/net.py:make', 'resnet110')
    """
    if (code := code_of(architecture)) is None:
        return architecture
    file, function = code
    return f"{place(file)}:{function}"


@dataclass(frozen=True)
class Origin:
    """``checkpoint``: a path, or how else it was named; ``architecture``, ``weights``, ``normalizer`` as it was said.

    ``pictures``: the folder or file of a dataset of one's own; the shorter side was resized to ``resize`` pixels, and
    the central square of ``size`` taken.
    """

    checkpoint: str
    architecture: str | None = None
    weights: str | None = None
    normalizer: str | None = None
    pictures: str | None = None
    size: int | None = None
    resize: int | None = None

    @property
    def runs_code(self) -> bool:
        """Whether the network is built by a function of the user's own."""
        named = self.architecture
        return named is not None and ":" in named and not named.startswith(LIBRARIES)

    def to_json(self) -> dict[str, Any]:
        """As the store keeps it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, said: Any) -> Self:
        """Read what ``to_json`` gave; entries that are not known are passed over. Raises ``AcesError`` for others."""
        if not isinstance(said, Mapping) or "checkpoint" not in said:
            raise AcesError(f"meta.origin is {quoted(said)}; expected an object that names a checkpoint")
        known = {field.name: said[field.name] for field in fields(cls) if said.get(field.name) is not None}
        for name, value in known.items():
            if name in ("size", "resize"):
                wrong = None if type(value) is int and value > 0 else "a number of at least 1"
            else:
                wrong = fault(value, LONGEST_NOTE)
            if wrong is not None:
                raise AcesError(f"meta.origin.{name} is {quoted(value)}; expected {wrong}")
        return cls(**known)
