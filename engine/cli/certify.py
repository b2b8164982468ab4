"""``certify`` and ``check``: one image now, and its certificate again."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cache.shelf import Shelf
from cache.weights import weights_of
from engine.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.cli.options import AlphaOption, CacheOption, CorrectionOption, number
from engine.errors import AcesError
from engine.plan import Mode, Plan, fresh_seed
from engine.runs import CoreRun, SmoothedRun

if TYPE_CHECKING:
    from engine.certificate import Certificate
    from engine.evidence import Evidence
    from engine.live import Pair
    from engine.pictures import Framing, Picture, Pixels

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
CertifyNetwork = Annotated[
    str, typer.Option("--certify", help="Certification network: a run's name, a unique prefix, or a checkpoint's path.")
]
CoreNetwork = Annotated[str, typer.Option("--core", help="Core network, named likewise.")]


@dataclass(frozen=True)
class Stop:
    """When to end early: at a certified radius of at least ``radius``, or after ``seconds`` an image."""

    radius: float | None = None
    seconds: float | None = None

    @property
    def mode(self) -> Mode:
        """Ending because of what was drawn asks for bounds that are valid at every look."""
        return Mode.FIXED if self == Stop() else Mode.EARLY

    def now(self, evidence: Evidence, plan: Plan, seconds: float) -> bool:
        """Whether the looks so far, or the time, suffice."""
        if plan.mode is Mode.FIXED:
            return False
        if self.seconds is not None and seconds >= self.seconds:
            return True
        answer = evidence.answer(plan) if self.radius is not None else None
        return answer is not None and float(answer.radius[0, 0]) >= (self.radius or 0.0) and answer.radius[0, 0] > 0


def certify(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")],
    certify_network: CertifyNetwork,
    core: CoreNetwork,
    sigma: Annotated[float | None, typer.Option(help="Noise, in pixel units; by default the run's.")] = None,
    theta: Annotated[float, typer.Option(help="Selection threshold, in [0, 1].")] = 0.3,
    n: Annotated[int, typer.Option(help="Draws that estimate.")] = 10_000,
    n0: Annotated[int, typer.Option(help="Draws that guess.")] = 100,
    alpha: AlphaOption = DEFAULT_ALPHA,
    correction: CorrectionOption = DEFAULT_CORRECTION,
    until_radius: Annotated[
        float | None, typer.Option(help="End as soon as this radius is certified (bounds valid at every look).")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds an image (bounds valid at every look).")
    ] = None,
    crop: Annotated[str, typer.Option(help="x,y,zoom of the window: x, y in [0, 1], 0.5 the middle.")] = "0.5,0.5,1",
    invert: Annotated[bool, typer.Option("--invert", help="Turn light into dark before anything else.")] = False,
    seed: Annotated[int | None, typer.Option(help="Of the noise; by default fresh, which the promise needs.")] = None,
    precision: Annotated[str | None, typer.Option(help="float32 or bfloat16; by default the run's.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print certificates instead of sentences.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A folder for the certificates.")] = None,
    cache: CacheOption = None,
) -> None:
    """Certify images now. With a fixed n the bound is plain; ending early makes it valid at every look.

    Example: python -m engine certify shoe.png --certify fashion_mnist-gaussian-0.5 --core fashion_mnist-core --json
    """
    from engine.certificate import to_json

    stop = Stop(until_radius, max_seconds)
    pair, default_sigma = _open(Shelf(cache), certify_network, core, precision, device)
    plan = Plan(default_sigma if sigma is None else sigma, theta, n, n0, alpha, correction, stop.mode)
    framing = _framing(crop, invert)
    certificates, failures = [], 0
    for path in _files(images):
        try:
            made = _one(path, pair, plan, framing, stop, seed)
        except AcesError as error:
            if len(images) == 1 and not images[0].is_dir():
                raise
            print(f"{path}: {error}", file=sys.stderr)
            failures += 1
            continue
        certificates.append(made)
        if output is not None:
            _write(output, f"{path.name}.json", to_json(made))
        if not as_json:
            print(f"{path}: {made.statement}")
    if as_json:
        _print_json(certificates, alone=len(images) == 1 and not images[0].is_dir())
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
    device: Annotated[str | None, typer.Option(help="To resample on; by default the certificate's.")] = None,
    cache: CacheOption = None,
) -> None:
    """Check a certificate: recompute bound and answer from its counts; with --resample, draw some of them again.

    Example: python -m engine check certificate.json shoe.png --resample
    """
    from engine.certificate import check as check_counts
    from engine.certificate import from_json
    from engine.pictures import read_picture

    read = from_json(_bytes(certificate))
    picture = read_picture(_bytes(image))
    tensor = _same_tensor(read, picture)
    check_counts(read, tensor)
    print(f"image: gives the certificate's tensor{_other_file(read, picture)}")
    print(f"counts: give the certificate's bounds and answer. {read.statement}")
    if resample:
        from engine.resample import resample as draw_again

        names = read.networks
        pair, _ = _open(
            Shelf(cache),
            certify_network or names.certify.name or "",
            core or names.core.name or "",
            names.precision,
            device or names.device,
        )
        again = draw_again(read, pair, tensor, fraction)
        print(f"streams: {again.draws:,} draws again, {again.turned or 'no'} votes otherwise than recorded")


def _open(shelf: Shelf, certify: str, core: str, precision: str | None, device: str) -> tuple[Pair, float]:
    """The two networks, and the noise that the first was sampled under or trained with."""
    from engine.live import open_pair

    first, second = _network(shelf, certify, SmoothedRun.KIND), _network(shelf, core, CoreRun.KIND)
    precision = precision or first.precision or "float32"
    pair = open_pair(first.path, second.path, precision, device, sha256=(first.sha256, second.sha256))
    return pair, first.sigma or pair.networks.certify.sigma_train or 0.0


class _Named(NamedTuple):
    """A checkpoint, and what the run says of it by whose name it was found."""

    path: Path
    sigma: float | None = None
    precision: str | None = None
    sha256: str | None = None


def _network(shelf: Shelf, name: str, kind: str) -> _Named:
    """A network named by a path or by a run."""
    if Path(name).suffix == ".safetensors" or Path(name).is_file():
        return _Named(Path(name))
    meta = shelf.resolve(name, kind)
    return _Named(weights_of(meta), meta.sigma, meta.precision, meta.network.sha256)


def _files(images: list[Path]) -> Iterator[Path]:
    for path in images:
        if path.is_dir():
            found = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not found:
                raise AcesError(f"{path} holds no image files ({', '.join(SUFFIXES)})")
            yield from found
        else:
            yield path


def _one(path: Path, pair: Pair, plan: Plan, framing: Framing, stop: Stop, seed: int | None) -> Certificate:
    from engine.certificate import Subject, issue
    from engine.pictures import read_picture, tensor_sha256, to_tensor
    from engine.progress import DrawsBar

    picture = read_picture(_bytes(path))
    for note in picture.notes:
        print(f"{path}: {note}", file=sys.stderr)
    tensor = to_tensor(picture, framing, pair.dataset.shape)
    subject = Subject(picture.sha256, tensor_sha256(tensor), pair.dataset.shape, framing)
    seed = fresh_seed() if seed is None else seed  # only now that the image is fixed
    start = time.perf_counter()
    with DrawsBar(path.name, plan.n) as bar:
        for evidence in pair.evidence(tensor, plan, seed, subject.index):
            seconds = time.perf_counter() - start
            bar(len(evidence.estimate), seconds)
            if stop.now(evidence, plan, seconds):
                break
    return issue(evidence, plan, subject, pair.networks, seed)


def _framing(crop: str, invert: bool) -> Framing:
    from engine.pictures import Framing

    parts = [float(number(part, "--crop")) for part in crop.split(",")]
    if len(parts) != 3:
        raise AcesError(f"--crop: '{crop}' is not x,y,zoom, for example 0.5,0.5,1")
    return Framing(parts[0], parts[1], parts[2], invert)


def _same_tensor(certificate: Certificate, picture: Picture) -> Pixels:
    """The tensor by the certificate's crop; the file may also be the exact tensor itself, saved as PNG."""
    from engine.pictures import Framing, tensor_sha256, to_tensor

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
    from engine.certificate import to_json

    if alone:
        sys.stdout.write(to_json(certificates[0]))
    else:
        print(json.dumps([json.loads(to_json(certificate)) for certificate in certificates], ensure_ascii=False))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AcesError(f"{path}: cannot be read ({error.strerror})") from error


def _write(folder: Path, name: str, text: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    except OSError as error:
        raise AcesError(f"cannot write {folder / name}: {error.strerror}") from error
