"""``system.yaml``: a system that was chosen, as a file that other programs read, and strangers can check.

Networks stand in it by place and by the sha256 of their weights, so that no other network answers in their name; the
settings are all that ``System`` has; what was measured is what the runs said when it was chosen.

system = System.load("system.yaml")
system.predict(images)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from engine import __version__, datasets, files
from engine.errors import AcesError
from engine.mechanisms import NETWORK, mechanism
from engine.names import LONGEST_NOTE, fault
from engine.output import make_folder, write_file
from engine.records.origin import LIBRARIES, code_of, placed
from engine.single_image.plan import LATER, LaterPlan
from engine.single_image.system import LaterNetwork, NetworkHints, OwnImages, PairSpec, Selector, System
from engine.smoothing import smoothing
from engine.statistics.intervals import Estimate
from engine.strict_yaml import StrictModel, first_fault, read_yaml, write_yaml
from engine.weights import MOST_BYTES, files_of, is_named

FORMAT: Literal["aces-system"] = "aces-system"
VERSION: Literal[1] = 1
HEAD = "# A certified system of ACES Explorer: `python -m engine inspect {name}` says what it is.\n"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
MOST_CLASSES = 100_000


def _said(text: str) -> str:
    if (expected := fault(text, LONGEST_NOTE)) is not None:
        raise ValueError(f"expected {expected}")
    return text


Text = Annotated[str, AfterValidator(_said)]


@dataclass(frozen=True)
class MeasuredPoint:
    """What the runs said of a system when it was chosen among others, over ``images`` images.

    ``rule``: how it was chosen. ``nac`` in percent and ``robustness``, which is what ``measure`` names, with their 95 %
    intervals on the images that chose; ``elsewhere``: both as other images are expected to give them (section 15 of
    docs/statistics.md), None where too few images tell.
    """

    images: int
    rule: str
    measure: str
    nac: Estimate
    robustness: Estimate
    elsewhere: tuple[Estimate, Estimate] | None = None


@dataclass(frozen=True)
class Deployed:
    """A system and where it comes from: ``runs`` by what they are for, when and by which engine it was written."""

    system: System
    runs: Mapping[str, str]
    measured: MeasuredPoint | None = None
    created: str = ""
    engine_version: str = __version__


class _Network(StrictModel):
    checkpoint: Path
    sha256: Sha256
    architecture: Text | None = None
    weights: Text | None = None
    normalizer: Text | None = None


class _Selection(_Network):
    sigma: Finite
    mechanism: str = NETWORK.name


class _Later(_Network):
    sigma: Finite
    theta: Finite | None = None
    t: Finite | None = None
    p0: Finite | None = None


class _Networks(StrictModel):
    certify: _Network
    core: _Network
    select: _Selection | None = None
    then: tuple[_Later, ...] = ()


class _Settings(StrictModel):
    sigma: Finite
    theta: Finite | None = None
    p0: Finite | None = None
    t: Finite
    alpha: Finite
    correction: str
    bound: str
    smoothing: str
    precision: str


class _Rate(StrictModel):
    value: Finite
    low: Finite
    high: Finite


class _Rates(StrictModel):
    nac: _Rate
    robustness: _Rate


class _Measured(StrictModel):
    rule: str
    robustness_is: str
    images: Annotated[int, Field(ge=1)]
    on_these: _Rates
    on_others: _Rates | None = None


class _Provenance(StrictModel):
    created: str
    engine_version: str
    runs: dict[str, str] = Field(default_factory=dict)


class _Pictures(StrictModel):
    """What is known of pictures of the user's own: the names of the classes, and the side of what networks see."""

    classes: Annotated[tuple[Text, ...], Field(min_length=2, max_length=MOST_CLASSES)]
    size: Annotated[int, Field(ge=1, le=4_096)]


class _File(StrictModel):
    format: Literal["aces-system"]
    version: Literal[1]
    dataset: Text
    pictures: _Pictures | None = None
    networks: _Networks
    settings: _Settings
    measured: _Measured | None = None
    provenance: _Provenance


def is_system(path: Path) -> bool:
    """Whether a file is called as systems are."""
    return path.suffix.lower() in (".yaml", ".yml")


def read_system(path: Path, *, device: str = "cpu", trust: bool = False) -> Deployed:
    """Read a system to run on ``device``; its checkpoints are looked for, and opened when it is asked.

    ``trust``: whether code that they bring may run; no file can say that of itself. Raises ``AcesError`` that names the
    entry which is wrong, or the checkpoint that is missing.
    """
    data = read_yaml(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise AcesError(f"{path}: no system: it has no `format: {FORMAT}`; `python -m engine deploy` writes one")
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise AcesError(f"{path}: of version {version}; this engine reads {VERSION}: update it")
    try:
        file = _File.model_validate(data)
        system = _system(file, path.parent, device, trust=trust)
    except ValidationError as error:
        raise AcesError(f"{path}: {first_fault(error)}") from error
    except AcesError as error:
        raise AcesError(f"{path}: {error}") from error
    for checkpoint in system.pair.checkpoints:
        if not (is_named(checkpoint) or checkpoint.is_file()):
            raise AcesError(f"{path}: no checkpoint at {checkpoint}; put it there or correct the path")
    measured = None if file.measured is None else _measured_of(file.measured)
    return Deployed(system, file.provenance.runs, measured, file.provenance.created, file.provenance.engine_version)


def to_yaml(deployed: Deployed, path: Path, *, beside: bool = False) -> str:
    """The file's text, to be written to ``path``.

    Checkpoints, and files of code that build networks of the user's own, stand by their absolute paths, or, where they
    are ``beside`` the file, by their names. Raises ``AcesError`` for a system that does not say its dataset, or nothing
    of pictures of the user's own, or which weights are meant.
    """
    system, spec = deployed.system, deployed.system.pair
    if spec.dataset is None:
        raise AcesError("a system is written with its dataset: say which")
    if spec.own is None:
        datasets.card(spec.dataset)  # whose classes and sizes everybody knows
    said = dict(spec.hints)

    def place(path: Path) -> str:
        if is_named(path):
            return str(path)
        return path.name if beside else str(Path(os.path.abspath(path)))  # noqa: PTH100 (links stay)

    def named(part: str, checkpoint: Path, sha256: str | None) -> dict[str, Any]:
        if sha256 is None:
            raise AcesError(f"{checkpoint}: which weights are meant is not known: nothing says their sha256")
        return {"checkpoint": place(checkpoint), "sha256": sha256, **_hints_data(said.get(part), place)}

    data = {
        "format": FORMAT,
        "version": VERSION,
        "dataset": spec.dataset,
        **({} if spec.own is None else {"pictures": {"classes": list(spec.own.classes), "size": spec.own.size}}),
        "networks": _networks_data(system, named),
        "settings": {
            "sigma": system.sigma,
            **({"theta": system.theta} if system.p0 is None else {"p0": system.p0}),
            "t": system.t,
            "alpha": system.alpha,
            "correction": str(system.correction),
            "bound": str(system.bound),
            "smoothing": system.smoothing,
            "precision": spec.precision,
        },
        **({} if deployed.measured is None else {"measured": _measured_data(deployed.measured)}),
        "provenance": {
            "created": deployed.created or datetime.now(UTC).isoformat(timespec="seconds"),
            "engine_version": deployed.engine_version,
            "runs": dict(deployed.runs),
        },
    }
    return HEAD.format(name=path.name) + write_yaml(data)


def copy_beside(pair: PairSpec, path: Path) -> None:
    """Put networks, and files of code that build them, beside a system's file, which need not be there yet.

    Raises ``AcesError`` for two files of one name, a missing one, a folder, and a network of a library.
    """
    if of_library := next((name for name in map(str, pair.checkpoints) if name.startswith(LIBRARIES)), None):
        raise AcesError(f"{of_library} is a network of a library, and is not put beside {path.name}")
    checkpoints = (checkpoint for checkpoint in pair.checkpoints if not is_named(checkpoint))
    networks = [file for checkpoint in checkpoints for file in files_of(checkpoint)]
    code = [found[0] for name in pair.code if (found := code_of(name)) is not None]
    wanted = {file.resolve(): file for file in (*networks, *code)}
    if folder := next((file for file in wanted.values() if file.is_dir()), None):
        raise AcesError(f"{folder} is a folder, and is not put beside {path.name}")
    names = [file.name for file in wanted.values()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AcesError(f"two files are called {twice[0]}: rename one, or do not put them beside {path.name}")
    make_folder(path.parent)
    for file in wanted.values():
        place = path.parent / file.name
        if not (place.exists() and place.samefile(file)):
            write_file(place, files.read(file, MOST_BYTES))


def script(path: Path, system: System) -> str:
    """The lines of Python that use a system which was written to ``path``."""
    trust = ", trust=True" if system.pair.code else ""  # whoever runs them has read whose code it is
    return f"""from engine import System

system = System.load({str(path)!r}{trust})
images = ["cat.jpg"]  # also arrays and tensors: uint8 of 0 to 255 or floats in [0, 1], [B, C, H, W] or [B, H, W, C]
for answer in system.predict(images):
    print(answer.name or "no answer", f"after {{answer.draws}} draws")
for certificate in system.certify(images, system.plan(n=10_000)):
    print(certificate.statement)
"""


def facts(deployed: Deployed) -> dict[str, Any]:
    """What a system is, for people and as JSON."""
    system, spec = deployed.system, deployed.system.pair
    parts = {"certify": spec.certify, "core": spec.core}
    hashes = dict(zip(("certify", "core"), spec.sha256, strict=True))
    if spec.select is not None:
        parts["select"], hashes["select"] = spec.select.checkpoint, spec.select.sha256
    for k, later in enumerate(spec.then, 1):
        parts[f"then {k}"], hashes[f"then {k}"] = later.checkpoint, later.sha256
    found: dict[str, Any] = {"format": "a system", "dataset": spec.dataset}
    found |= {name: f"{path} (sha256 {str(hashes[name])[:12]}…)" for name, path in parts.items()}
    found |= {"sigma": system.sigma, "theta" if system.p0 is None else "p0": system.threshold, "t": system.t}
    found |= {"alpha": system.alpha, "correction": str(system.correction), "bound": str(system.bound)}
    found |= {"smoothing": system.smoothing, "precision": spec.precision}
    for k, stage in enumerate(system.then, 1):
        how = f"p0 {stage.p0:g}" if stage.p0 is not None else f"theta {stage.theta:g}, t {stage.t:g}"
        found[f"stage {k + 1}"] = f"sigma {stage.sigma:g}, {how}"
    if (m := deployed.measured) is not None:
        found |= {"chosen": m.rule, "on these": f"{_both(m.measure, m.nac, m.robustness)}, {m.images:,} images"}
        found["on others"] = "not known" if m.elsewhere is None else _both(m.measure, *m.elsewhere)
    found["runs"] = ", ".join(f"{name} {run}" for name, run in deployed.runs.items()) or None
    return {**found, "written": f"{deployed.created} by engine {deployed.engine_version}"}


def _both(measure: str, nac: Estimate, robustness: Estimate) -> str:
    return (
        f"NAC {nac.value:.1f} % [{nac.low:.1f}, {nac.high:.1f}], {measure} {robustness.value:.4g} "
        f"[{robustness.low:.4g}, {robustness.high:.4g}]"
    )


def _hints_data(said: NetworkHints | None, place: Callable[[Path], str]) -> dict[str, Any]:
    """What a network's file does not say of itself, as somebody said it when the network was sampled."""
    if said is None:
        return {}
    known = {"architecture": placed(said.architecture, place), "weights": said.weights, "normalizer": said.normalizer}
    return {name: value for name, value in known.items() if value is not None}


def _networks_data(system: System, named: Callable[[str, Path, str | None], dict[str, Any]]) -> dict[str, Any]:
    spec = system.pair
    found: dict[str, Any] = {
        "certify": named("certify", spec.certify, spec.sha256[0]),
        "core": named("core", spec.core, spec.sha256[1]),
    }
    if spec.select is not None:
        chosen = named("select", spec.select.checkpoint, spec.select.sha256)
        found["select"] = {**chosen, "sigma": system.sigma_select, "mechanism": spec.select.mechanism}
    if spec.then:
        found["then"] = [
            named(part, network.checkpoint, network.sha256) | _later_data(stage)
            for part, network, stage in zip(LATER[: len(spec.then)], spec.then, system.then, strict=True)
        ]
    return found


def _later_data(stage: LaterPlan) -> dict[str, Any]:
    if stage.p0 is not None:
        return {"sigma": stage.sigma, "p0": stage.p0}
    return {"sigma": stage.sigma, "theta": stage.theta, "t": stage.t}


def _measured_data(measured: MeasuredPoint) -> dict[str, Any]:
    def rates(nac: Estimate, robustness: Estimate) -> dict[str, Any]:
        digits = {"nac": (nac, 3), "robustness": (robustness, 5)}
        return {
            name: {key: round(value, places) for key, value in vars(estimate).items()}
            for name, (estimate, places) in digits.items()
        }

    found = {"rule": measured.rule, "robustness_is": measured.measure, "images": measured.images}
    found["on_these"] = rates(measured.nac, measured.robustness)
    if measured.elsewhere is not None:
        found["on_others"] = rates(*measured.elsewhere)
    return found


def _measured_of(file: _Measured) -> MeasuredPoint:
    def estimates(rates: _Rates) -> tuple[Estimate, Estimate]:
        return tuple(Estimate(r.value, r.low, r.high) for r in (rates.nac, rates.robustness))  # type: ignore[return-value]

    elsewhere = None if file.on_others is None else estimates(file.on_others)
    return MeasuredPoint(file.images, file.rule, file.robustness_is, *estimates(file.on_these), elsewhere)


def _system(file: _File, folder: Path, device: str, *, trust: bool) -> System:
    networks, settings = file.networks, file.settings
    smoothing(settings.smoothing)
    select = None
    if networks.select is not None:
        by = mechanism(networks.select.mechanism).name
        select = Selector(_located(folder, networks.select), networks.select.sha256, by)
    pair = PairSpec(
        _located(folder, networks.certify),
        _located(folder, networks.core),
        settings.precision,
        device,
        (networks.certify.sha256, networks.core.sha256),
        select,
        file.dataset,
        trust,
        tuple(LaterNetwork(_located(folder, later), later.sha256) for later in networks.then),
        _hints(networks, folder),
        _own(file),
    )
    later = tuple(_later(stage) for stage in networks.then)
    sigma_select = None if networks.select is None else networks.select.sigma
    return System(
        pair, settings.sigma, settings.theta, settings.alpha, settings.correction, sigma_select,  # type: ignore[arg-type]
        settings.smoothing, settings.t, settings.bound, settings.p0, later,  # type: ignore[arg-type]
    )  # fmt: skip


def _located(folder: Path, network: _Network) -> Path:
    """A checkpoint as a file in ``folder`` names it."""
    return network.checkpoint if is_named(network.checkpoint) else folder / network.checkpoint


def _hints(networks: _Networks, folder: Path) -> tuple[tuple[str, NetworkHints], ...]:
    """What the file says of its networks: a record's word, so that code which it names runs with trust alone."""
    parts: dict[str, _Network | None] = {
        "certify": networks.certify,
        "core": networks.core,
        "select": networks.select,
        **dict(zip(LATER, networks.then, strict=False)),
    }
    found = {}
    for part, network in parts.items():
        if network is None or (network.architecture, network.weights, network.normalizer) == (None, None, None):
            continue
        name, built = network.checkpoint.stem, placed(network.architecture, lambda file: (folder / file).resolve())
        found[part] = NetworkHints(name, built, network.weights, network.normalizer, by_record=True)
    return tuple(sorted(found.items()))


def _own(file: _File) -> OwnImages | None:
    """The dataset, where it is somebody's own.

    Raises ``AcesError`` where that bears the name of a known one, and where another's classes and size nobody says.
    """
    if file.pictures is None:
        datasets.card(file.dataset)
        return None
    if datasets.known(file.dataset) is not None:
        raise AcesError(f"'{file.dataset}' is a known dataset, whose classes and size are not the file's to say")
    return OwnImages(file.dataset, file.pictures.classes, file.pictures.size)


def _later(stage: _Later) -> LaterPlan:
    plan = LaterPlan(stage.sigma, stage.theta, p0=stage.p0)
    return plan if stage.t is None else replace(plan, t=stage.t)
