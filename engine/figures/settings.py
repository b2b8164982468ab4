"""What a figure is of: the compositions drawn, the terms of their certificates, and where the reader stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from zlib import crc32

from engine import datasets
from engine.errors import AcesError
from engine.mechanisms import OWN, Words, words_of
from engine.records.meta import Meta
from engine.smoothing import GAUSSIAN, Smoothing
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import LATER_THETA, Later, read_later
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

DEFAULT_THETA = LATER_THETA
DEFAULT_P0 = 0.7  # the share of votes for the class by which these select
DEFAULT_RADIUS = 0.25
DEFAULT_BOUND = Bound.MARGIN  # its radii are the larger ones, at the same promise
NO_MARGIN = "the log tells of the top class alone"  # where a run was reconstructed from one
COLOURS = ("composition", "σ", "training")  # by what fronts are coloured
OWN_SELECTION = OWN.name
BY_VOTES: Literal["votes"] = "votes"  # the selection by the votes for the class: its name, and in place of a run
Mechanism = Meta | None | Literal["votes"]  # what selects: a selection run, None for the entropy, or the votes
SEPARATOR = " · "  # between the components of a label
OF_COLLECTION = " › "  # in addresses, between a collection and a training: no collection's name has it
LARGEST_Z = 4.5  # no ceiling of n <= 100,000 draws at alpha <= 0.1 lies above this many sigma


def mismatched(run: Meta) -> bool:
    """Whether a run was sampled under another noise than its network was trained with, as far as is known."""
    return run.network.sigma_train is not None and run.network.sigma_train != run.sigma


def noise_label(run: Meta) -> str:
    """A run's noise as sliders and marks name it: with its smoothing and the training noise where they are others."""
    noise = f"{run.noise:g}" if run.smoothing == GAUSSIAN.name else f"{run.noise:g} {run.smoothing}"
    return f"{noise} (net {run.network.sigma_train:g})" if mismatched(run) else noise


def network_key(run: Meta) -> str:
    """What tells the networks of runs apart, as far as it is recorded."""
    return run.network.sha256 or run.network.name or run.name


def class_names(meta: Meta) -> tuple[str, ...]:
    """The classes of a run's dataset by number; numbers where neither engine nor run knows them."""
    known = datasets.known(meta.dataset)
    if known is not None and len(known.classes) >= meta.num_classes:
        return known.classes
    return meta.classes or tuple(str(k) for k in range(meta.num_classes))


def symbol_of(selection: str) -> str:
    """What the threshold of a selection of this name is called."""
    return "p₀" if selection == BY_VOTES else "θ"


def later_text(later: Later[Meta]) -> str:
    """A second stage as the commands' ``--then`` has it, and as it stands in addresses of compositions."""
    how = f"p0={later.theta:.3f}" if later.by_votes else f"{later.theta:.3f},{later.t:.12g}"
    return f"{later.run.name},{how}"


def later_label(later: Later[Meta]) -> str:
    """The same as figures name it."""
    how = f"p₀ {later.theta:.3f}" if later.by_votes else f"θ {later.theta:.3f}"
    share = "" if later.by_votes or later.t == MAJORITY else f", t {later.t:g}"
    return f"then {later.run.network.training or 'unknown'} σ {later.run.noise:g}, {how}{share}"


def later_of(text: str, runs: Mapping[str, Meta]) -> Later[Meta] | None:
    """Read ``later_text`` back, of these certification runs by name. None if it names none of them, or no threshold."""
    with suppress(AcesError):
        named = read_later(text)
        if named.run in runs and "," in text:
            return Later(runs[named.run], named.theta, named.t, named.by_votes)
    return None


def is_threshold(value: float, by_votes: bool) -> bool:
    """Whether something selects by it: a share of votes in (1/2, 1), or a score's threshold in [0, 1]."""
    return 0.5 < value < 1 if by_votes else 0 <= value <= 1


@dataclass(frozen=True)
class Choice:
    """A composition: a certification run of a training, a core run, and a selection run, None for the entropy.

    ``noise`` is the certification run's label in its experiment. ``by_votes``: the votes for the class select.
    ``then``: what the first stage does not select goes through a second one. ``collection``: of the certification
    run, where there is more than one to tell apart, else empty.
    """

    training: str
    noise: str
    certify_run: Meta
    core_run: Meta
    select_run: Meta | None = None
    by_votes: bool = False
    then: Later[Meta] | None = None
    collection: str = ""

    @classmethod
    def of(
        cls, training: str, noise: str, certify_run: Meta, core_run: Meta, mechanism: Mechanism, collection: str = ""
    ) -> Choice:
        """One stage, with what selects in it."""
        if mechanism == BY_VOTES:
            return cls(training, noise, certify_run, core_run, by_votes=True, collection=collection)
        assert not isinstance(mechanism, str)
        return cls(training, noise, certify_run, core_run, mechanism, collection=collection)

    @property
    def address(self) -> tuple[str, ...]:
        """The values of the controls that choose it: training, noise, core, selection, then the second stage.

        A collection stands in front of the training.
        """
        first, *rest = self.components
        own = (f"{self.collection}{OF_COLLECTION}{first}" if self.collection else first, *rest)
        return own if self.then is None else (*own, later_text(self.then))

    @property
    def components(self) -> tuple[str, str, str, str]:
        """Training, noise, core and selection, whichever the collection."""
        return self.training, self.noise, self.core_run.name, self.selection

    @property
    def runs(self) -> tuple[Meta, ...]:
        """What it is composed of."""
        later = None if self.then is None else self.then.run
        return tuple(run for run in (self.certify_run, self.core_run, self.select_run, later) if run is not None)

    @property
    def from_log(self) -> bool:
        """Whether the class of one of its stages is told by a log."""
        return self.certify_run.from_log or (self.then is not None and self.then.run.from_log)

    @property
    def by_votes_of_a_log(self) -> bool:
        """Whether votes that a log tells select in one of its stages."""
        later = self.then is not None and self.then.by_votes and self.then.run.from_log
        return later or (self.by_votes and self.certify_run.from_log)

    @property
    def symbol(self) -> str:
        """What its threshold is called."""
        return symbol_of(self.selection)

    @property
    def selection(self) -> str:
        """The name of the selection mechanism."""
        if self.by_votes:
            return BY_VOTES
        return self.select_run.name if self.select_run is not None else OWN_SELECTION


@dataclass(frozen=True)
class Pin:
    """A composition at a threshold, to compare with."""

    choice: Choice
    theta: float


class Terms(NamedTuple):
    """On which terms a certificate is given: all but threshold and radius that the engine asks of CERTIFY."""

    alpha: float
    correction: Correction
    t: float
    bound: Bound

    @property
    def named(self) -> dict[str, Any]:
        """As the engine's functions call them."""
        return self._asdict()


def bound_for(run: Meta | Choice, asked: Bound, convention: Convention = Convention.ALGORITHM) -> Bound:
    """The bound that the class of a run or a composition gets: what is asked for, where its counts and the convention
    have it.

    A log tells of the top class alone, and the paper knows no margin: both have the complement.
    """
    return Bound.COMPLEMENT if run.from_log or convention is Convention.PAPER else asked


@dataclass(frozen=True)
class Settings:
    """One view: which composition, and where the reader stands. ``radius`` in pixel units of [0, 1]. ``t`` is the
    share of votes that selects, ``bound`` what is asked of the class's bound: ``terms`` has the one that is had.

    ``drawn`` are the compositions that figures of many show, the current one among them. ``paper``: labels of the
    paper's series beside them. ``pin``: the composition and threshold that this view is compared with.
    """

    choice: Choice
    theta: float = DEFAULT_THETA
    alpha: float = DEFAULT_ALPHA
    radius: float = DEFAULT_RADIUS
    correction: Correction = DEFAULT_CORRECTION
    t: float = MAJORITY
    bound: Bound = DEFAULT_BOUND
    convention: Convention = Convention.ALGORITHM
    paper: tuple[str, ...] = ()
    drawn: tuple[Choice, ...] = ()
    colour: str = COLOURS[0]  # by what the compositions drawn are coloured
    pin: Pin | None = None
    pin_lost: bool = False  # something was pinned that is not there
    pin_of: str = ""  # or that is of this other dataset, with which nothing here is compared
    of_scores: float | None = None  # the threshold of compositions in which a score selects, ``theta`` if None
    p0: float = DEFAULT_P0  # and of those in which the votes do
    called: tuple[tuple[str, str], ...] = ()  # runs that have a label, by name, and what they are called

    @property
    def certify_run(self) -> Meta:
        """The certification run."""
        return self.choice.certify_run

    @property
    def core_run(self) -> Meta:
        """The core run."""
        return self.choice.core_run

    @property
    def select_run(self) -> Meta | None:
        """The selection run, None where the certification network's entropy selects."""
        return self.choice.select_run

    @property
    def bound_used(self) -> Bound:
        """The bound that the current composition's class gets."""
        return bound_for(self.choice, self.bound, self.convention)

    @property
    def without_margin(self) -> tuple[Choice, ...]:
        """The compositions drawn that have the complement, where a margin was asked for."""
        return tuple(c for c in self.compositions if self.at(c).bound_used is not self.bound)

    @property
    def terms(self) -> Terms:
        """On which terms the current composition's certificates are given; ``at`` has those of another."""
        return Terms(self.alpha, self.correction, MAJORITY if self.choice.by_votes else self.t, self.bound_used)

    @property
    def symbol(self) -> str:
        """What ``theta`` is called."""
        return self.choice.symbol

    @property
    def turned(self) -> dict[str, float]:
        """What the controls that the browser can follow by itself show, by their keys; and a number of all else.

        ``sigma`` is the position of the composition, among those drawn, that has the noise.

        Nothing where the votes for the class select: its threshold has another dial.
        """
        if self.choice.by_votes:
            return {}
        seen = self.choice.address, [choice.address for choice in self.compositions], self.correction, self.bound
        return {
            "theta": self.theta,
            "votes": self.t,
            "alpha": self.alpha,
            "radius": self.radius,
            "sigma": self.position,
            "view": crc32(repr((*seen, self.convention, self.p0)).encode()),
        }

    @property
    def smoothing(self) -> Smoothing:
        """The noise of the certification run, with its norm."""
        return self.certify_run.smoothing_card

    @property
    def mechanism(self) -> Words:
        """How texts call what selects."""
        return words_of(self.select_run or self.certify_run)

    @property
    def compositions(self) -> tuple[Choice, ...]:
        """The compositions that figures of many show."""
        return self.drawn or (self.choice,)

    @property
    def runs(self) -> dict[str, Meta]:
        """The runs that the view rests on, by name: those of the current composition first."""
        every = [self.choice, *self.compositions, *([self.pin.choice] if self.pin else [])]
        return {run.name: run for choice in every for run in choice.runs}

    @property
    def compared(self) -> tuple[Choice, ...]:
        """The compositions before the reader's eyes to choose from: those drawn, and what is pinned.

        One for each certification run and selection: the bounds are theirs, and hold for every core network at once.
        """
        pinned = () if self.pin is None else (self.pin.choice,)
        seen = (*self.compositions, *pinned)
        return tuple(
            {(choice.certify_run.name, choice.selection, choice.address[4:]): choice for choice in seen}.values()
        )

    @property
    def position(self) -> int:
        """Where the current composition stands among those drawn, which picks its colour."""
        return self.compositions.index(self.choice)

    @property
    def label(self) -> str:
        """The current composition, as figures name it."""
        return self.labels(self.compositions)[self.position]

    def labels(self, choices: Sequence[Choice]) -> list[str]:
        """What tells these compositions apart."""
        return labels(choices, dict(self.called))

    def at(self, choice: Choice, theta: float | None = None) -> Settings:
        """The same view of another composition, at another threshold if given."""
        of_scores = self.theta if self.of_scores is None else self.of_scores
        here = self.p0 if choice.by_votes else of_scores
        if choice.by_votes == self.choice.by_votes:
            here = self.theta
        return replace(self, choice=choice, theta=here if theta is None else theta, of_scores=of_scores)


def labels(choices: Sequence[Choice], called: Mapping[str, str] | None = None) -> list[str]:
    """What tells the compositions apart: always the noise, else only what differs among them.

    ``called``: what runs with a label of their own are called; that of a certification run stands for its training.
    """
    called = called or {}
    every = [(choice.collection, *choice.components) for choice in choices]
    shown = [len({parts[k] for parts in every}) > 1 for k in range(5)]
    short, long = (
        [_joined(choice, shown, called, at_length=at_length) for choice in choices] for at_length in (False, True)
    )
    which = [(*choice.address, choice.certify_run.name) for choice in choices]
    named, at_length = (Counter(dict(zip(which, made, strict=True)).values()) for made in (short, long))
    return [  # names that hold the separator could make two compositions look alike
        brief if named[brief] == 1 else full if at_length[full] == 1 else SEPARATOR.join(map(repr, parts))
        for brief, full, parts in zip(short, long, which, strict=True)
    ]


def _joined(choice: Choice, shown: Sequence[bool], called: Mapping[str, str], *, at_length: bool) -> str:
    """The parts of a label that are shown, and always the noise; ``at_length`` with the run's name."""
    is_called = choice.certify_run.name in called
    parts = [
        text
        for k, text in enumerate(_parts(choice, called, at_length=at_length))
        if shown[k] or k == 2 or (k == 1 and is_called)
    ]
    return SEPARATOR.join([*parts, *([later_label(choice.then)] if choice.then is not None else [])])


def _parts(choice: Choice, called: Mapping[str, str], *, at_length: bool) -> tuple[str, str, str, str, str]:
    """Collection, training, noise, core and selection as labels have them."""
    name, (training, noise, core, selection) = choice.certify_run.name, choice.components
    shown = noise.removesuffix(f" ({name})")
    if at_length and name not in called:
        telling = _telling(choice.certify_run)
        shown = f"{shown} ({telling})" if telling else shown
    return (
        choice.collection, called.get(name, training), f"σ {shown}", called.get(core, core),
        called.get(selection, selection),
    )  # fmt: skip


def _telling(run: Meta) -> str:
    """What the name of a run says beyond its dataset, training and noise.

    Of ``cifar10-gaussian-fast-0.25`` that is ``fast``, of ``cifar10-gaussian-0.25`` nothing; of a name that is not made
    of them all.
    """
    start = f"{run.dataset}-{run.network.training}-"
    for end in (f"{run.noise:g}", f"{run.noise}"):
        if run.name.startswith(start) and run.name.endswith(end):
            return run.name[len(start) : -len(end)].strip("-")
    return run.name


def alpha_text(alpha: float) -> str:
    """A failure probability without exponents.

    >>> alpha_text(1e-05), alpha_text(0.001), alpha_text(0.05)
    ('0.00001', '0.001', '0.05')
    """
    return f"{Decimal(repr(alpha)):f}"
