"""``certify`` of many pictures into a folder: rows as they come, progress, a summary, and going on where it was."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.printing import say
from engine.errors import AcesError

if TYPE_CHECKING:
    from engine.single_image.certificate import Certificate
    from engine.single_image.picture import Picture
    from engine.single_image.results import Results

RADII = (0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # of the summary


def certify_into(
    folder: Path, of: str, files: Mapping[str, Path], certify: Callable[[Picture], Certificate], *, quiet: bool
) -> tuple[list[Certificate], int]:
    """Certify the ``files`` that have no result yet in ``folder``, of the digest ``of``.

    Gives the certificates that are new, without them where ``quiet`` keeps nothing, and how many files failed.
    """
    from engine.cli.progress import ImagesBar
    from engine.single_image.results import Results, summary

    made: list[Certificate] = []
    with Results.open(folder, of) as results, ImagesBar(len(files)) as bar:
        asked = dict(files)
        for name, path in asked.items():
            one = _certified(name, path, results, certify)
            bar(len(results.new), name)
            if one is not None and not quiet:
                made.append(one)
        every = [*(one for name, one in results.done.items() if name in asked), *results.new]
        there = len(every) - len(results.new)
        for line in summary(every, RADII):
            say(line, sys.stderr)
        say(f"{there:,} of them were there already; results in {folder}", sys.stderr)
        return made, sum(one.error is not None for one in results.new)


def _certified(
    name: str, path: Path, results: Results, certify: Callable[[Picture], Certificate]
) -> Certificate | None:
    """The certificate of a file that has none yet; None where there is one, or there can be none, which is said."""
    from engine.single_image.picture import read_file, read_picture
    from engine.single_image.results import FAILED, Result

    start, sha256 = time.perf_counter(), None
    try:
        data = read_file(path)
        sha256 = hashlib.sha256(data).hexdigest()
        if results.has(name, sha256):
            return None
        picture = read_picture(data)
        made = certify(picture)
    except AcesError as error:
        say(f"{path}: {error}", sys.stderr)
        results.add(Result(name, sha256, FAILED, error=str(error)))
        return None
    results.add(Result.of(name, made, time.perf_counter() - start, picture.notes), made)
    return made


def below(folder: Path) -> Iterator[tuple[Path, str]]:
    """The pictures of a folder with their names below it, sorted. Raises ``AcesError`` where it has none."""
    from engine.datasets.formats import SUFFIXES
    from engine.datasets.tree import Tree, pictures_below

    tree = Tree(folder)
    found = sorted(pictures_below(tree))
    for note in tree.notes():
        say(f"{folder}: {note}", sys.stderr)
    if not found:
        raise AcesError(f"{folder} holds no image files ({', '.join(SUFFIXES)})")
    yield from ((folder / name, name) for name in found)
