"""What a run says of itself, the ``meta`` entry of its file: a contract (docs/formats.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from engine.errors import AcesError
from engine.names import LONGEST_NOTE, fault, faulty_part, file_fault, quoted
from engine.records.origin import Origin
from engine.smoothing import GAUSSIAN, SMOOTHINGS, Smoothing
from engine.units import SIGMAS, is_sigma

FORMAT = "aces-run"
VERSIONS = (1, 2, 3)  # what is read; a run is written as the lowest that says all of it
DEFAULT_MECHANISM = {"smoothed": "entropy", "selection": "network"}  # what version 1 means, which names none
ACES_LOG, COHEN_LOG = LOGS = ("ACES log", "Cohen log")  # what `extra` names as the source of imported runs
KIND_NAMES = ("smoothed", "selection", "core")
MOST_DIGITS = 17  # that tell a float
MOST_VOTES = "most_votes"  # in `extra` of a run that holds `class_count_high`


class RunError(AcesError):
    """A record or run file that breaks the contract; the message names array, row and value."""


class NewerFormatError(RunError):
    """A run that a newer program wrote: nothing is wrong with it, and nothing here may replace it."""


@dataclass(frozen=True)
class NetworkInfo:
    """The network that was sampled. ``sha256`` of its weights is its identity."""

    name: str | None = None
    sha256: str | None = None
    training: str | None = None
    sigma_train: float | None = None


FILE_NAMES = ("dataset", "split")
SHOWN_EXTRA = ("inferred", "source", "images")  # entries that only some runs have, and that are shown
_PROVENANCE: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("split", "created", "engine_version", "precision"), str),
    **dict.fromkeys(("network.name", "network.sha256", "network.training"), str),
    "network.sigma_train": (int, float),
    "seed": int,
}


@dataclass(frozen=True)
class Meta:
    """What a run is. ``sigma`` (pixel units), ``n0``, ``n``, ``seed``, ``precision`` are None for core runs.

    ``n_decided``: every n that was decided on, in order. Where it holds more than one, the draws were continued after
    the results of fewer could be seen, and bounds for an n fixed in advance (docs/statistics.md) do not hold as stated.
    ``n_mean``: where the images had different numbers of draws, of which ``n`` is the most, the mean; None where all
    had n. ``budget``: by what rule these were chosen from the n0 draws. ``decided``: for which questions the draws of
    an image ended as soon as they were answered; the bounds of such a run spend a part of alpha each.
    ``as_run``: how the network ran (device kind, hardware, memory format, batch, compiled): what a promise of equal
    bytes covers.
    ``mechanism``: what scored the draws, ``smoothing``: under which noise, a name of ``smoothing.SMOOTHINGS``; both
    None for core runs, and where not given, what version 1 of the format means.
    ``radius_digits`` or ``radius_decimals``: for imported logs, the significant digits or the decimals of their radii,
    whose lowest counts the run holds.
    ``classes``: the names of the classes, where the dataset is none that is known. ``origin``: where network and
    pictures lie; only the store keeps it. ``extra`` keeps entries of ``meta`` that this version does not know.
    """

    kind: str
    name: str
    dataset: str
    num_classes: int
    split: str | None = None
    created: str | None = None
    engine_version: str | None = None
    sigma: float | None = None
    n0: int | None = None
    n: int | None = None
    n_decided: tuple[int, ...] | None = None
    n_mean: float | None = None
    budget: Mapping[str, Any] | None = None
    decided: Mapping[str, Any] | None = None
    seed: int | None = None
    precision: str | None = None
    as_run: Mapping[str, Any] | None = None
    network: NetworkInfo = NetworkInfo()
    mechanism: str | None = None
    smoothing: str | None = None
    radius_digits: int | None = None
    radius_decimals: int | None = None
    classes: tuple[str, ...] | None = None
    origin: Origin | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.mechanism is None and isinstance(self.kind, str):  # JSON may hold what cannot be hashed
            object.__setattr__(self, "mechanism", DEFAULT_MECHANISM.get(self.kind))
        if self.smoothing is None and self.kind != "core":
            object.__setattr__(self, "smoothing", GAUSSIAN.name)

    @property
    def version(self) -> int:
        """Of the run file: the lowest that says all of this."""
        if self.decided is not None:
            return 3
        usual = self.mechanism == DEFAULT_MECHANISM.get(self.kind) and self.smoothing in (None, GAUSSIAN.name)
        return 1 if usual and self.n_mean is None and self.budget is None else 2

    def to_json(self) -> dict[str, Any]:
        """The ``meta`` entry of a run file, as JSON types."""
        left_out = {"extra", "network", "origin"}
        if self.version == 1:
            left_out.add("mechanism")
        if self.smoothing == GAUSSIAN.name:  # the default of every version
            left_out.add("smoothing")
        own = {k: v for k, v in asdict(self).items() if k not in left_out}
        sampled = ("sigma", "n0", "n", "seed", "precision")
        out = {k: v for k, v in own.items() if v is not None or (k in sampled and self.kind != "core")}
        network = asdict(self.network)
        if self.kind != "core" or any(v is not None for v in network.values()):
            out["network"] = network
        if self.n_decided is not None:
            out["n_decided"] = list(self.n_decided)  # as JSON reads it back
        if self.classes is not None:
            out["classes"] = list(self.classes)
        if self.origin is not None:
            out["origin"] = self.origin.to_json()
        return {"format": FORMAT, "version": self.version, **out, **self.extra}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read a ``meta`` entry. Raises ``RunError`` that names the missing or wrong entry."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise RunError(f"meta.format is not '{FORMAT}': this is no ACES run file")
        _check_version(data)
        known = {f.name for f in fields(cls)} - {"extra"}
        values = {k: v for k, v in data.items() if k in known}
        missing = [k for k in ("kind", "name", "dataset", "num_classes") if k not in values]
        if values.get("kind") != "core":
            missing += [k for k in ("sigma", "n0", "n") if values.get(k) is None]
        if missing:
            raise RunError(f"meta lacks {', '.join(missing)}")
        network = values.pop("network", None) or {}
        if not isinstance(network, dict):
            raise RunError(
                f"meta.network is {quoted(network)}; expected an object with name, sha256, training, sigma_train"
            )
        for name in ("n_decided", "classes"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        if values.get("origin") is not None:
            values["origin"] = _origin(values["origin"])
        values["network"] = NetworkInfo(**{k: network.get(k) for k in ("name", "sha256", "training", "sigma_train")})
        extra = {k: v for k, v in data.items() if k not in known and k not in ("format", "version")}
        meta = cls(**values, extra=extra)
        meta.check()
        if meta.version > data["version"]:
            defaults = {
                **dict.fromkeys(("decided", "n_mean", "budget")),
                "mechanism": DEFAULT_MECHANISM.get(meta.kind),
                "smoothing": GAUSSIAN.name,
            }
            entry = next(name for name, default in defaults.items() if getattr(meta, name) != default)
            raise RunError(
                f"meta.{entry} is {quoted(getattr(meta, entry))} in a file of version {data['version']}, which means "
                f"{defaults[entry]!r}: such a run is of version {meta.version}"
            )
        return meta

    def check(self) -> None:
        """Raise ``RunError`` unless the entries have the right types and ranges."""
        if self.kind not in list(KIND_NAMES):  # a list: JSON may hold what cannot be hashed
            raise RunError(f"meta.kind is {quoted(self.kind)}; expected one of {', '.join(KIND_NAMES)}")
        _check_name("name", self.name)
        _check_name("dataset", self.dataset)
        if not _is_int(self.num_classes) or self.num_classes < 2:
            raise RunError(f"meta.num_classes is {quoted(self.num_classes)}; expected an integer of at least 2")
        for name in ("radius_digits", "radius_decimals"):
            value = getattr(self, name)
            if value is not None and (not _is_int(value) or not 1 <= value <= MOST_DIGITS):
                raise RunError(f"meta.{name} is {quoted(value)}; expected an integer in 1..{MOST_DIGITS}")
        self._check_provenance()
        self._check_classes()
        if self.kind == "core":
            for name in ("mechanism", "smoothing", "n_mean", "budget", "decided"):
                if getattr(self, name) is not None:
                    raise RunError(
                        f"meta.{name} is {quoted(getattr(self, name))}; a core run is not sampled and has none"
                    )
            return
        _check_name("mechanism", self.mechanism)
        _check_smoothing(self.smoothing)
        for name in ("n0", "n"):
            if not _is_int(getattr(self, name)) or getattr(self, name) < 1:
                raise RunError(f"meta.{name} is {quoted(getattr(self, name))}; expected an integer of at least 1")
        self._check_draws()
        if not is_sigma(self.sigma):
            raise RunError(
                f"meta.sigma is {quoted(self.sigma)}; expected a positive number, in pixel units of [0, 1], "
                f"from {SIGMAS[0]:g} to {SIGMAS[1]:g}"
            )

    def _check_classes(self) -> None:
        """Names of classes are shown, one for each."""
        if self.classes is None:
            return
        if not isinstance(self.classes, tuple) or len(self.classes) != self.num_classes:
            raise RunError(f"meta.classes is {quoted(self.classes)}; expected {self.num_classes} names")
        for at, name in enumerate(self.classes):
            _check_name(f"classes.{at}", name)

    def _check_draws(self) -> None:
        """What tells how many draws the images had."""
        mean = self.n_mean
        if mean is not None and (
            isinstance(mean, bool) or not isinstance(mean, int | float) or not 0 < mean <= self.draws
        ):
            raise RunError(f"meta.n_mean is {quoted(mean)}; expected a number above 0 and at most n, {self.draws}")
        for name in ("budget", "decided"):
            if not isinstance(getattr(self, name), dict | None):
                raise RunError(f"meta.{name} is {quoted(getattr(self, name))}; expected an object")

    def _check_provenance(self) -> None:
        """What is only reported may be missing, but must be of the kind that a reader expects."""
        network = {f"network.{name}": value for name, value in vars(self.network).items()}
        for name, value in (vars(self) | network).items():
            wanted = _PROVENANCE.get(name)
            if wanted is None or value is None:
                continue
            if wanted is str:
                _check_name(name, value)
            elif isinstance(value, bool) or not isinstance(value, wanted):
                raise RunError(f"meta.{name} is {quoted(value)}; expected a number")
        decided = self.n_decided
        if decided is not None and not (isinstance(decided, tuple) and all(_is_int(n) and n > 0 for n in decided)):
            raise RunError(f"meta.n_decided is {quoted(decided)}; expected a list of positive integers")
        if self.as_run is not None and not isinstance(self.as_run, dict):
            raise RunError(f"meta.as_run is {quoted(self.as_run)}; expected an object")
        shown = {
            "as_run": self.as_run,
            "budget": self.budget,
            "decided": self.decided,
            **{name: self.extra.get(name) for name in SHOWN_EXTRA},
        }
        notes = self.extra.get("notes")
        if notes is not None and not (isinstance(notes, list | tuple) and all(isinstance(one, str) for one in notes)):
            raise RunError(f"meta.notes is {quoted(notes)}; expected a list of texts")
        wrong = faulty_part(shown, "meta") or faulty_part(notes, "meta.notes", LONGEST_NOTE)
        if wrong is not None:
            raise RunError(f"{wrong[0]} is {quoted(wrong[1])}; expected {wrong[2]}")

    @property
    def from_log(self) -> bool:
        """Whether its counts were reconstructed from a published log, which tells fewer of them than were counted."""
        return self.radius_digits is not None or self.radius_decimals is not None or self.extra.get("source") in LOGS

    @property
    def selects_by_votes(self) -> bool:
        """Whether the votes for its classes may select: they were counted, or a log told the most of them as well."""
        return not self.from_log or self.extra.get(MOST_VOTES) is True

    @property
    def looked(self) -> bool:
        """Whether draws were added (or left away) after results could be seen."""
        return self.n_decided is not None and len(self.n_decided) > 1

    @property
    def noise(self) -> float:
        """``sigma`` of a sampled run."""
        assert self.sigma is not None
        return self.sigma

    @property
    def smoothing_card(self) -> Smoothing:
        """The card of the ``smoothing`` of a sampled run."""
        assert self.smoothing is not None
        return SMOOTHINGS[self.smoothing]

    @property
    def draws0(self) -> int:
        """``n0`` of a sampled run."""
        assert self.n0 is not None
        return self.n0

    @property
    def draws(self) -> int:
        """``n`` of a sampled run."""
        assert self.n is not None
        return self.n


def _origin(said: Any) -> Origin:
    try:
        return Origin.from_json(said)
    except AcesError as error:
        raise RunError(str(error)) from error


def _check_name(entry: str, value: Any) -> None:
    """What identifies or describes a run is shown and compared; dataset and split also stand in names of files."""
    wrong = (file_fault if entry in FILE_NAMES else fault)(value)
    if wrong is not None:
        raise RunError(f"meta.{entry} is {quoted(value)}; expected {wrong}")


def _check_smoothing(name: Any) -> None:
    """Raise ``NewerFormatError`` for noise that is not known here: its radii would be of another norm, or wrong."""
    if name not in list(SMOOTHINGS):  # a list: JSON may hold what cannot be hashed
        raise NewerFormatError(
            f"meta.smoothing is {quoted(name)}; this engine knows {', '.join(SMOOTHINGS)}: update it"
        )


def decisions(meta: Meta) -> str:
    """Every n that was decided on, for people: ``1,000, then 10,000``."""
    return ", then ".join(f"{n:,}" for n in meta.n_decided or ())


def _check_version(data: Mapping[str, Any]) -> None:
    """Raise ``NewerFormatError`` for what only a newer program understands, ``RunError`` for what is no version."""
    version = data.get("version")
    if version not in VERSIONS:
        newer = isinstance(version, int | float) and version > VERSIONS[-1]
        raise (NewerFormatError if newer else RunError)(
            f"meta.version is {quoted(version)}; this engine reads versions {VERSIONS[0]} to {VERSIONS[-1]}: update it"
        )
    _check_smoothing(data.get("smoothing", GAUSSIAN.name))


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
