"""The pictures below a folder, and what of it is passed over: named, so that nobody misses it unawares."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from engine.datasets.formats import SUFFIXES
from engine.errors import AcesError

OF_SYSTEMS = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found", "Thumbs.db")
MOST_OTHERS, MOST_TIMES = 20_000, 10  # files that are no pictures: that many, and times as many as there are pictures
NAMED = 3  # of what is passed over for one reason


@dataclass
class Tree:
    """What a walk below ``folder`` has found: how many pictures, and what it passed over, by reason.

    Links are followed to files inside the folder only: a link to a folder may be a loop or show pictures twice, and one
    that leads out of it shows what nobody put there.
    """

    folder: Path
    pictures: int = 0
    passed: dict[str, list[str]] = field(default_factory=dict)

    def notes(self) -> tuple[str, ...]:
        """What was passed over, a line for each reason."""
        return tuple(f"passed over {_counted(why, names)}" for why, names in self.passed.items())

    def pass_over(self, why: str, name: str) -> None:
        self.passed.setdefault(why, []).append(name)

    def leads_out(self, entry: os.DirEntry[str]) -> bool:
        """Whether a link ends outside of the folder; one that leads to itself does not end."""
        return not Path(os.path.realpath(entry.path)).is_relative_to(os.path.realpath(self.folder))


HIDDEN = "hidden, or a system's own"
LINKED = "links that lead out of the folder"
LINKED_FOLDER = "links to folders"
UNREAD = "formats that are not read"
OUTSIDE = "beside the class folders"


def classes_of(tree: Tree) -> tuple[str, ...]:
    """The names of the folder's subfolders, hidden ones and links passed over. Raises ``AcesError`` if unreadable."""
    found = []
    for entry in _entries(tree.folder):
        if _is_folder(entry):
            if _is_wanted(entry, entry.name, tree):
                found.append(entry.name)
        elif _is_picture(entry.name) and not _is_hidden(entry.name):
            tree.pass_over(OUTSIDE, entry.name)
    return tuple(sorted(found))


def pictures_below(tree: Tree, start: str = "") -> list[str]:
    """The files below ``start`` that are called like pictures, by path from the tree's folder.

    In torchvision's order: by folder, then by name. Raises ``AcesError`` for a folder that cannot be read.
    """
    found: list[tuple[str, str]] = []
    waiting = [start]
    while waiting:
        below = waiting.pop()
        for entry in _entries(tree.folder / below):
            name = os.path.join(below, entry.name)  # noqa: PTH118 (the empty folder name stays out of it)
            if not _is_wanted(entry, name, tree):
                continue
            if entry.is_dir(follow_symlinks=False):
                waiting.append(name)
            elif _is_picture(name):
                found.append((below, entry.name))
                tree.pictures += 1
            else:
                tree.pass_over(UNREAD, name)
                _check_others(tree)
    return [os.path.join(*parts) for parts in sorted(found)]  # noqa: PTH118


def _check_others(tree: Tree) -> None:
    """Raise ``AcesError`` in a folder that is no collection of pictures, such as a whole disk."""
    others = len(tree.passed[UNREAD])
    if others > max(MOST_OTHERS, MOST_TIMES * tree.pictures):
        raise AcesError(
            f"{tree.folder} holds more than {others - 1:,} files that are no pictures: name the folder that holds them"
        )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise AcesError(f"{folder}: cannot be read ({error.strerror})") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder, or a link to one."""
    return os.path.isdir(entry.path)  # noqa: PTH112 (the entry's own method raises on a link to itself)


def _is_hidden(name: str) -> bool:
    """.thumbnails, .ipynb_checkpoints, AppleDouble's ._a.jpg, and what systems put beside pictures."""
    return name.startswith(".") or name in OF_SYSTEMS


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 (a Path for each of a million names is slow)


def _is_wanted(entry: os.DirEntry[str], name: str, tree: Tree) -> bool:
    """Whether to look at it; if not, the tree knows why."""
    if _is_hidden(entry.name):
        tree.pass_over(HIDDEN, name)
    elif entry.is_symlink() and tree.leads_out(entry):
        tree.pass_over(LINKED, name)
    elif entry.is_symlink() and _is_folder(entry):
        tree.pass_over(LINKED_FOLDER, name)
    else:
        return True
    return False


def _counted(why: str, names: list[str]) -> str:
    """How many there are, and what they are called; of formats, how many of each.

    >>> _counted("hidden", ["._a", "._b"]), _counted(UNREAD, ["a.heic", "b.HEIC", "c"])
    ('2: hidden (._a, ._b)', '3: formats that are not read (2 .heic, 1 without a suffix)')
    """
    if why == UNREAD:
        kinds = Counter(Path(name).suffix.lower() or "without a suffix" for name in names)
        return f"{len(names):,}: {why} ({', '.join(f'{count:,} {kind}' for kind, count in kinds.most_common())})"
    more = f", and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{len(names):,}: {why} ({', '.join(sorted(names)[:NAMED])}{more})"
