"""``pictures``: the images of a run, taken from its dataset's files, for the dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cache.catalog import Catalog
from engine import folders
from engine.cli.options import CacheOption
from engine.cli.printing import say
from engine.errors import AcesError
from engine.names import file_in
from engine.output import make_folder
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun

if TYPE_CHECKING:
    from engine.datasets import ImageSet


def pictures(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A smoothed or core run: its name or a unique prefix.")],
    cache: CacheOption = None,
) -> None:
    """Take a run's images from the dataset's files, which do not ship, so that the dashboard shows them.

    Example: python -m engine pictures cifar10-core
    """
    from engine import datasets

    run = Catalog(cache).load(name)
    if isinstance(run, SelectionRun):
        raise AcesError(f"'{run.meta.name}' is a selection run, which does not know its images' labels: name another")
    own = run.meta.origin is not None and run.meta.origin.pictures is not None
    split = run.meta.split or "test"
    whole = datasets.card_of(run.meta).read(split) if own else datasets.load(run.meta.dataset, split)
    found = _images(run, whole, file_in(folders.demo(), f"{run.meta.dataset}_likeness.npz"))
    digest = run.meta.extra.get("images")
    if digest is not None and isinstance(run, SmoothedRun) and found.digest() != digest:
        raise AcesError(f"the pictures of '{run.meta.name}' were exchanged since it was sampled: sample it again")
    path = datasets.pictures_file(run.meta.dataset, run.index, run.label, digest)
    make_folder(path.parent)
    datasets.write_images(found, path)
    say(str(path))


def _images(run: SmoothedRun | CoreRun, whole: ImageSet, likeness: Path) -> ImageSet:
    """By position where the labels agree, else by their likeness, which is a file for runs that ship."""
    from engine.datasets import find_again

    if run.index[-1] < len(whole) and np.array_equal(whole.label[run.index], run.label):
        return whole.rows(run.index)
    if likeness.exists():
        found = find_again(likeness, whole)
        if np.array_equal(found.index, run.index) and np.array_equal(found.label, run.label):
            return found
    raise AcesError(
        f"the labels of '{run.meta.name}' are not those of {whole.dataset}, {whole.split}, on this disk: it was "
        f"sampled from a copy in another order"
    )
