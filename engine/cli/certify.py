"""``certify`` and ``check``: one image now, and its certificate again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
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
from engine.records.runs import CoreRun, Meta, NetworkInfo, SelectionRun, SmoothedRun
from engine.single_image.plan import LATER, Mode, Plan
from engine.smoothing import SMOOTHINGS
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.looks import FIRST, FIRST_LOOK
from engine.statistics.margin import Bound
from engine.units import check_sigma
from engine.weights import file_names, places

if TYPE_CHECKING:
    from engine.datasets import DatasetCard
    from engine.models import Hints
    from engine.single_image.certificate import Certificate
    from engine.single_image.certificate_check import Known
    from engine.single_image.certify import Certification
    from engine.single_image.picture import Framing, Picture, Pixels
    from engine.single_image.resample import Resampled
    from engine.single_image.subject import Part
    from engine.single_image.system import NetworkHints, OwnImages, System
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
    from engine.single_image.certificate import to_json
    from engine.single_image.certify import sample_image
    from engine.single_image.picture import read_picture
    from engine.single_image.results import digest, places
    from engine.single_image.system import System

    if output is not None:
        make_folder(output)  # before anything is sampled
    stop = StopRule(until_radius, max_seconds, outcome)
    until = stop.until  # what is no radius is refused before anything is loaded
    check_challenge(challenge, seed)
    for option, value in (("--sigma", sigma), ("--sigma-select", sigma_select)):
        if value is not None and not units_are_right:
            check_sigma(value, option)
    check_one_selection(theta, p0, select, votes)
    if system_file is not None:
        others = (
            certify_network,
            core,
            select,
            sigma,
            sigma_select,
            smoothing,
            theta,
            p0,
            then,
            bound,
            precision,
            dataset,
            architecture,
            weights,
            normalizer,
        )
        spent = alpha, correction, votes
        _check_alone(others, spent)
        system = System.load(system_file, device=device, trust=trust)
    else:
        if certify_network is None or core is None:
            raise AcesError("name the networks with --certify and --core, or a system.yaml with --system")
        later = [read_then(text) for text in then or ()]
        system = System.load(
            certify_network, core, DEFAULT_THETA if theta is None and p0 is None else theta, p0=p0, then=later,
            select=select, alpha=alpha, correction=correction, sigma=sigma, sigma_select=sigma_select,
            smoothing=smoothing, t=votes, bound=bound, precision=precision, device=device, dataset=dataset,
            trust=trust, hints=_network_hints(architecture, weights, normalizer), runs=Catalog(cache),
        )  # fmt: skip
    system.open()  # what is wrong with the networks is said once, and not of every image
    plan = system.plan(n, n0, stop.mode, stop.first)
    framing = _framing(crop, invert)
    many = len(images) > 1 or images[0].is_dir()
    if output is not None and many:
        of = digest(plan, system.open().networks, framing, f"{stop}|{seed}|{challenge}")
        files = places(_named(images))

        def one(picture: Picture) -> Certificate:
            asked = sample_image(
                picture, system, plan, framing=framing, seed=seed, challenge=challenge, until=stop.until
            )
            return _ended(asked, stop).certificate()

        new, failures = certify_into(output, of, files, one, quiet=not as_json)
        if as_json:
            _print_json(new, alone=False)
        _check_failures(failures)
        return
    certificates, failures = [], 0
    for path, _ in _named(images):
        try:
            picture = read_picture(path)
            for note in picture.notes:
                say(f"{path}: {note}", sys.stderr)
            found = _certify_one(picture, path.name, system, plan, framing, stop, seed, challenge)
            made = found.certificate()
        except AcesError as error:
            if not many:
                raise
            say(f"{path}: {error}", sys.stderr)
            failures += 1
            continue
        if output is not None:
            write_file(output / f"{path.name}.json", to_json(made).encode())
        if as_json:
            certificates.append(made)
        else:
            ended = "" if until is None else f" {until.said(found.evidence, plan)}"
            say(f"{path}:{ended} {made.statement} {made.promise} {found.confidences}")
    if as_json:
        _print_json(certificates, alone=not many)
    _check_failures(failures)


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


def _check_failures(failures: int) -> None:
    if failures:
        raise AcesError(f"{failures} images could not be certified; the others were")


def check(
    certificate: Annotated[Path, typer.Argument(metavar="CERT.json", help="A certificate.")],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image it speaks of, or its exact tensor as PNG.")],
    resample: Annotated[bool, typer.Option("--resample", help="Also draw a part of it again.")] = False,
    fraction: Annotated[float, typer.Option(help="How much of it, in (0, 1].")] = 0.1,
    certify_network: Annotated[
        str | None, typer.Option("--certify", help="Where its certification network is not found by its name.")
    ] = None,
    core: Annotated[str | None, typer.Option("--core", help="Where its core network is not found by its name.")] = None,
    select: Annotated[
        str | None, typer.Option("--select", help="Where its selection network is not found by its name.")
    ] = None,
    then: Annotated[
        list[str] | None,
        typer.Option("--then", help="Where networks of later stages are not found by their names: one each, in order."),
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="What must have named its noise.")] = None,
    device: Annotated[str | None, typer.Option(help="To resample on; by default the certificate's.")] = None,
    trust: TrustOption = False,
    cache: CacheOption = None,
) -> None:
    """Check a certificate: recompute bound and answer from its counts, compare names with what is known here, and say
    what could not be compared; with --resample, draw some of the counts again.

    Example: python -m engine check certificate.json shoe.png --resample
    """
    from engine.single_image.certificate import MAX_BYTES, from_json
    from engine.single_image.certificate import check as check_counts
    from engine.single_image.certificate_check import VERSION_1, examine
    from engine.single_image.picture import read_file, read_picture

    read = from_json(read_file(certificate, MAX_BYTES))
    picture = read_picture(image)
    tensor = _same_tensor(read, picture)
    check_counts(read, tensor)
    named: dict[Part, str | None] = {"certify": certify_network, "core": core, "select": select}
    named |= _named_later(read, then or [])
    runs = _runs_of(read, Catalog(cache))
    card = _card(read, runs)
    networks, paths = _recorded(read, Catalog(cache), named, runs, card, trust)
    compared = partial(examine, read, tensor, picture=picture, card=card, networks=networks, challenge=challenge)
    compared()  # what contradicts itself is not worth drawing again
    again = _draw_again(read, tensor, paths, runs, fraction, device, trust) if resample else None
    report = compared(resampled=again)
    print(f"image: gives the certificate's tensor{_other_file(read, picture)}")
    say(f"counts: give the certificate's bounds and answer. {read.statement} {read.promise or ''}".rstrip())
    if again is not None:
        print(f"streams: {again.draws:,} draws again, {again.turned or 'no'} votes otherwise than recorded")
    say(VERSION_1 if read.version == 1 else f"challenge: {_challenge(read, again)}")
    for line in report.lines():
        say(line)


def _named_later(read: Certificate, then: list[str]) -> dict[Part, str | None]:
    """The networks of later stages by the part that they play, None where none are named."""
    stages = len(read.networks.then)
    if then and len(then) != stages:
        raise AcesError(f"{len(then)} networks are named with --then; the certificate has {stages} later stages")
    names: list[str | None] = [*then] or [None] * stages
    return dict(zip(LATER, names, strict=False))


def _challenge(read: Certificate, again: Resampled | None) -> str:
    if read.challenge is None:
        return "none; nothing shows that its issuer did not try several seeds"
    return f"'{read.challenge}' {'names' if again else 'is recorded; --resample tells whether it names'} the noise"


def _runs_of(read: Certificate, catalog: Catalog) -> dict[Part, Meta]:
    """Runs of this store that were sampled here from the certificate's networks, told by their sha256."""
    here = [meta for meta in catalog.metas() if meta.origin is not None and meta.network.sha256 is not None]
    by_sha256 = {meta.network.sha256: meta for meta in reversed(here)}
    return {part: by_sha256[info.sha256] for part, info in read.networks.parts.items() if info.sha256 in by_sha256}


def _card(read: Certificate, runs: Mapping[Part, Meta]) -> DatasetCard | None:
    """The dataset's card, if it is known here, as the engine's or as that of a run."""
    from engine.datasets import known, own_images

    own = _own_images(read, runs)
    return known(read.networks.dataset) if own is None else own_images(own.name, own.classes, own.size)


def _own_images(read: Certificate, runs: Mapping[Part, Meta]) -> OwnImages | None:
    from engine.single_image.system import OwnImages

    found = (OwnImages.of_run(meta) for meta in runs.values() if meta.dataset == read.networks.dataset)
    return next((own for own in found if own is not None), None)


def _recorded(
    read: Certificate,
    catalog: Catalog,
    named: dict[Part, str | None],
    runs: Mapping[Part, Meta],
    card: DatasetCard | None,
    trust: bool,
) -> tuple[dict[Part, Known | str], dict[Part, Path]]:
    """What the checkpoints of a certificate's networks say of themselves, or why not, and where they lie."""
    from engine.single_image.certificate_check import WEIGHTS, option
    from engine.single_image.live import hints_of
    from engine.single_image.system import NetworkHints, find_network

    found: dict[Part, Known | str] = {}
    paths: dict[Part, Path] = {}
    for part, info in read.networks.parts.items():
        name = named[part]
        kind = KINDS.get(part, SmoothedRun.KIND)
        found_at, said = _places(info.name) if name is None else [], NetworkHints()
        if not found_at and (name is not None or part in runs):
            network = find_network(runs[part] if name is None else name, kind, catalog)
            found_at, said = [network.path], network.hints
        if not found_at:
            found[part] = WEIGHTS.format(part=option(part))
            continue
        try:
            hints = hints_of(said, card, trust=trust)
            known = {path: _known(path, hints) for path in found_at}
        except AcesError as error:
            if name is not None:
                raise
            found[part] = f"its checkpoint cannot be read: {error}"
            continue
        paths[part] = next((p for p in found_at if known[p].info.sha256 == info.sha256), found_at[0])
        found[part] = known[paths[part]]
    return found, paths


def _places(name: str | None) -> list[Path]:
    """Checkpoints of that name in the folders where weights are looked for. A certificate's name is never a path."""
    if not name or len(name) > 180 or Path(name).name != name:
        return []
    return [folder / file for folder in places() for file in file_names(name) if (folder / file).is_file()]


def _known(path: Path, hints: Hints) -> Known:
    """What a checkpoint says of itself. Of a foreign file only the weights speak: its name is the file's."""
    from engine.models import load
    from engine.single_image.certificate_check import Known

    checkpoint = load(path, hints)
    card = checkpoint.card
    if checkpoint.format not in ("ACES Explorer", "denoised"):
        return Known(NetworkInfo(sha256=checkpoint.sha256), None, checkpoint.outputs)
    info = NetworkInfo(card.name, checkpoint.sha256, card.training, card.sigma_train)
    return Known(info, card.dataset, checkpoint.outputs)


def _draw_again(
    read: Certificate,
    tensor: Pixels,
    paths: dict[Part, Path],
    runs: Mapping[Part, Meta],
    fraction: float,
    device: str | None,
    trust: bool,
) -> Resampled:
    """Draw a part of it again, with its own networks."""
    from engine.single_image.certificate_check import option
    from engine.single_image.live import open_pair
    from engine.single_image.resample import resample
    from engine.single_image.system import LaterNetwork, NetworkHints, PairSpec, Selector

    missing = [part for part in read.networks.parts if part not in paths]
    if missing:
        by = option(missing[0])
        raise AcesError(f"to draw again its {missing[0]} network is needed: name a checkpoint with --{by}")
    later = tuple(LaterNetwork(paths[part]) for part in read.networks.parts if part in LATER)
    names, known = read.networks, _card(read, runs)
    hints = tuple((part, NetworkHints.of_run(meta)) for part, meta in runs.items())
    select = Selector(paths["select"], None, names.mechanism) if "select" in paths else None
    spec = PairSpec(
        paths["certify"], paths["core"], names.precision, device or names.device, select=select,
        dataset=known.name if known else None, trust=trust, then=later, hints=hints, own=_own_images(read, runs),
    )  # fmt: skip
    return resample(read, open_pair(spec), tensor, fraction)


def _named(images: list[Path]) -> Iterator[tuple[Path, str]]:
    """The pictures, each with its name below the folder that was named, or in its own."""
    for path in images:
        if path.is_dir():
            yield from below(path)
        else:
            yield path, path.name


def _certify_one(
    picture: Picture,
    name: str,
    system: System,
    plan: Plan,
    framing: Framing,
    stop: StopRule,
    seed: int | None,
    challenge: str | None,
) -> Certification:
    from engine.cli.progress import DrawsBar
    from engine.single_image.certify import sample_image

    with DrawsBar(name, plan.n) as bar:
        asked = sample_image(picture, system, plan, framing=framing, seed=seed, challenge=challenge, until=stop.until)
        return _ended(asked, stop, bar)


def _ended(
    asked: Iterable[Certification], stop: StopRule, report: Callable[[int, float], None] = lambda *_: None
) -> Certification:
    """A certification when its question is answered, its draws are made, or its time is over."""
    start = time.perf_counter()
    for found in asked:
        seconds = time.perf_counter() - start
        report(found.drawn, seconds)
        if stop.is_late(found, seconds):
            break
    return found


def _framing(crop: str, invert: bool) -> Framing:
    from engine.single_image.picture import Framing

    parts = [float(number(part, "--crop")) for part in crop.split(",")]
    if len(parts) != 3:
        raise AcesError(f"--crop: '{crop}' is not x,y,zoom, for example 0.5,0.5,1")
    return Framing(parts[0], parts[1], parts[2], invert)


def _same_tensor(certificate: Certificate, picture: Picture) -> Pixels:
    """The tensor by the certificate's crop; the file may also be the exact tensor itself, saved as PNG."""
    from engine.single_image.picture import Framing, tensor_sha256, to_tensor

    for framing in (certificate.image.framing, Framing()):
        tensor = to_tensor(picture, framing, certificate.image.shape)
        if tensor_sha256(tensor) == certificate.image.tensor_sha256:
            return tensor
    if picture.sha256 == certificate.image.file_sha256:
        raise AcesError("this is the file, but it decodes to another tensor here: give the exact tensor as PNG instead")
    return tensor


def _other_file(certificate: Certificate, picture: Picture) -> str:
    return "" if picture.sha256 == certificate.image.file_sha256 else ", though the file is another"


def _print_json(certificates: list[Certificate], alone: bool) -> None:
    from engine.single_image.certificate import to_json

    if alone:
        sys.stdout.write(to_json(certificates[0]))
    else:
        print(json.dumps([json.loads(to_json(certificate)) for certificate in certificates], ensure_ascii=False))
