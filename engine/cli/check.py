"""``check``: a certificate again, from its counts and, on demand, from new draws of a part of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cache.catalog import Catalog
from engine.cli.options import CacheOption, TrustOption
from engine.cli.printing import say
from engine.errors import AcesError
from engine.records.meta import Meta, NetworkInfo
from engine.records.runs import CoreRun, SelectionRun, SmoothedRun
from engine.single_image.plan import LATER
from engine.weights import file_names, places

if TYPE_CHECKING:
    from engine.datasets import DatasetCard
    from engine.models import Hints
    from engine.single_image.certificate import Certificate
    from engine.single_image.certificate_check import Known
    from engine.single_image.picture import Picture, Pixels
    from engine.single_image.resample import Resampled
    from engine.single_image.subject import Part
    from engine.single_image.system import OwnImages

KINDS: dict[Part, str] = {"certify": SmoothedRun.KIND, "core": CoreRun.KIND, "select": SelectionRun.KIND}


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
    from engine.single_image.system import NetworkHints, find_network

    try:
        from engine.single_image.live import hints_of
    except ModuleNotFoundError as error:  # counts and names are checked without it
        if error.name != "torch" or any(named.values()):
            raise
        return dict.fromkeys(read.networks.parts, "its checkpoint cannot be read: torch is not installed"), {}

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
