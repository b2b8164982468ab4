"""Components -> composition: any certification run with any selection and any core run, joined on ``index``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations

import numpy as np

from engine.arrays import Array
from engine.errors import AcesError
from engine.records.meta import Meta
from engine.records.runs import CoreRun, Images, Run, SelectionRun, SmoothedRun
from engine.smoothing import GAUSSIAN, Smoothing

VOTE_SHARES = np.round(np.arange(501, 1000) / 1000, 3)  # shares p_0 of votes to choose from
VOTE_SHARES.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Composition:
    """N images seen by all components, ready for Algorithms 1 and 4.

    ``index``, ``label``, ``core`` int64 [N]; ``class_counts0``, ``class_counts`` int32 [N, m] from n0 and n draws at
    ``sigma``; ``thetas`` float64 [T]; ``select_counts0``, ``select_counts`` int32 [N, T] from ``n0_select`` and
    ``n_select`` draws at ``sigma_select``; ``score_median`` float32 [N], of the selection mechanism. ``radius_digits``
    and ``radius_digits_select``: the significant digits of the log that a component was reconstructed from,
    ``radius_decimals`` and ``radius_decimals_select`` its decimals, if it has these.
    ``from_log`` and ``from_log_select``: whether that was so, whatever digits it had. ``smoothing`` and
    ``smoothing_select``: the noise of either, of one norm. ``by_votes``: no score selects but the votes for the class,
    of which a threshold p_0 asks for a share; there are no select counts then. Of a log whose votes select,
    ``class_counts`` has the fewest votes of the guessed class and ``class_count_high`` int32 [N] the most; None else.
    ``then``: the stages that an image goes through, one after the other, before it comes to the core network.
    ``draws``, ``draws_select`` int64 [N]: how many draws each image had where that differs, of which ``n`` and
    ``n_select`` are then the most; ``parts``, ``parts_select`` int64 [N]: what the bounds of each divide alpha by,
    where its draws ended at a look. All are None where every image is alike (``even``); ``part`` and ``part_select``
    are the divisors of all.
    """

    index: Array
    label: Array
    core: Array
    sigma: float
    n0: int
    n: int
    class_counts0: Array
    class_counts: Array
    sigma_select: float
    n0_select: int
    n_select: int
    thetas: Array
    select_counts0: Array
    select_counts: Array
    score_median: Array
    radius_digits: int | None = None
    radius_digits_select: int | None = None
    radius_decimals: int | None = None
    radius_decimals_select: int | None = None
    predict_class: Array | None = None
    predict_select: Array | None = None
    smoothing: Smoothing = GAUSSIAN
    smoothing_select: Smoothing = GAUSSIAN
    from_log: bool = False
    from_log_select: bool = False
    by_votes: bool = False
    class_count_high: Array | None = None
    then: tuple[LaterStage, ...] = ()
    draws: Array | None = None
    draws_select: Array | None = None
    parts: Array | None = None
    parts_select: Array | None = None
    part: int = 1
    part_select: int = 1

    @property
    def even(self) -> bool:
        """Whether all images of its first stage have the same numbers of draws, and bounds that spend alike."""
        return self.draws is self.draws_select is self.parts is self.parts_select is None

    @property
    def stages(self) -> int:
        """How many certification networks may answer."""
        return 1 + len(self.then)

    @property
    def undirected(self) -> bool:
        """Whether the estimating draws themselves say if its first stage selects: a log keeps no votes that guess."""
        return self.class_count_high is not None

    @property
    def undirected_stages(self) -> int:
        """Of how many stages that holds."""
        return self.undirected + sum(stage.composition.undirected for stage in self.then)

    @property
    def norm(self) -> str:
        """The norm of its radii."""
        return self.smoothing.norm

    def __len__(self) -> int:
        return len(self.index)

    def alike(self) -> list[tuple[slice | Array, Composition]]:
        """The images by their draws and what their bounds spend: their rows, and the composition of these, ``even``."""
        if self.even:
            return [(slice(None), self)]
        each = np.stack([self.draws_of(), self.parts_of(), self.draws_of(select=True), self.parts_of(select=True)], 1)
        _, group = np.unique(each, axis=0, return_inverse=True)
        order = np.argsort(group, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
        return [(some, self.rows(some)) for some in rows]

    def draws_of(self, *, select: bool = False) -> Array:
        """How many draws of the class, or of the selection, estimate each image, int64 [N]."""
        draws, n = (self.draws_select, self.n_select) if select else (self.draws, self.n)
        return np.full(len(self), n) if draws is None else draws

    def parts_of(self, *, select: bool = False) -> Array:
        """What the bounds of the class, or of the selection, of each image divide alpha by, int64 [N]."""
        parts, part = (self.parts_select, self.part_select) if select else (self.parts, self.part)
        return np.full(len(self), part) if parts is None else parts

    def rows(self, keep: slice | Array) -> Composition:
        """The composition of some of the images (of a slice views, no copies)."""
        then = tuple(replace(stage, composition=stage.composition.rows(keep)) for stage in self.then)
        per_image = {
            name: value[keep]
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray) and name != "thetas"
        }
        some = {**vars(self), **per_image, "then": then}
        for many, one in _PER_IMAGE.items():  # what is the same for all that are left is one number again
            values = some[many]
            if values is not None and (values == values[:1]).all():
                some[many], some[one] = None, int(values[0]) if len(values) else some[one]
        return Composition(**some)


_PER_IMAGE = {"draws": "n", "draws_select": "n_select", "parts": "part", "parts_select": "part_select"}


@dataclass(frozen=True, eq=False)
class LaterStage:
    """A later stage of a chain: the ``composition`` of its networks, its threshold ``theta`` and its share ``t``.

    ``theta`` is p_0 where the votes select.
    """

    composition: Composition
    theta: float
    t: float = 0.5


def compose(
    certify: SmoothedRun, core: CoreRun, select: SelectionRun | None = None, *, by_votes: bool = False
) -> Composition:
    """Join components on ``index``. ``select`` replaces the certification run's own entropies, and so do, with
    ``by_votes``, the votes for its classes.

    Raises ``AcesError`` where ``common_images`` does, for radii of different norms, which have no smaller one, and with
    ``by_votes`` for a log of which only the fewest votes are held.
    """
    if by_votes and not certify.meta.selects_by_votes:
        raise AcesError(
            f"'{certify.meta.name}' holds only the fewest votes that print its log's radii, and votes that select need "
            f"the most as well: import the log again with --replace"
        )
    selection: SmoothedRun | SelectionRun = select if select is not None else certify
    _require_one_norm(certify.meta, selection.meta)
    index = common_images(certify, core, selection)
    in_certify, in_core, in_select = (_rows_of(run.index, index) for run in (certify, core, selection))
    recorded = certify.predict_class is not None and selection.predict_select is not None
    joined = Composition(
        index=index,
        label=certify.label[in_certify],
        core=core.prediction[in_core],
        sigma=certify.meta.noise,
        n0=certify.meta.draws0,
        n=certify.meta.draws,
        class_counts0=certify.class_counts0[in_certify],
        class_counts=certify.class_counts[in_certify],
        sigma_select=selection.meta.noise,
        n0_select=selection.meta.draws0,
        n_select=selection.meta.draws,
        thetas=VOTE_SHARES if by_votes else selection.thetas,
        select_counts0=selection.select_counts0[in_select, : 0 if by_votes else None],
        select_counts=selection.select_counts[in_select, : 0 if by_votes else None],
        score_median=(selection.score_median if isinstance(selection, SelectionRun) else selection.entropy_median)[
            in_select
        ],
        radius_digits=certify.meta.radius_digits,
        radius_digits_select=selection.meta.radius_digits,
        radius_decimals=certify.meta.radius_decimals,
        radius_decimals_select=selection.meta.radius_decimals,
        predict_class=certify.predict_class[in_certify] if recorded and certify.predict_class is not None else None,
        predict_select=(
            selection.predict_select[in_select] if recorded and selection.predict_select is not None else None
        ),
        smoothing=certify.meta.smoothing_card,
        smoothing_select=selection.meta.smoothing_card,
        from_log=certify.meta.from_log,
        from_log_select=selection.meta.from_log,
        by_votes=by_votes,
        class_count_high=(
            certify.class_count_high[in_certify]
            if by_votes and certify.meta.from_log and certify.class_count_high is not None
            else None
        ),
        draws=_some(certify.draws, in_certify),
        draws_select=_some(selection.draws, in_select),
        parts=_some(certify.alpha_parts, in_certify),
        parts_select=_some(selection.alpha_parts, in_select),
    )
    return joined if joined.even else joined.rows(slice(None))


def _some(values: Array | None, rows: Array | slice) -> Array | None:
    return None if values is None else values[rows]


@dataclass(frozen=True)
class StageRuns:
    """The runs of one stage; ``select`` and ``by_votes`` as in ``compose``."""

    certify: SmoothedRun
    select: SelectionRun | None = None
    by_votes: bool = False


@dataclass(frozen=True)
class Then:
    """What an image is handed on to: the runs of the stage, its threshold ``theta`` and its share ``t``."""

    runs: StageRuns
    theta: float
    t: float = 0.5


def compose_chain(first: StageRuns, core: CoreRun, then: Sequence[Then]) -> Composition:
    """Join the stages of a chain on ``index``: what ``first`` does not select goes to the next, at last to the core.

    Raises ``AcesError`` where ``compose`` does, for a certification run that stands twice, for stages over different
    images and for radii of different norms.
    """
    stages = (first, *(later.runs for later in then))
    names = [runs.certify.meta.name for runs in stages]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AcesError(f"'{twice}' stands twice in the chain: what it handed on it would be asked again; name another")
    for later in then:
        _require_one_split(first.certify.meta, later.runs.certify.meta)
        _require_same_pictures(first.certify, later.runs.certify)
        _require_one_norm(first.certify.meta, later.runs.certify.meta)
    made = [compose(runs.certify, core, runs.select, by_votes=runs.by_votes) for runs in stages]
    index: Array = reduce(np.intersect1d, [c.index for c in made])
    if not len(index):
        raise AcesError(f"{', '.join(map(repr, names))} share no images: sample them on the same subset")
    head, *rest = (c.rows(_rows_of(c.index, index)) for c in made)
    return replace(head, then=tuple(LaterStage(c, later.theta, later.t) for c, later in zip(rest, then, strict=True)))


def common_images(certify: Run | Images, *others: Run | Images) -> Array:
    """``index`` of the images that all components were evaluated on, int64 [N], in rising order.

    Raises ``AcesError`` for components of different datasets, without common images, or with different labels for one
    index (two projects number the ImageNet validation set differently). A selection run holds no labels; of own copies
    of a dataset the recorded digests of the pictures tell. What of each run says its images is enough.
    """
    runs = (certify, *others)
    for a, b in combinations(runs, 2):
        _require_one_split(a.meta, b.meta)
    index: Array = reduce(np.intersect1d, [run.index for run in runs])
    if not len(index):
        names = ", ".join(f"'{run.meta.name}'" for run in dict.fromkeys(runs))
        raise AcesError(f"{names} share no images: sample them on the same subset")
    for other in others:
        if other.meta.kind == CoreRun.KIND:
            _require_same_classes(certify, other)
            _require_equal_labels(certify, other, index)
        else:
            _require_same_pictures(certify, other)
    return index


def _require_one_split(a: Meta, b: Meta) -> None:
    """An imported log may not say its split; then the labels have to do."""
    if a.dataset != b.dataset or not (a.split is None or b.split is None or a.split == b.split):
        raise AcesError(
            f"'{a.name}' is of {_split_of(a)}, '{b.name}' of {_split_of(b)}: only runs of one dataset and split compose"
        )


def _split_of(meta: Meta) -> str:
    return f"{meta.dataset}/{meta.split}" if meta.split else meta.dataset


def _rows_of(index: Array, wanted: Array) -> Array | slice:
    """Where the images of ``wanted``, all among ``index``, stand; a slice, which copies nothing, where that is all."""
    if np.array_equal(index, wanted):
        return slice(None)
    order = np.argsort(index, kind="stable")
    rows: Array = order[np.searchsorted(index, wanted, sorter=order)]
    return rows


def _require_same_pictures(certify: Run | Images, selection: Run | Images) -> None:
    """Digests are of all pictures that a run was evaluated on, and recorded where these were of an own copy."""
    a, b = (run.meta.extra.get("images") for run in (certify, selection))
    both_own = a is not None and b is not None  # then subsets of one copy have different digests as well
    if a != b and (not both_own or np.array_equal(certify.index, selection.index)):
        raise AcesError(
            f"'{certify.meta.name}' and '{selection.meta.name}' were evaluated on different copies of "
            f"{certify.meta.dataset}, in which a number may be another image: sample both on one copy"
        )


def _require_one_norm(certify: Meta, selection: Meta) -> None:
    a, b = certify.smoothing_card, selection.smoothing_card
    if a.norm != b.norm:
        raise AcesError(
            f"'{certify.name}' was sampled under {a.label} and '{selection.name}' under {b.label}: their radii are "
            f"{a.norm} and {b.norm}, and do not compose"
        )


def _require_same_classes(certify: Run | Images, core: Run | Images) -> None:
    if core.meta.num_classes != certify.meta.num_classes:
        raise AcesError(
            f"'{certify.meta.name}' knows {certify.meta.num_classes} classes, '{core.meta.name}' "
            f"{core.meta.num_classes}: they answer different questions"
        )


def _require_equal_labels(certify: Run | Images, core: Run | Images, index: Array) -> None:
    a, b = (_labels(run)[_rows_of(run.index, index)] for run in (certify, core))
    if (a != b).any():
        at = int((a != b).argmax())
        raise AcesError(
            f"image {index[at]} has label {a[at]} in '{certify.meta.name}' and {b[at]} in '{core.meta.name}' "
            f"({int((a != b).sum())} of {len(a)} differ): the runs number the dataset differently and must not be mixed"
        )


def _labels(run: Run | Images) -> Array:
    assert not isinstance(run, SelectionRun)
    assert run.label is not None
    return run.label
