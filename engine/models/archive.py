"""What a zip archive is, told by the names of its entries: nothing in it is opened, let alone run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine import files
from engine.errors import AcesError


@dataclass(frozen=True)
class Archive:
    """The entries of a zip file by name, and how many bytes they say they hold."""

    names: tuple[str, ...]
    declared: int

    @property
    def is_torchscript(self) -> bool:
        """Whether it brings code that ``torch.jit.load`` would run. torch asks for the same entry."""
        return any(PurePosixPath(name).name == "constants.pkl" for name in self.names)

    @property
    def is_export(self) -> bool:
        """Whether ``torch.export`` wrote it (``.pt2``), today's way or the first one."""
        last = {PurePosixPath(name).name for name in self.names}
        return "serialized_exported_program.json" in last or {"archive_format", "archive_version"} <= last

    @property
    def code(self) -> tuple[str, ...]:
        """The entries that hold source, such as ``code/__torch__/mine.py``."""
        return tuple(sorted(name for name in self.names if name.endswith(".py")))


def archive(path: Path) -> Archive | None:
    """The entries of a file that is a zip archive; None of any other, and of one whose directory is damaged.

    Raises ``AcesError`` where there is no file at ``path``.
    """
    with files.opened(path) as file:
        try:
            with files.unzipped(file) as opened:
                entries = opened.infolist()
        except AcesError:
            return None
    return Archive(tuple(entry.filename for entry in entries), sum(entry.file_size for entry in entries))
