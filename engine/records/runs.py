"""The records: what sampling cost, and nothing that a reader may turn. Their npz form is a contract (docs/formats.md).

N images, m classes, T thresholds. The arrays ending in ``0`` come from the n0 draws that guess, the
others from the n draws that estimate; the two never share a draw.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import numpy as np

from engine import files, npz
from engine.arrays import ABSTAIN, Array
from engine.errors import AcesError
from engine.names import quoted
from engine.output import write_file
from engine.records.meta import MOST_VOTES, Meta, RunError
from engine.records.meta import NetworkInfo as NetworkInfo  # for programs that import the records from here
from engine.records.meta import NewerFormatError as NewerFormatError

LONGEST_META = 1_000_000  # letters: what a page shows of a run, and a terminal lists
MOST_BYTES = 1_000_000_000  # of a run file, and of its arrays: 50,000 images of ImageNet at 1,000 thresholds
META_BYTES = 10 * LONGEST_META  # of the array that holds them, 4 bytes a letter, and of its head


@dataclass(frozen=True, eq=False)
class SmoothedRun:
    """Noisy evaluation of N images by one network: class votes, and how often the entropy fell at or below theta.

    ``index``, ``label`` int64 [N]; ``class_counts0``, ``class_counts`` int32 [N, m], rows summing to n0 and n;
    ``thetas`` float64 [T], rising; ``select_counts0``, ``select_counts`` int32 [N, T], never falling along T;
    ``entropy_median`` float32 [N] (all NaN where not recorded); optional ``entropy_quantiles`` float32 [N, 5];
    optional ``draws`` int64 [N], how many of the n draws an image had, which its votes then sum to; with
    ``meta.decided`` ``alpha_parts`` int64 [N], what alpha is divided by in the bounds of each image;
    optional ``class_count_high`` int32 [N], the most votes of the guessed class that a log's radius allows, of which
    ``class_counts`` has the fewest (``meta.most_votes`` says that it is there);
    optional ``predict_class`` int64 [N] and ``predict_select`` int8 [N, T], recorded PREDICT decisions
    (``ABSTAIN`` = -1) of logs that hold no counts.
    """

    meta: Meta
    index: Array
    label: Array
    class_counts0: Array
    class_counts: Array
    thetas: Array
    select_counts0: Array
    select_counts: Array
    entropy_median: Array
    entropy_quantiles: Array | None = None
    predict_class: Array | None = None
    predict_select: Array | None = None
    class_count_high: Array | None = None
    draws: Array | None = None
    alpha_parts: Array | None = None

    KIND: ClassVar[str] = "smoothed"

    def __post_init__(self) -> None:
        _check_meta(self)
        n, m, t = np.size(self.index), self.meta.num_classes, np.size(self.thetas)
        _cast(self, "index", np.int64, (n,))
        _cast(self, "label", np.int64, (n,))
        _cast(self, "class_counts0", np.int32, (n, m))
        _cast(self, "class_counts", np.int32, (n, m))
        _cast_selection(self, n, t)
        _cast(self, "entropy_median", np.float32, (n,))
        _cast(self, "entropy_quantiles", np.float32, (n, 5))
        _cast(self, "predict_class", np.int64, (n,))
        _cast(self, "predict_select", np.int8, (n, t))
        _cast(self, "class_count_high", np.int32, (n,))
        _cast_draws(self, n)
        _check_index(self)
        _check_range(self, "label", 0, m - 1)
        _check_votes(self, "class_counts0", np.full(n, self.meta.draws0))
        _check_votes(self, "class_counts", draws_of(self))
        _check_selection(self)
        _check_unit(self, "entropy_median", nan_for_all=True)
        _check_unit(self, "entropy_quantiles")
        _check_range(self, "predict_class", ABSTAIN, m - 1)
        _check_range(self, "predict_select", ABSTAIN, 1)
        _check_most(self)


@dataclass(frozen=True, eq=False)
class SelectionRun:
    """Noisy evaluation of N images by a selection network; it replaces a smoothed run's own entropies.

    ``index`` int64 [N]; ``thetas`` float64 [T]; ``select_counts0``, ``select_counts`` int32 [N, T] (draws whose
    score is <= theta); ``score_median`` float32 [N]; optional ``predict_select`` int8 [N, T], ``draws`` and
    ``alpha_parts`` int64 [N], as in a ``SmoothedRun``.
    """

    meta: Meta
    index: Array
    thetas: Array
    select_counts0: Array
    select_counts: Array
    score_median: Array
    predict_select: Array | None = None
    draws: Array | None = None
    alpha_parts: Array | None = None

    KIND: ClassVar[str] = "selection"

    def __post_init__(self) -> None:
        _check_meta(self)
        n, t = np.size(self.index), np.size(self.thetas)
        _cast(self, "index", np.int64, (n,))
        _cast_selection(self, n, t)
        _cast(self, "score_median", np.float32, (n,))
        _cast(self, "predict_select", np.int8, (n, t))
        _cast_draws(self, n)
        _check_index(self)
        _check_selection(self)
        _check_unit(self, "score_median", nan_for_all=True)
        _check_range(self, "predict_select", ABSTAIN, 1)


@dataclass(frozen=True, eq=False)
class CoreRun:
    """What a core network answers without noise: ``index``, ``label``, ``prediction`` int64 [N]; ``logits`` [N, m]."""

    meta: Meta
    index: Array
    label: Array
    prediction: Array
    logits: Array | None = None

    KIND: ClassVar[str] = "core"

    def __post_init__(self) -> None:
        _check_meta(self)
        n, m = np.size(self.index), self.meta.num_classes
        _cast(self, "index", np.int64, (n,))
        _cast(self, "label", np.int64, (n,))
        _cast(self, "prediction", np.int64, (n,))
        _cast(self, "logits", np.float32, (n, m))
        _check_index(self)
        _check_range(self, "label", 0, m - 1)
        _check_range(self, "prediction", 0, m - 1)
        _check_each(self, "logits", lambda logits: ~np.isnan(logits), "numbers")


@dataclass(frozen=True, eq=False)
class Images:
    """Which images a run was evaluated on: ``index`` int64 [N], and ``label`` int64 [N] where the run holds labels."""

    meta: Meta
    index: Array
    label: Array | None = None

    def __post_init__(self) -> None:
        self.meta.check()
        _cast(self, "index", np.int64, (np.size(self.index),))
        _cast(self, "label", np.int64, (np.size(self.index),))
        _check_index(self)
        _check_range(self, "label", 0, self.meta.num_classes - 1)
        if self.label is None and self.meta.kind != SelectionRun.KIND:
            raise RunError(f"a {self.meta.kind} run needs label")


Run = SmoothedRun | SelectionRun | CoreRun
KINDS: dict[str, type[Run]] = {kind.KIND: kind for kind in (SmoothedRun, SelectionRun, CoreRun)}
ARRAYS = frozenset(f.name for kind in KINDS.values() for f in fields(kind))  # all that is read of a file


def arrays(run: Run) -> dict[str, Array]:
    """The arrays of a run by name, without those it does not have."""
    named = {f.name: getattr(run, f.name) for f in fields(run) if f.name != "meta"}
    return {name: value for name, value in named.items() if value is not None}


def same(a: Run, b: Run) -> bool:
    """Whether two runs hold the same meta and arrays, wherever networks and pictures lie on a machine."""
    x, y = arrays(a), arrays(b)
    return (
        replace(a.meta, origin=None) == replace(b.meta, origin=None)
        and x.keys() == y.keys()
        and all(np.array_equal(x[k], y[k], True) for k in x)
    )


def to_bytes(run: Run, *, local: bool = False) -> bytes:
    """A run as the bytes of its npz file (compressed; the same run gives the same bytes).

    ``local``: with its ``origin``, as the store keeps it; every other file is without.
    """
    buffer = io.BytesIO()
    meta = np.array(json.dumps((run.meta if local else replace(run.meta, origin=None)).to_json(), sort_keys=True))
    # As np.savez_compressed, but at zlib's fastest level: count tables shrink hardly less, in a fraction of the time.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, value in {"meta": meta, **arrays(run)}.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: bytes do not depend on the time
            member.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, value, allow_pickle=False)
    return buffer.getvalue()


def from_bytes(data: bytes, source: str = "run", *, local: bool = False, most: int = MOST_BYTES) -> Run:
    """Read and validate npz bytes of at most ``most`` bytes unpacked. Raises ``RunError`` that begins with ``source``;
    never unpickles.

    ``local``: with its ``origin``, of what the store keeps; no other file is believed about this machine.
    """
    with _naming(source):
        run = _from_arrays(_load(io.BytesIO(data), ARRAYS, most))
    return run if local else _from_elsewhere(run)


def _from_elsewhere(run: Run) -> Run:
    """Without what is said of a machine that may be another one."""
    return run if run.meta.origin is None else replace(run, meta=replace(run.meta, origin=None))


@contextmanager
def _naming(source: str) -> Iterator[None]:
    try:
        yield
    except RunError as error:
        raise type(error)(f"{source}: {error}") from error
    except files.FileError as error:  # which names the file itself
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{source}: cannot be read ({error.strerror})") from error


def _load(file: IO[bytes], only: Collection[str], most: int = MOST_BYTES) -> dict[str, Array]:
    """The arrays ``only`` of these names of an npz file."""
    try:
        return npz.read_arrays(file, only, most, {"meta": META_BYTES})
    except AcesError as error:
        raise RunError(str(error)) from error


def _from_arrays(loaded: dict[str, Array]) -> Run:
    data = _json_of(loaded)
    if isinstance(data, dict) and data.get("version") != 1 and data.get("n") is None and "draws" in loaded:
        data = data | {"n": int(loaded["draws"].max(initial=0))} if loaded["draws"].dtype.kind in "iu" else data
    meta = Meta.from_json(data)
    kind = KINDS[meta.kind]
    unknown = {1: ("draws", "alpha_parts"), 2: ("alpha_parts",)}.get(data["version"], ())  # names without a meaning yet
    wanted = [f.name for f in fields(kind) if f.name != "meta" and f.name not in unknown]
    missing = [name for name in wanted if name not in loaded and name not in _OPTIONAL]
    if missing:
        raise RunError(f"a {meta.kind} run needs {', '.join(missing)}")
    return kind(meta, **{name: value for name, value in loaded.items() if name in wanted})


def _meta_of(loaded: Mapping[str, Array]) -> Meta:
    return Meta.from_json(_json_of(loaded))


def _json_of(loaded: Mapping[str, Array]) -> Any:
    if "meta" not in loaded or loaded["meta"].ndim != 0 or loaded["meta"].dtype.kind != "U":
        raise RunError("no 0-d unicode array 'meta': this is no ACES run file")
    return _json(str(loaded["meta"]))


def _json(text: str) -> Any:
    if len(text) > LONGEST_META:
        raise RunError(f"meta has {len(text):,} letters; at most {LONGEST_META:,} are read")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of too many digits
        raise RunError(f"meta is not JSON ({files.reason(error)})") from error


def meta_from_bytes(data: bytes) -> Meta:
    """Only the ``meta`` of npz bytes. Raises ``RunError``."""
    return _meta_of(_load(io.BytesIO(data), ("meta",)))


def images_from_bytes(data: bytes) -> Images:
    """Only the images of npz bytes. Raises ``RunError``."""
    return _images_of(_load(io.BytesIO(data), ("meta", "index", "label")))


def _images_of(loaded: Mapping[str, Array]) -> Images:
    meta = _meta_of(loaded)
    if "index" not in loaded:
        raise RunError(f"a {meta.kind} run needs index")
    return Images(meta, loaded["index"], None if meta.kind == SelectionRun.KIND else loaded.get("label"))


def write_run(run: Run, path: Path) -> None:
    """Write a run file; an interrupted write leaves the old file as it was. Raises ``AcesError`` (``write_file``)."""
    write_file(path, to_bytes(run))


def read_run(path: Path) -> Run:
    """Read and validate a run file. Raises ``RunError`` that names file, array, row and value."""
    with _naming(str(path)), files.opened(path, MOST_BYTES) as file:
        return _from_elsewhere(_from_arrays(_load(file, ARRAYS)))


def read_meta(path: Path) -> Meta:
    """Read only the ``meta`` of a run file. Raises ``RunError`` that names the file."""
    with _naming(str(path)), files.opened(path, MOST_BYTES) as file:
        return replace(_meta_of(_load(file, ("meta",))), origin=None)


def read_images(path: Path) -> Images:
    """Read only the images of a run file, a small part of it. Raises ``RunError`` that names the file."""
    with _naming(str(path)), files.opened(path, MOST_BYTES) as file:
        return _images_of(_load(file, ("meta", "index", "label")))


# --- validation ------------------------------------------------------------------------------------------------


_OPTIONAL = (
    *("entropy_quantiles", "predict_class", "predict_select", "class_count_high", "draws", "alpha_parts", "logits"),
)


def _check_meta(run: Run) -> None:
    run.meta.check()
    if run.meta.kind != run.KIND:
        raise RunError(f"meta.kind is {quoted(run.meta.kind)}; these are the arrays of a {run.KIND} run")


def _cast(run: Run | Images, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    """Give an array its contract dtype, refusing what would change a value, and freeze it."""
    value = getattr(run, name)
    if value is None:
        return
    value = np.asarray(value)
    if value.shape != shape:
        raise RunError(f"{name} has shape {value.shape}; expected {shape}")
    integer = np.issubdtype(dtype, np.integer)
    if value.dtype.kind not in ("iu" if integer else "iuf"):
        raise RunError(f"{name} has dtype {value.dtype}; expected {np.dtype(dtype)}")
    if integer and value.size:
        limits = np.iinfo(cast(Any, dtype))
        if value.min() < limits.min or value.max() > limits.max:
            raise RunError(f"{name} holds {value.min()}..{value.max()}, which does not fit {np.dtype(dtype)}")
    frozen = np.ascontiguousarray(value, dtype).view()  # a view: the caller's own array stays writeable
    frozen.flags.writeable = False
    object.__setattr__(run, name, frozen)


def _cast_selection(run: SmoothedRun | SelectionRun, n: int, t: int) -> None:
    _cast(run, "thetas", np.float64, (t,))
    _cast(run, "select_counts0", np.int32, (n, t))
    _cast(run, "select_counts", np.int32, (n, t))


def _check_index(run: Run | Images) -> None:
    if len(run.index) == 0:
        raise RunError("the run holds no images")
    _check_range(run, "index", 0, None)
    values, counts = np.unique(run.index, return_counts=True)
    if (counts > 1).any():
        twice = int(values[counts > 1][0])
        raise RunError(f"index {twice} appears twice, in rows {np.flatnonzero(run.index == twice)[:2].tolist()}")


def _check_range(run: Run | Images, name: str, low: int, high: int | None) -> None:
    allowed = f"{low}..{high}" if high is not None else f"at least {low}"
    _check_each(run, name, lambda value: (value >= low) & (value <= high if high is not None else True), allowed)


def _check_unit(run: Run, name: str, nan_for_all: bool = False) -> None:
    """Scores lie in [0, 1]; with ``nan_for_all``, all NaN means that they were not recorded."""
    value = getattr(run, name)
    if not (nan_for_all and np.isnan(value).all()):
        _check_each(run, name, lambda value: (value >= 0) & (value <= 1), "0..1")  # false for NaN


def _check_each(run: Run | Images, name: str, good: Callable[[Array], Array], allowed: str) -> None:
    """Every value of an array must be ``good``; the first that is not is named."""
    value = getattr(run, name)
    if value is None:
        return
    bad = ~good(value)
    if bad.any():
        where = np.argwhere(bad)[0]
        raise RunError(f"{name} is {value[tuple(where)]} in row {where[0]}; allowed: {allowed}")


def _cast_draws(run: SmoothedRun | SelectionRun, n: int) -> None:
    """How many draws each image had, of which ``meta`` tells the mean; what all had alike is said by ``meta.n``."""
    _cast(run, "draws", np.int64, (n,))
    _cast(run, "alpha_parts", np.int64, (n,))
    most, mean = run.meta.draws, run.meta.n_mean
    _check_range(run, "draws", 1, most)
    if (run.alpha_parts is None) != (run.meta.decided is None):
        raise RunError("an array alpha_parts belongs to a run whose meta says what was decided, and only there")
    _check_range(run, "alpha_parts", 1, None)
    if run.draws is not None and (run.draws == most).all():
        object.__setattr__(run, "draws", None)
    if run.draws is None and mean is not None:
        raise RunError(f"meta.n_mean is {mean:g}, but every image has {most} draws")
    if run.draws is None:
        return
    found = float(run.draws.mean())
    if mean is not None and abs(mean - found) > 1e-6 * found:
        raise RunError(f"meta.n_mean is {mean:g}; the mean of draws is {found:g}")
    if run.predict_select is not None or run.meta.from_log:
        raise RunError("a log's run has one n: draws that differ by image were counted, not told")
    if mean is None:
        object.__setattr__(run, "meta", replace(run.meta, n_mean=found))


def draws_of(run: SmoothedRun | SelectionRun) -> Array:
    """How many draws estimate each image of a run, int64 [N]."""
    return np.full(len(run.index), run.meta.draws) if run.draws is None else run.draws


def _check_votes(run: SmoothedRun, name: str, total: Array) -> None:
    """The classes of every image [N, m] share its ``total`` [N] votes."""
    _check_range(run, name, 0, int(total.max()))
    sums = getattr(run, name).sum(1, dtype=np.int64)
    if (sums != total).any():
        row = int((sums != total).argmax())
        raise RunError(f"{name} sums to {sums[row]} in row {row}; expected {total[row]} draws")


def _check_most(run: SmoothedRun) -> None:
    """The most votes of a class are no fewer than its fewest, and meta says whether they are there: pages read it."""
    if (run.class_count_high is None) != (run.meta.extra.get(MOST_VOTES) is not True):
        raise RunError(
            f"meta.{MOST_VOTES} is {quoted(run.meta.extra.get(MOST_VOTES))}; expected true where there is an array "
            f"class_count_high, and only there"
        )
    if run.class_count_high is not None:
        fewest = run.class_counts[np.arange(len(run.index)), run.class_counts0.argmax(1)]
        bad = (run.class_count_high < fewest) | (run.class_count_high > run.meta.draws)
        if bad.any():
            row = int(bad.argmax())
            raise RunError(
                f"class_count_high is {run.class_count_high[row]} in row {row}; allowed: {fewest[row]}.."
                f"{run.meta.draws}"
            )


def _check_selection(run: SmoothedRun | SelectionRun) -> None:
    thetas = run.thetas
    if not len(thetas):
        raise RunError("thetas holds no thresholds")
    _check_unit(run, "thetas")
    if (np.diff(thetas) <= 0).any():
        at = int((np.diff(thetas) <= 0).argmax())
        raise RunError(f"thetas do not rise: {thetas[at]} is followed by {thetas[at + 1]} at position {at + 1}")
    for name, total in (("select_counts0", np.full(len(run.index), run.meta.draws0)), ("select_counts", draws_of(run))):
        _check_range(run, name, 0, int(total.max()))
        counts = getattr(run, name)
        falls = counts[:, 1:] < counts[:, :-1]  # not np.diff: a full-size difference would double the memory
        if falls.any():
            row, at = np.argwhere(falls)[0]
            raise RunError(
                f"{name} falls from {counts[row, at]} to {counts[row, at + 1]} at theta {thetas[at + 1]:g} in row {row}"
            )
        if (counts[:, -1] > total).any():
            row = int((counts[:, -1] > total).argmax())
            raise RunError(f"{name} is {counts[row, -1]} in row {row}; it had {total[row]} draws")
        if thetas[-1] == 1 and (counts[:, -1] != total).any():
            row = int((counts[:, -1] != total).argmax())
            raise RunError(
                f"{name} is {counts[row, -1]} at theta 1 in row {row}; every draw is selected there: {total[row]}"
            )
