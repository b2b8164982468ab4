"""``certify`` and ``check``: one image now, and its certificate again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cache.catalog import Catalog
from engine.cli.many import below, certify_into
from engine.cli.options import (
    AlphaOption,
    CacheOption,
    CorrectionOption,
    TrustOption,
    UnitsOption,
    VotesOption,
    check_one_selection,
    number,
    read_then,
)
from engine.cli.printing import say
from engine.errors import AcesError
from engine.output import make_folder, write_file
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.single_image.plan import LATER, Mode, Plan
from engine.smoothing import SMOOTHINGS
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.looks import FIRST, FIRST_LOOK
from engine.statistics.margin import Bound
from engine.units import check_sigma

if TYPE_CHECKING:
    from engine.single_image.certificate import Certificate
    from engine.single_image.certify import Certification
    from engine.single_image.picture import Framing, Picture
    from engine.single_image.subject import Part
    from engine.single_image.system import NetworkHints, System
    from engine.single_image.until import Until

DEFAULT_THETA = 0.3
KINDS: dict[Part, str] = {"certify": SmoothedRun.KIND, "core": CoreRun.KIND, "select": SelectionRun.KIND}
CertifyNetwork = Annotated[
    str | None,
    typer.Option("--certify", help="Certification network: a run's name, a unique prefix, or a checkpoint's path."),
]
CoreNetwork = Annotated[str | None, typer.Option("--core", help="Core network, named likewise.")]
SelectNetwork = Annotated[
    str | None,
    typer.Option("--select", help="Selection network, named likewise; by default the entropies of the first."),
]


@dataclass(frozen=True)
class StopRule:
    """When to end early: at a certified radius of at least ``radius``, at an ``answer`` of any kind, or after
    ``seconds`` an image. The first two give an image up where nothing is to be hoped for.
    """

    radius: float | None = None
    seconds: float | None = None
    answer: bool = False

    def __post_init__(self) -> None:
        if self.answer and self.radius is not None:
            raise AcesError("--until-radius and --outcome ask two questions: one of them ends the draws")
        _ = self.until  # what is no radius is refused here, before anything is loaded

    @property
    def mode(self) -> Mode:
        """Ending because of what was drawn asks for bounds that are valid at every look."""
        return Mode.FIXED if self == StopRule() else Mode.EARLY

    @property
    def first(self) -> int:
        """How many draws the first look sees: a question is often answered by few."""
        return FIRST_LOOK if self.radius is None and not self.answer else FIRST

    @property
    def until(self) -> Until | None:
        """The question that ends the draws, if there is one."""
        from engine.single_image.until import Until

        return None if self.radius is None and not self.answer else Until(self.radius)

    def is_late(self, found: Certification, seconds: float) -> bool:
        """Whether the time suffices, and a look was reached."""
        if self.seconds is None or seconds < self.seconds or found.plan.mode is Mode.FIXED:
            return False
        return found.drawn >= found.plan.looks[0]


def certify(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")],
    certify_network: CertifyNetwork = None,
    core: CoreNetwork = None,
    system_file: Annotated[
        Path | None,
        typer.Option("--system", help="A system.yaml, of `deploy`, in place of networks and all that it says."),
    ] = None,
    select: SelectNetwork = None,
    sigma: Annotated[float | None, typer.Option(help="Noise, in pixel units; by default the run's.")] = None,
    sigma_select: Annotated[
        float | None, typer.Option("--sigma-select", help="Noise of the selection network; by default its run's.")
    ] = None,
    smoothing: Annotated[
        str | None, typer.Option(help=f"The noise: {', '.join(SMOOTHINGS)}; by default the run's.")
    ] = None,
    theta: Annotated[
        float | None, typer.Option(help=f"Selection threshold, in [0, 1]. [default: {DEFAULT_THETA}]")
    ] = None,
    p0: Annotated[
        float | None,
        typer.Option(
            "--p0",
            help="In place of --theta: answer where a class has more than this share of the noisy votes, in (0.5, 1).",
        ),
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(
            "--then",
            metavar="NETWORK[,THETA[,VOTES]]",
            help="What is not selected goes on to this network, a run or a checkpoint, which selects by a threshold "
            "(0.3) and a share of votes (0.5) of its own, or with NETWORK,p0=0.7 by the votes for its class. Once for "
            "every stage, in order.",
        ),
    ] = None,
    n: Annotated[int, typer.Option(help="Draws that estimate.")] = 10_000,
    n0: Annotated[int, typer.Option(help="Draws that guess.")] = 100,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: CorrectionOption = DEFAULT_CORRECTION,
    bound: Annotated[
        Bound | None,
        typer.Option(
            help="Of the class: by its margin over the strongest other one, or against all others together, the "
            "paper's; by default the margin, and beside --correction bonferroni the paper's."
        ),
    ] = None,
    votes: VotesOption = MAJORITY,
    until_radius: Annotated[
        float | None,
        typer.Option(
            help="End as soon as this radius is certified or no longer to be hoped for (bounds valid at every look, of "
            "20 draws, 40, 80, ...)."
        ),
    ] = None,
    outcome: Annotated[
        bool,
        typer.Option(
            "--outcome",
            help="End as soon as there is an answer, of whatever radius, or none to be hoped for (as above).",
        ),
    ] = False,
    max_seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds per image (bounds valid at every look).")
    ] = None,
    crop: Annotated[str, typer.Option(help="x,y,zoom of the window: x, y in [0, 1], 0.5 the middle.")] = "0.5,0.5,1",
    invert: Annotated[bool, typer.Option("--invert", help="Turn light into dark before anything else.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of the noise; by default fresh, which the promise needs.")] = None,
    challenge: Annotated[
        str | None,
        typer.Option(help="Names the noise in place of a seed: a verifier's text, or a beacon's."),
    ] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16; by default the run's.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print certificates instead of sentences.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A folder for the certificates.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="That the networks are for, where their files do not say; also one of a run.")
    ] = None,
    architecture: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PART=]NAME",
            help="Of networks that are named by a file which does not say it, or of one of certify, core, select.",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option(metavar="[PART=]KEY", help="Which set of weights, where a file holds several.")
    ] = None,
    normalizer: Annotated[
        list[str] | None, typer.Option(metavar="[PART=]KIND", help="What stands in front: a name, or MEAN/STD.")
    ] = None,
    trust: TrustOption = False,
    units_are_right: UnitsOption = False,
    cache: CacheOption = None,
) -> None:
    """Certify images now. With a fixed n the bound is plain; ending early makes it valid at every look.

    Example: python -m engine certify shoe.png --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --json

    A chain: --then fashion_mnist-gaussian-0.25,0.3 asks a second network before the core network.
    """
    from engine.single_image.case import check_challenge
    from engine.single_image.system import System

    if output is not None:
        make_folder(output)  # before anything is sampled
    stop = StopRule(until_radius, max_seconds, outcome)
    check_challenge(challenge, seed)  # what is wrong with an option is said before anything is loaded
    for option, value in (("--sigma", sigma), ("--sigma-select", sigma_select)):
        if value is not None and not units_are_right:
            check_sigma(value, option)
    check_one_selection(theta, p0, select, votes)
    if system_file is not None:
        _check_alone(
            [certify_network, core, select, sigma, sigma_select, smoothing, theta, p0, then, bound, precision, dataset,
             architecture, weights, normalizer], [alpha, correction, votes],
        )  # fmt: skip
        system = System.load(system_file, device=device, trust=trust)
    else:
        if certify_network is None or core is None:
            raise AcesError("name the networks with --certify and --core, or a system.yaml with --system")
        system = System.load(
            certify_network, core, DEFAULT_THETA if theta is None and p0 is None else theta, p0=p0,
            then=[read_then(text) for text in then or ()],
            select=select, alpha=alpha, correction=correction, sigma=sigma, sigma_select=sigma_select,
            smoothing=smoothing, t=votes, bound=bound, precision=precision, device=device, dataset=dataset,
            trust=trust, hints=_network_hints(architecture, weights, normalizer), runs=Catalog(cache),
        )  # fmt: skip
    system.open()  # what is wrong with the networks is said once, and not of every image
    task = CertifyTask(system, system.plan(n, n0, stop.mode, stop.first), _framing(crop, invert), stop, seed, challenge)
    many = len(images) > 1 or images[0].is_dir()
    if output is not None and many:
        made, failures = _into(task, images, output, as_json)
    else:
        made, failures = _one_by_one(task, images, output, many, as_json)
    if as_json:
        _print_json(made, alone=not many)
    if failures:
        raise AcesError(f"{failures} images could not be certified; the others were")


@dataclass(frozen=True)
class CertifyTask:
    """What every image is asked: by which system and plan, of which crop, until when, and under which noise."""

    system: System
    plan: Plan
    framing: Framing
    stop: StopRule
    seed: int | None
    challenge: str | None

    def certify(self, picture: Picture, report: Callable[[int, float], None] = lambda *_: None) -> Certification:
        """A picture's certification when its question is answered, its draws are made, or its time is over."""
        from engine.single_image.certify import sample_image

        start = time.perf_counter()
        for found in sample_image(
            picture, self.system, self.plan, framing=self.framing, seed=self.seed, challenge=self.challenge,
            until=self.stop.until,
        ):  # fmt: skip
            seconds = time.perf_counter() - start
            report(found.drawn, seconds)
            if self.stop.is_late(found, seconds):
                break
        return found

    @property
    def digest(self) -> str:
        """Of all that decides a result: results of another task do not count where this one goes on."""
        from engine.single_image.results import digest

        more = f"{self.stop}|{self.seed}|{self.challenge}"
        return digest(self.plan, self.system.open().networks, self.framing, more)


def _into(task: CertifyTask, images: list[Path], output: Path, keep: bool) -> tuple[list[Certificate], int]:
    """Many pictures into a folder; the new certificates where they are to be kept, and how many pictures failed."""
    from engine.single_image.results import places

    files = places(_named(images))
    return certify_into(output, task.digest, files, lambda picture: task.certify(picture).certificate(), quiet=not keep)


def _one_by_one(
    task: CertifyTask, images: list[Path], output: Path | None, many: bool, keep: bool
) -> tuple[list[Certificate], int]:
    """Each picture's sentence, or its certificate where they are to be kept. One that fails alone fails the command."""
    from engine.cli.progress import DrawsBar
    from engine.single_image.certificate import to_json
    from engine.single_image.picture import read_picture

    certificates, failures = [], 0
    for path, _ in _named(images):
        try:
            picture = read_picture(path)
            for note in picture.notes:
                say(f"{path}: {note}", sys.stderr)
            with DrawsBar(path.name, task.plan.n) as bar:
                found = task.certify(picture, bar)
            made = found.certificate()
        except AcesError as error:
            if not many:
                raise
            say(f"{path}: {error}", sys.stderr)
            failures += 1
            continue
        if output is not None:
            write_file(output / f"{path.name}.json", to_json(made).encode())
        if keep:
            certificates.append(made)
        else:
            until = task.stop.until
            ended = "" if until is None else f" {until.said(found.evidence, task.plan)}"
            say(f"{path}:{ended} {made.statement} {made.promise} {found.confidences}")
    return certificates, failures


def _network_hints(
    architecture: list[str] | None, weights: list[str] | None, normalizer: list[str] | None
) -> dict[str, NetworkHints]:
    """What the options say of networks: ``PART=VALUE`` of one, ``VALUE`` of every one that is named by a file."""
    from engine.single_image.system import NetworkHints

    parts = ("certify", "core", "select", *LATER)
    said: dict[str, dict[str, Any]] = {part: {} for part in parts}
    for entry, values in (("architecture", architecture), ("weights", weights), ("normalizer", normalizer)):
        for text in sorted(values or (), key=lambda text: text.partition("=")[0] in parts):  # of one part goes before
            part, equals, value = text.partition("=")
            for of in [part] if equals and part in parts else parts:
                said[of][entry] = value if equals and part in parts else text
    return {part: NetworkHints(**known) for part, known in said.items() if known}


def _check_alone(others: Sequence[object], spent: Sequence[object]) -> None:
    """Raise ``AcesError`` where something stands beside a system's file that it says itself."""
    if any(value is not None for value in others) or tuple(spent) != (DEFAULT_ALPHA, DEFAULT_CORRECTION, MAJORITY):
        raise AcesError("--system says networks and settings itself: change them in the file, or name networks instead")


def _named(images: list[Path]) -> Iterator[tuple[Path, str]]:
    """The pictures, each with its name below the folder that was named, or in its own."""
    for path in images:
        if path.is_dir():
            yield from below(path)
        else:
            yield path, path.name


def _framing(crop: str, invert: bool) -> Framing:
    from engine.single_image.picture import Framing

    parts = [float(number(part, "--crop")) for part in crop.split(",")]
    if len(parts) != 3:
        raise AcesError(f"--crop: '{crop}' is not x,y,zoom, for example 0.5,0.5,1")
    return Framing(parts[0], parts[1], parts[2], invert)


def _print_json(certificates: list[Certificate], alone: bool) -> None:
    from engine.single_image.certificate import to_json

    if alone:
        sys.stdout.write(to_json(certificates[0]))
    else:
        print(json.dumps([json.loads(to_json(certificate)) for certificate in certificates], ensure_ascii=False))
