"""A system by its networks, noise and threshold: loaded from runs or files, and asked about pictures.

system = System.load("cifar10-gaussian-0.25", "cifar10-core", theta=0.3, runs=Catalog())
(certificate,) = system.certify("cat.jpg")
predictions = system.predict(images)  # uint8 [B, C, H, W], for one

Nothing here needs torch until a picture is asked about, or the noise that a file's network was trained with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from engine import datasets
from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.mechanisms import NETWORK, words_for
from engine.records.meta import Meta
from engine.records.origin import LIBRARIES, Origin
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.single_image.picture import CENTRED, Framing
from engine.single_image.plan import LATER, MAX_STAGES, LaterPlan, Mode, Plan, Role, max_n, usual_split
from engine.smoothing import GAUSSIAN
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import Later
from engine.statistics.corrections import CERTIFY, CORE, Correction
from engine.statistics.explain import Explanation, explain
from engine.statistics.looks import FIRST_LOOK
from engine.statistics.margin import Bound, check_bound, usual_bound
from engine.weights import weights_of

if TYPE_CHECKING:
    from engine.single_image.certificate import Certificate
    from engine.single_image.inputs import Images, OneImage
    from engine.single_image.live import Pair
    from engine.single_image.until import Until

PREDICT_N = 10_000  # draws after which an image without an answer is an abstention
TOGETHER = 256  # images whose draws share batches
SELECTED = {CERTIFY: "certification", CORE: "core", ABSTAIN: "undecided"}  # as an ``Explanation`` says it


class Runs(Protocol):
    """Where names of runs are looked up: ``cache.Catalog``, for one."""

    def resolve(self, name_or_prefix: str, kind: str | None = None) -> Meta: ...
    def metas(self) -> Sequence[Meta]: ...


@dataclass(frozen=True)
class Selector:
    """A selection network: checkpoint, the sha256 that is expected of its weights, and the score of its draws."""

    checkpoint: Path
    sha256: str | None = None
    mechanism: str = NETWORK.name


@dataclass(frozen=True)
class NetworkHints:
    """What is known of a network beside its file: as ``engine.models.Hints``. ``by_record``: a run says it, and nobody
    who asks now; of code that a record names it must be said that it is trusted.
    """

    name: str | None = None
    architecture: str | None = None
    weights: str | None = None
    normalizer: str | None = None
    training: str | None = None
    sigma_train: float | None = None
    by_record: bool = False

    def check_trust(self, trust: bool) -> None:
        """Raise ``AcesError`` where a record names code that is not trusted."""
        if self.by_record and Origin("", self.architecture).runs_code and not trust:
            raise AcesError(
                f"the network '{self.name}' is built by {self.architecture}, code that runs with your rights: if you "
                f"trust it, say --trust, or start the dashboard with it"
            )

    @classmethod
    def of_run(cls, meta: Meta) -> Self:
        """What a run says of its network."""
        network, origin = meta.network, meta.origin
        if origin is None:
            return cls()
        known = network.name, origin.architecture, origin.weights, origin.normalizer
        return cls(*known, network.training, network.sigma_train, by_record=True)


@dataclass(frozen=True)
class OwnImages:
    """A dataset of one's own, without its pictures: its name, its classes and the size of what networks see."""

    name: str
    classes: tuple[str, ...]
    size: int

    @classmethod
    def of_run(cls, meta: Meta) -> Self | None:
        """The dataset of a run, where it is the user's own; None where only its name is known."""
        if meta.classes is None or meta.origin is None or meta.origin.size is None:
            return None
        return cls(meta.dataset, meta.classes, meta.origin.size)


@dataclass(frozen=True)
class LaterNetwork:
    """The network of a later stage: checkpoint, and the sha256 that is expected of its weights."""

    checkpoint: Path
    sha256: str | None = None


@dataclass(frozen=True)
class PairSpec:
    """Which networks, and how those that are sampled are run.

    ``certify``, ``core``: checkpoints, of whose weights the ``sha256`` are expected (None: whichever they are).
    ``select``: a selection network; without one the certification network's entropies select. ``dataset`` where the
    files do not say it; ``trust``: whether code that they bring may run. ``then``: the networks of later stages.
    ``hints``: what is known of a network by the part that it plays; ``own``: the dataset, where it is the user's own.
    """

    certify: Path
    core: Path
    precision: str = "float32"
    device: str = "cpu"
    sha256: tuple[str | None, str | None] = (None, None)
    select: Selector | None = None
    dataset: str | None = None
    trust: bool = False
    then: tuple[LaterNetwork, ...] = ()
    hints: tuple[tuple[str, NetworkHints], ...] = ()
    own: OwnImages | None = None

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """The files."""
        select = () if self.select is None else (self.select.checkpoint,)
        return (self.certify, self.core, *select, *(later.checkpoint for later in self.then))

    @property
    def code(self) -> tuple[str, ...]:
        """What builds networks of the user's own: ``FILE.py:function``, or ``module:function``."""
        named = (hints.architecture for _, hints in self.hints)
        return tuple(dict.fromkeys(name for name in named if name and Origin("", name).runs_code))


@dataclass(frozen=True)
class Prediction:
    """PREDICT's answer for one picture: a class (its number and its ``name``), or ``ABSTAIN`` = -1 and None.

    ``selected``: "certification", "core" or "undecided", the network that the selection chooses. Of a chain the
    selection of its first stage; where that hands on, "later". ``alpha``: the probability over the sampling that the
    answer is not the system's; ``draws`` of each network that is sampled. ``top``, ``share``: the class that most draws
    of the certification network vote for, and their share in [0, 1]; ``core``, ``core_confidence``: the core network's
    class, and the probability that its softmax gives it. Neither is a probability of being right.
    """

    answer: int
    name: str | None
    selected: str
    alpha: float
    draws: int
    top: int
    share: float
    core: int
    core_confidence: float


@dataclass(frozen=True)
class System:
    """The smoothed, composed classifier of some networks at one threshold, and the risk that is taken to ask it.

    ``sigma``: noise of the certification network, in pixel units; ``sigma_select``: that of a selection network, None
    without one; ``smoothing``: the kind of both. ``alpha``: the probability that an answer is not the system's, for
    each picture; ``t``: the share of votes by which the selection chooses the certification network; ``bound``: of the
    class, by default its margin, and beside the paper's correction ``bonferroni`` or where the votes for the class
    select the paper's. ``p0``: in place of ``theta``, None then; the network answers where a class has more than this
    share of its votes. ``then``: the later stages, whose networks ``pair`` has. Raises ``AcesError`` for values outside
    their ranges.

    >>> networks = PairSpec(*map(Path, ("noisy.safetensors", "core.safetensors")))
    >>> system = System(networks, sigma=0.5, theta=0.3)
    >>> system.threshold, system.alpha, str(system.bound), system.plan(n=4_000).looks
    (0.3, 0.001, 'margin', (1000, 2000, 4000))
    """

    pair: PairSpec
    sigma: float
    theta: float | None = None
    alpha: float = DEFAULT_ALPHA
    correction: Correction = DEFAULT_CORRECTION
    sigma_select: float | None = None
    smoothing: str = GAUSSIAN.name
    t: float = MAJORITY
    bound: Bound | None = None
    p0: float | None = None
    then: tuple[LaterPlan, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "correction", Correction(self.correction))
        object.__setattr__(self, "then", tuple(self.then))
        by_votes = self.p0 is not None and all(stage.by_votes for stage in self.then)
        usual = Bound.COMPLEMENT if by_votes else usual_bound(self.correction)
        object.__setattr__(self, "bound", usual if self.bound is None else check_bound(self.bound, from_log=False))
        self.plan(max_n(1 + len(self.then)))
        if (self.sigma_select is None) != (self.pair.select is None):
            raise AcesError("sigma_select is the noise of a selection network: name both, or none of them")
        if len(self.then) != len(self.pair.then):
            raise AcesError(f"{len(self.then)} later stages, and {len(self.pair.then)} networks for them")

    @classmethod
    def load(
        cls,
        certify: str | Path | Meta,
        core: str | Path | Meta | None = None,
        theta: float | None = None,
        *,
        p0: float | None = None,
        then: Iterable[Later[str] | Later[Path] | Later[Meta]] = (),
        select: str | Path | Meta | None = None,
        alpha: float = DEFAULT_ALPHA,
        correction: Correction = DEFAULT_CORRECTION,
        sigma: float | None = None,
        sigma_select: float | None = None,
        smoothing: str | None = None,
        t: float = MAJORITY,
        bound: Bound | None = None,
        precision: str | None = None,
        device: str = "cpu",
        dataset: str | None = None,
        trust: bool = False,
        hints: Mapping[str, NetworkHints] | None = None,
        runs: Runs | None = None,
    ) -> Self:
        """The system of a ``system.yaml``, or of some networks, each named by a run, its name in ``runs``, or a path.

        ``System.load("system.yaml")`` is all that a file needs; ``device`` and ``trust`` may stand beside it. Of
        networks, what is not given is as the runs were sampled: their noise and precision; of a file's network, the
        noise that it was trained with, and float32. ``then``: the later stages, each under the noise of its run.
        ``dataset``, ``trust`` and ``hints`` as in ``PairSpec``; a dataset of one's own is known by a run about it.
        Raises ``AcesError`` for what is not found, and where it opens a
        network (only where nothing else tells its noise) for what cannot be opened.
        """
        if core is None:
            said = theta, p0, select, sigma, sigma_select, smoothing, bound, precision, dataset
            if any(value is not None for value in said) or tuple(then) or (alpha, t) != (DEFAULT_ALPHA, MAJORITY):
                raise AcesError("a system's file says its networks and settings itself: change them there")
            return cls._of_file(certify, device, trust=trust)
        asked = tuple(then)
        if len(asked) >= MAX_STAGES:
            raise AcesError(f"a chain of {1 + len(asked)} stages; it may have {MAX_STAGES}")
        first, second = find_network(certify, SmoothedRun.KIND, runs), find_network(core, CoreRun.KIND, runs)
        third = None if select is None else find_network(select, SelectionRun.KIND, runs)
        later = [find_network(stage.run, SmoothedRun.KIND, runs) for stage in asked]
        pair = PairSpec(
            first.path,
            second.path,
            precision or first.precision or "float32",
            device,
            (first.sha256, second.sha256),
            None if third is None else Selector(third.path, third.sha256, third.mechanism),
            dataset or first.dataset,
            trust,
            tuple(LaterNetwork(network.path, network.sha256) for network in later),
            _hints({"certify": first, "core": second, "select": third, **dict(zip(LATER, later, strict=False))}, hints),
            _own_images((first, second, third, *later), dataset, runs),
        )
        for _, known in pair.hints:
            known.check_trust(trust)
        if sigma is None:
            sigma = first.sigma or _trained_with(pair, "certify")
        if sigma_select is None and third is not None:
            sigma_select = third.sigma or _trained_with(pair, "select")
        smoothing = _one_smoothing(smoothing, first, third, *later)
        sigmas = [n.sigma or _trained_with(pair, part) for n, part in zip(later, LATER[: len(later)], strict=True)]
        stages = tuple(stage_plan(stage, noise) for stage, noise in zip(asked, sigmas, strict=True))
        return cls(pair, sigma, theta, alpha, correction, sigma_select, smoothing, t, bound, p0, stages)

    @classmethod
    def _of_file(cls, named: str | Path | Meta, device: str, *, trust: bool) -> Self:
        from engine.single_image.system_file import is_system, read_system

        if isinstance(named, Meta) or not is_system(Path(named)):
            raise AcesError(
                f"'{named if isinstance(named, str | Path) else named.name}' alone is no system: name its "
                f"core network as well, or a system.yaml"
            )
        system = read_system(Path(named), device=device, trust=trust).system
        return cls(**{field.name: getattr(system, field.name) for field in fields(cls)})

    def open(self) -> Pair:
        """The networks, loaded and frozen. The last few systems' stay loaded, until their files change.

        Raises ``AcesError`` for a network that stands twice in the chain.
        """
        from engine.single_image.live import open_once
        from engine.single_image.subject import check_networks

        pair = open_once(self.pair)
        check_networks(self.plan(max_n(1 + len(self.then))), pair.networks)
        return pair

    @property
    def threshold(self) -> float:
        """By which the first stage selects: ``theta`` of a score, or ``p0`` of the votes."""
        return self.plan(max_n(1 + len(self.then))).threshold

    def plan(self, n: int = 10_000, n0: int = 100, mode: Mode = Mode.EARLY, first: int = FIRST_LOOK) -> Plan:
        """What to draw to certify a picture by this system: ``n0`` draws that guess, at most ``n`` that estimate, of
        which the first look sees ``first``.
        """
        own = self.alpha, self.correction, mode, self.sigma_select, self.smoothing, self.t
        how = self._bound, usual_split(n, Mode(mode), first)
        return Plan(self.sigma, self.theta, n, n0, *own, *how, self.p0, self.then, first)

    @property
    def _bound(self) -> Bound:
        assert self.bound is not None, "set when the system was made"
        return self.bound

    def check_plan(self, plan: Plan) -> None:
        """Raise ``AcesError`` that names what a plan says otherwise: it would certify another system."""
        own = replace(self.plan(plan.n, plan.n0, plan.mode, plan.first), split=plan.split)
        for name in (field.name for field in fields(Plan)):
            if getattr(plan, name) != getattr(own, name):
                raise AcesError(
                    f"the plan's {name} is {getattr(plan, name)}, and the system's {getattr(own, name)}: they must "
                    f"be the same"
                )

    def predict(
        self,
        images: Images,
        n: int = PREDICT_N,
        framing: Framing = CENTRED,
        *,
        seed: int | None = None,
        together: int = TOGETHER,
    ) -> list[Prediction]:
        """PREDICT (ACES Algorithm 4) on each image, from fresh draws, until it answers or ``n`` are drawn of each
        network.

        Of each image: with probability at least 1 - alpha over the draws the answer is the smoothed system's, or none.
        It carries no radius, and is no promise about the label. Alpha is spent over a schedule of looks, at each of
        them alpha_j / 2 a test, whatever the correction: section 21 of docs/statistics.md.

        ``images``: an array or tensor [B, C, H, W] or [B, H, W, C], uint8 of 0 to 255 or floats in [0, 1], of the
        networks' size; or a path, bytes, a PIL image, or an iterable of any of these, read as it is needed, of which
        pictures are cropped by ``framing`` and resized. ``together``: how many of them are asked about at once.
        ``seed`` names the noise, which is fresh without. Raises ``AcesError`` for what is no image.
        """
        return [
            prediction for _, prediction in sorted(self.predict_each(images, n, framing, seed=seed, together=together))
        ]

    def predict_each(
        self,
        images: Images,
        n: int = PREDICT_N,
        framing: Framing = CENTRED,
        *,
        seed: int | None = None,
        together: int = TOGETHER,
    ) -> Iterator[tuple[int, Prediction]]:
        """The same as it comes: each image's position and answer, in the order in which they are decided."""
        from engine.single_image.inputs import each_image
        from engine.single_image.rounds import Predictor

        pair = self.open()
        waiting = enumerate(each_image(images, pair.dataset.shape, framing))
        predictor: Predictor[int] = Predictor(self, pair, n, seed)
        more = True
        while more or len(predictor):
            while more and len(predictor) < together:
                more = False
                for at, image in islice(waiting, 1):
                    predictor.add(at, image.pixels)
                    more = True
            for at, found in predictor.round():
                if isinstance(found, AcesError):
                    raise found
                yield at, found

    def promise(self, found: Prediction) -> str:
        """What a prediction promises, and what it does not, for whoever shows it: also of an image that is of none of
        the classes.
        """
        from engine.single_image.promise import confidences, promise_of_predict

        classes = self.open().networks.classes
        said = confidences(classes[found.top], found.share, classes[found.core], found.core_confidence)
        return f"{promise_of_predict(found.answer != ABSTAIN, found.alpha, classes)} {said}"

    def certify(
        self,
        images: Images,
        plan: Plan | None = None,
        *,
        framing: Framing = CENTRED,
        seed: int | None = None,
        challenge: str | None = None,
        until: Until | None = None,
    ) -> list[Certificate]:
        """CERTIFY each image now, by all draws of a plan, by default ``plan()``, or ``until`` its question is answered:
        ``certify_image`` of this system.

        A certificate has ``prediction`` (a class, or ``ABSTAIN`` = -1) and ``answer``, its name; ``outcome``;
        ``radius`` in units where a pixel runs from 0 to 1, 0 unless certified; ``draws``; and what it rests on.
        ``images`` as in ``predict``, but floats must be multiples of 1/255: a certificate speaks of 8-bit pixels.
        """
        from engine.single_image.certify import certify_image
        from engine.single_image.inputs import each_image

        named = {"framing": framing, "seed": seed, "challenge": challenge, "until": until}
        shape = self.open().dataset.shape
        return [certify_image(image, self, plan, **named) for image in each_image(images, shape, framing)]  # type: ignore[arg-type]

    def explain(self, image: OneImage, n: int = 10_000, n0: int = 100, framing: Framing = CENTRED) -> Explanation:
        """Every number behind CERTIFY's answer for one image from fresh draws, as with a fixed ``n``.

        The image has no label: ``label`` is ``ABSTAIN``, and ``verdict`` says nothing.
        """
        from engine.single_image.certify import sample_image

        words = words_for(self.open().networks.mechanism)
        plan = self.plan(n, n0, Mode.FIXED)
        *_, last = sample_image(image, self, plan, framing=framing)
        counts = last.evidence.composition(plan, plan.n)
        return explain(counts, 0, self.threshold, self.alpha, self.correction, words, self.t, bound=self._bound)


def stage_plan(asked: Later[str] | Later[Path] | Later[Meta], sigma: float) -> LaterPlan:
    """A later stage as a plan has it, under noise of ``sigma``."""
    if asked.by_votes:
        return LaterPlan(sigma, p0=asked.theta)
    return LaterPlan(sigma, asked.theta, asked.t)


class NamedNetwork(NamedTuple):
    """A checkpoint, and what the run says of it by whose name it was found."""

    path: Path
    sigma: float | None = None
    precision: str | None = None
    sha256: str | None = None
    mechanism: str = NETWORK.name
    smoothing: str | None = None
    hints: NetworkHints = NetworkHints()
    own: OwnImages | None = None
    dataset: str | None = None


def _hints(
    found: Mapping[str, NamedNetwork | None], said: Mapping[str, NetworkHints] | None
) -> tuple[tuple[str, NetworkHints], ...]:
    """What is known of each network beside its file: of one that is named by a path, what is said now."""
    known = {part: network.hints for part, network in found.items() if network is not None}
    asked = {part: hint for part, hint in (said or {}).items() if part in known and not known[part].by_record}
    return tuple(sorted((part, hint) for part, hint in {**known, **asked}.items() if hint != NetworkHints()))


def _own_images(networks: Iterable[NamedNetwork | None], dataset: str | None, runs: Runs | None) -> OwnImages | None:
    """The dataset, where it is the user's own: as a run that is named says it, else one about ``dataset``."""
    found = [network.own for network in networks if network is not None and network.own is not None]
    if found or dataset is None or runs is None:
        return found[0] if found else None
    about = (OwnImages.of_run(meta) for meta in runs.metas() if meta.dataset == dataset)
    return next((own for own in about if own is not None), None)


def find_network(named: str | Path | Meta, kind: str, runs: Runs | None) -> NamedNetwork:
    """A network named by a path, a run, or a run's name."""
    if not isinstance(named, Meta):
        path = Path(named)
        if isinstance(named, Path) or named.startswith(LIBRARIES) or path.suffix == ".safetensors" or path.is_file():
            return NamedNetwork(path)
        if runs is None:
            raise AcesError(f"'{named}' is no checkpoint: to name a run, say where runs are found (runs=Catalog())")
        named = runs.resolve(named, kind)
    mechanism = named.mechanism or NETWORK.name
    return NamedNetwork(
        weights_of(named), named.sigma, named.precision, named.network.sha256, mechanism, named.smoothing,
        NetworkHints.of_run(named), OwnImages.of_run(named), named.dataset if datasets.known(named.dataset) else None,
    )  # fmt: skip


def _one_smoothing(asked: str | None, *networks: NamedNetwork | None) -> str:
    """The noise that is asked for, else that of the runs. Raises ``AcesError`` where these differ."""
    of_runs = {network.smoothing for network in networks if network is not None and network.smoothing}
    if asked is None and len(of_runs) > 1:
        raise AcesError(f"the runs were sampled under {' and '.join(sorted(of_runs))} noise: name one `smoothing`")
    return asked or next(iter(of_runs), GAUSSIAN.name)


def _trained_with(pair: PairSpec, part: Role) -> float:
    """The noise that a network was trained with, 0 where its file does not say."""
    from engine.single_image.live import open_once

    return open_once(pair).networks.parts[part].sigma_train or 0.0
