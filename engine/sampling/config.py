"""What to precompute, as a YAML file: validated before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from engine import datasets
from engine.errors import AcesError
from engine.mechanisms import mechanism
from engine.names import LONGEST_FILE
from engine.records.origin import Origin, placed
from engine.smoothing import GAUSSIAN, smoothing
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.budget import Budget, Quantity
from engine.statistics.corrections import Correction
from engine.statistics.deciding import RadiusQuestion
from engine.strict_yaml import StrictModel, first_fault, read_yaml
from engine.units import SIGMAS, check_radii, check_sigma
from engine.weights import FFDNET, is_named

Positive = Annotated[int, Field(ge=1)]
Draws = Annotated[int, Field(ge=1, le=100_000_000)]  # counts of more could hardly be kept, let alone drawn
Side = Annotated[int, Field(ge=1, le=4_096)]  # in pixels
Sigma = Annotated[float, Field(ge=SIGMAS[0], le=SIGMAS[1], allow_inf_nan=False)]
AnyEntry = TypeVar("AnyEntry", bound="Entry")


def _known_mechanism(name: str) -> str:
    try:
        return mechanism(name).name
    except AcesError as error:
        raise ValueError(str(error)) from error


def _known_smoothing(name: str) -> str:
    try:
        return smoothing(name).name
    except AcesError as error:
        raise ValueError(str(error)) from error


def _numbers(value: object) -> object:
    """One number as a list of one."""
    return (value,) if isinstance(value, int | float | str) else value


ChannelValues = Annotated[
    tuple[Annotated[float, Field(allow_inf_nan=False)], ...], BeforeValidator(_numbers), Field(min_length=1)
]
Deviations = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], BeforeValidator(_numbers), Field(min_length=1)
]


class NormalizerEntry(StrictModel):
    """(x - mean) / std for an x in [0, 1]: a number for each channel, or one for all."""

    mean: ChannelValues
    std: Deviations

    def __str__(self) -> str:
        """As a command line has it: what ``engine.models.read_normalizer`` reads."""
        return "/".join(",".join(map(repr, values)) for values in (self.mean, self.std))


NORMALIZERS = ("normalize", "center", "none", "probe")


def _normalizer(value: object) -> object:
    """One of ``NORMALIZERS``, or constants."""
    if value is None or isinstance(value, NormalizerEntry) or value in list(NORMALIZERS):
        return value
    if not isinstance(value, dict):
        raise ValueError(f"Input should be one of {', '.join(NORMALIZERS)}, or {{mean: 0.5, std: 0.5}}")
    try:
        return NormalizerEntry.model_validate(value)
    except ValidationError as error:
        raise ValueError(first_fault(error)) from error


class Entry(StrictModel):
    """A core network: a checkpoint of any known format, relative to the config file, or ``published`` weights.

    The rest is for what a file does not say: see ``engine.models.Hints``. ``weights``: which set of them, where a file
    holds several. ``probe`` tries all normalisers; ``trust`` lets a TorchScript file run its code, with the user's
    rights.
    """

    checkpoint: Path
    name: str | None = None
    architecture: str | None = None
    weights: str | None = None
    normalizer: Annotated[str | NormalizerEntry | None, BeforeValidator(_normalizer)] = None
    training: str | None = None
    sigma_train: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    trust: bool = False


class SmoothedEntry(Entry):
    """A certification network and the noise levels to sample it at; by default the one it was trained with.

    Another one than that must be meant: ``other_sigma: true`` says so. ``smoothing``: the noise, one of
    ``smoothing.SMOOTHINGS``, which decides the norm of the radii. ``denoiser``: what removes the noise before a
    ``classifier``, named in place of the checkpoint: a file of `train denoiser`, a folder of diffusers, or ``ffdnet``.
    """

    sigma: Annotated[tuple[Sigma, ...], BeforeValidator(_numbers)] = ()
    other_sigma: bool = False
    smoothing: Annotated[str, AfterValidator(_known_smoothing)] = GAUSSIAN.name
    denoiser: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _behind(cls, data: Any) -> Any:
        """``denoiser`` and ``classifier`` go together; the classifier is then the checkpoint."""
        if not isinstance(data, dict) or not {"denoiser", "classifier"} & set(data):
            return data
        if data.get("denoiser") is None or data.get("classifier") is None or "checkpoint" in data:
            raise ValueError("a `denoiser` goes with a `classifier`, in place of a `checkpoint`")
        if not data.get("sigma"):
            raise ValueError("a denoised network needs the `sigma` to remove noise of")
        if data.get("other_sigma") or data.get("sigma_train") is not None or data.get("normalizer") == "probe":
            raise ValueError(
                "a denoised network is sampled at the noise that is removed, behind a normaliser that is known"
            )
        return {"checkpoint": data["classifier"], **{name: data[name] for name in data if name != "classifier"}}


class SelectEntry(SmoothedEntry):
    """A selection network, or any network whose entropies are to select: one of ``mechanisms.MECHANISMS``."""

    mechanism: Annotated[str, AfterValidator(_known_mechanism)] = "network"


class Data(StrictModel):
    """Where the images lie: a folder or a parquet file, relative to the config file.

    For a known dataset ``path`` is all there is to say. Pictures of one's own also need ``size``, in pixels after
    the shorter side was resized to ``resize`` (default: ``size``) and the centre cropped; those in a parquet file
    the names of their ``classes``, or the dataset whose classes they are. ``train`` is where those lie that ``train``
    learns from. Damaged pictures are refused unless ``skip_damaged``.
    """

    path: Path
    train: Path | None = None
    size: Side | None = None
    resize: Side | None = None
    classes: str | Annotated[tuple[str, ...], Field(min_length=2)] | None = None
    skip_damaged: bool = False

    @model_validator(mode="after")
    def _of_own(self) -> Data:
        if self.train is not None and self.size is None:
            raise ValueError("`train` goes with pictures of your own, which need a `size`")
        return self

    def from_folder(self, folder: Path) -> Data:
        """The same with its paths made absolute, which are relative to the config's folder."""
        train = None if self.train is None else (folder / self.train).resolve()
        return self.model_copy(update={"path": (folder / self.path).resolve(), "train": train})


def _several(value: object) -> object:
    """One network as a list of one."""
    return (value,) if isinstance(value, dict) else value


def _share(value: object) -> object:
    """``1%`` as 0.01."""
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip().removesuffix("%")) / 100
    return value


def _range(value: object) -> object:
    """One threshold as a range of its own."""
    return value if isinstance(value, list | tuple) else (value, value)


Theta = Annotated[float, Field(ge=0, le=1)]


class _Terms(StrictModel):
    """Of the certificates that a budget or a question has in mind."""

    alpha: Annotated[float, Field(gt=0, lt=1)] = DEFAULT_ALPHA
    correction: Correction = DEFAULT_CORRECTION


class BudgetEntry(_Terms):
    """Each image gets the draws that it is worth: at most ``lose`` of the ``at`` is lost, at every ``theta``.

    ``lose``: 1% or 0.01. ``theta``: a threshold, or the two ends of a range. ``least``: the fewest draws of an image.
    ``n0``: of the guess draws that choose, in place of the config's.
    """

    lose: Annotated[float, BeforeValidator(_share), Field(gt=0, lt=1)] = 0.01
    at: Quantity = Quantity.ACR
    theta: Annotated[tuple[Theta, Theta], BeforeValidator(_range)] = (0.0, 1.0)
    least: Draws = 1000
    n0: Draws | None = None

    def rule(self) -> Budget:
        """As the statistics take it."""
        return Budget(self.lose, self.at, self.theta, self.least, self.alpha, self.correction)


class DecideEntry(_Terms):
    """The draws of an image end when it is known whether it is certified at the radii ``r``, selected at ``theta``."""

    r: Annotated[tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], BeforeValidator(_numbers)]
    theta: Theta = 1.0
    t: Annotated[float, Field(gt=0, lt=1)] = MAJORITY

    def question(self) -> RadiusQuestion:
        """As the statistics take it."""
        return RadiusQuestion(self.r, self.theta, self.t, self.alpha, self.correction)


class Config(StrictModel):
    """Which images, how many draws, which networks.

    ``units_are_right``: noise and radii are meant, also those of ``engine.units`` that can hardly be.
    """

    dataset: str
    data: Data | None = None  # default: the data folder, or a download
    split: Literal["train", "test"] = "test"
    every: Positive | None = None  # default: the paper's subset of the dataset
    limit: Positive | None = None
    n0: Draws = 100
    n: Draws = 10_000
    seed: int = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    units_are_right: bool = False
    budget: BudgetEntry | None = None
    decide: DecideEntry | None = None
    certify: Annotated[tuple[SmoothedEntry, ...], BeforeValidator(_several)] = ()
    select: Annotated[tuple[SelectEntry, ...], BeforeValidator(_several)] = ()
    core: Annotated[tuple[Entry, ...], BeforeValidator(_several)] = ()

    @model_validator(mode="after")
    def _one_rule(self) -> Config:
        if self.budget is not None and self.decide is not None:
            raise ValueError("budget measures and decide does not: name one of them")
        own = self.budget and self.budget.n0
        if own is not None and "n0" in self.model_fields_set and self.n0 != own:
            raise ValueError(f"n0 is {self.n0}, and {own} in budget: say it once")
        return self

    @property
    def guesses(self) -> int:
        """n0, of the budget where it says one."""
        return (self.budget and self.budget.n0) or self.n0

    @property
    def rule(self) -> Budget | None:
        """By which the draws of an image are chosen."""
        return None if self.budget is None else self.budget.rule()

    @property
    def question(self) -> RadiusQuestion | None:
        """Whose answer ends the draws of an image."""
        return None if self.decide is None else self.decide.question()

    def card(self) -> datasets.DatasetCard:
        """The card of the dataset: a known one, or the user's own, which ``data`` describes."""
        data = self.data
        if data is None:
            return datasets.card(self.dataset)
        if data.size is None:
            return datasets.card_at(self.dataset, data.path)
        classes = datasets.card(data.classes).classes if isinstance(data.classes, str) else data.classes
        return datasets.own_card(
            self.dataset, data.path, data.size, resize=data.resize, classes=classes, train=data.train
        )

    @property
    def own_classes(self) -> tuple[str, ...] | None:
        """The names of the classes of a dataset of one's own."""
        return None if datasets.known(self.dataset) else self.card().classes

    def origin(self, entry: Entry, normalizer: str) -> Origin | None:
        """Where an entry's network and the pictures lie; None of a denoised one, which a file of its own names.

        ``normalizer``: what stands in front, which is noted where the file does not tell it.
        """
        if isinstance(entry, SmoothedEntry) and entry.denoiser is not None:
            return None
        data = self.data
        asked = None if entry.normalizer is None else normalizer
        pictures = (None, None, None) if data is None else (str(data.path), data.size, data.resize)
        return Origin(str(entry.checkpoint), entry.architecture, entry.weights, asked, *pictures)

    def with_rule(self, lose: str | None = None, decide: str | None = None, theta: str | None = None) -> Config:
        """The same with a budget that may ``lose`` so much, or until it is ``decide``d at radii, at ``theta``.

        As a command line says them: ``1%``, ``r=0.25,0.5``, ``0.3`` or ``0.2:0.4``. Raises ``AcesError`` for others.
        """
        at = {} if theta is None else {"theta": [float_of(part, "theta") for part in theta.split(":")]}
        if lose is not None and decide is not None:
            raise AcesError("--lose measures and --decide does not: name one of them")
        if lose is not None:
            base = {} if self.budget is None else self.budget.model_dump()
            budget = _entry(BudgetEntry, base | {"lose": lose} | _ends(at), "--lose")
            return self.model_copy(update={"budget": budget, "decide": None})
        if decide is not None:
            radii = [float_of(part, "decide") for part in decide.removeprefix("r=").split(",")]
            if len(at.get("theta", [])) > 1:
                raise AcesError("--decide asks at one theta, and --theta names a range")
            one = {name: values[0] for name, values in at.items()}
            return self.model_copy(
                update={"budget": None, "decide": _entry(DecideEntry, {"r": radii, **one}, "--decide")}
            )
        if at:
            raise AcesError("--theta says where a budget or a question looks: add --lose or --decide")
        return self

    def check_units(self, sigmas: Iterable[tuple[float, Path]]) -> None:
        """Raise ``AcesError`` for noise, with the network it is for, or radii that can hardly be meant."""
        if self.units_are_right:
            return
        for sigma, checkpoint in sigmas:
            check_sigma(sigma, str(checkpoint))
        if self.decide is not None:
            check_radii(max(self.decide.r, default=0.0), math.prod(self.card().shape), "decide")

    def trusting(self) -> Config:
        """The same with every checkpoint trusted."""
        said = {"trust": True}
        return self.model_copy(
            update={
                "certify": tuple(entry.model_copy(update=said) for entry in self.certify),
                "select": tuple(entry.model_copy(update=said) for entry in self.select),
                "core": tuple(entry.model_copy(update=said) for entry in self.core),
            }
        )

    def images(self) -> datasets.ImageSet:
        """The images that the config names, each known to be readable."""
        card = self.card()
        return self._checked(card.read(self.split).every(self.every or card.every, self.limit))

    def card_to_train(self) -> datasets.DatasetCard:
        """``card`` with a reader of whole splits, each picture known to be readable."""
        card = self.card()
        return replace(card, reader=lambda split: self._checked(card.read(split)))

    def _checked(self, images: datasets.ImageSet) -> datasets.ImageSet:
        return images.checked(skip_damaged=self.data is not None and self.data.skip_damaged)


def float_of(text: str, name: str) -> float:
    """A number of the command line. Raises ``AcesError`` that names the option."""
    try:
        return float(text)
    except ValueError:
        raise AcesError(f"--{name}: '{text}' is not a number") from None


def _ends(at: dict[str, list[float]]) -> dict[str, list[float]]:
    """One threshold is a range of its own."""
    return {name: values * 2 if len(values) == 1 else values for name, values in at.items()}


AnyTerms = TypeVar("AnyTerms", bound=_Terms)


def _entry(kind: type[AnyTerms], values: dict[str, Any], option: str) -> AnyTerms:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise AcesError(f"{option}: {first_fault(error)}") from error


def parse_config(path: Path) -> Config:
    """Read a config, its paths made absolute, none looked at. Raises ``AcesError`` that names the wrong key."""
    data = read_yaml(path)
    if data is None:
        raise AcesError(f"{path}: says nothing; engine/configs/demo.yaml shows the form")
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise AcesError(f"{path}: {first_fault(error)}") from error
    return config.model_copy(
        update={
            "data": config.data and config.data.from_folder(path.parent),
            "certify": tuple(_absolute(path, entry) for entry in config.certify),
            "select": tuple(_absolute(path, entry) for entry in config.select),
            "core": tuple(_absolute(path, entry) for entry in config.core),
        }
    )


def read_config(path: Path) -> Config:
    """Read a config whose files are there. Raises ``AcesError`` that names the wrong key or the missing file."""
    config = parse_config(path)
    for entry in (*config.certify, *config.select, *config.core):
        if not is_named(entry.checkpoint) and not entry.checkpoint.is_file():
            raise AcesError(f"{path}: no checkpoint at {entry.checkpoint}; train it, put it there or correct the path")
    for sampled in (*config.certify, *config.select):
        named = sampled.denoiser
        if named not in (None, FFDNET) and not Path(str(named)).exists():
            raise AcesError(f"{path}: no denoiser at {named}; train it, put it there or correct the path")
    config.card()  # an unknown dataset, or no pictures where the config says
    return config


def _absolute(path: Path, entry: AnyEntry) -> AnyEntry:
    paths: dict[str, object] = {"checkpoint": _located(path, entry.checkpoint)}
    if isinstance(entry, SmoothedEntry) and entry.denoiser not in (None, FFDNET):
        paths["denoiser"] = str((path.parent / str(entry.denoiser)).resolve())
    if entry.architecture is not None:
        paths["architecture"] = placed(entry.architecture, lambda file: (path.parent / file).resolve())
    return entry.model_copy(update=paths)


def _located(path: Path, checkpoint: Path) -> Path:
    """A checkpoint as a config names it, from wherever it is read; a library's may be a name in the cache."""
    if not is_named(checkpoint):
        return (path.parent / checkpoint).resolve()
    library, colon, where = str(checkpoint).partition(":")
    folder = path.parent / where
    if not colon or len(where) > LONGEST_FILE or not folder.is_dir():
        return checkpoint
    return Path(f"{library}:{folder.resolve()}")
