"""The logs that others published -> records, so that every control works on them.

``import_logs`` reads what eth-sri/ACES publishes (``aces_logs``) and logs in the form of Cohen et al. (``cohen_logs``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import AcesError
from engine.published.aces_logs import FILE, evaluations, read_evaluation
from engine.published.cohen_logs import read_cohen_log
from engine.published.grid import LogDraws, infer_draws
from engine.published.places import distinct_names
from engine.records.runs import CoreRun, Run, SmoothedRun, read_run

__all__ = ["LogDraws", "import_logs", "infer_draws"]


def import_logs(
    *paths: Path, dataset: str | None = None, sigma: float | None = None, alpha: float | None = None
) -> list[Run]:
    """The runs in log files, run files (``.npz``) and folders of them, by path. Nothing is written.

    A folder is searched to any depth; files in it that are no logs are passed over. One file of an ACES evaluation
    stands for the whole of it. Names are the files' stems, preceded by folders where stems coincide; dataset, training
    and sigma come from the folders, unless ``dataset`` and ``sigma`` name them. ``alpha`` is what Cohen-style logs were
    certified at, which otherwise is inferred.
    Raises ``AcesError`` that names file, line and value for anything damaged, missing or contradictory.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    of_aces = {e.main: e for e in evaluations(files)}
    others = [file for file in files if not FILE.fullmatch(file.name)]
    sources = sorted([*of_aces, *others])
    names = distinct_names([path for path in sources if path.suffix != ".npz"])
    if alpha is not None and all(path.suffix == ".npz" or path in of_aces for path in sources):
        raise AcesError("an alpha was stated and none of these is a Cohen-style log, which is what it would be of")
    runs: list[Run] = []
    for path in sources:
        if path.suffix == ".npz":
            runs.append(read_run(path))
        elif path in of_aces:
            runs.append(read_evaluation(of_aces[path], names[path], dataset, sigma))
        else:
            runs.append(read_cohen_log(path, names[path], dataset, sigma, alpha))
    _check_labels(sources, runs)
    return runs


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the logs and run files in a folder. Raises ``AcesError`` where there are none."""
    if path.is_file():
        yield path.parent.resolve() / path.name  # a linked file keeps the name it has here
        return
    if not path.is_dir():
        raise AcesError(f"{path}: no such file or folder")
    found = [file for file in sorted(path.resolve().rglob("*")) if file.is_file() and _is_log(file)]
    if not found:
        raise AcesError(
            f"{path}: no logs in this folder; expected X_certification and the like, or logs that begin 'idx'"
        )
    yield from found


def _is_log(file: Path) -> bool:
    if file.suffix == ".npz" or FILE.fullmatch(file.name):
        return True
    try:
        with file.open("rb") as opened:
            return opened.read(4) == b"idx\t"
    except OSError as error:
        raise AcesError(f"{file}: cannot be read ({error.strerror})") from error


def _check_labels(sources: Sequence[Path], runs: Sequence[Run]) -> None:
    """Logs of one split must agree on what an image shows. Raises ``AcesError`` that names both files."""
    known: dict[tuple[str, str | None], dict[int, tuple[int, Path]]] = {}
    for path, run in zip(sources, runs, strict=True):
        if not isinstance(run, SmoothedRun | CoreRun):
            continue
        labels = known.setdefault((run.meta.dataset, run.meta.split), {})
        for index, label in zip(run.index.tolist(), run.label.tolist(), strict=True):
            before, first = labels.setdefault(index, (label, path))
            if before != label:
                raise AcesError(f"{path}: image {index} has label {label}, and {before} in {first}")
