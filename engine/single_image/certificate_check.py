"""What is written in a certificate, entry by entry: how it was verified, or why it was not.

``certificate.check`` recomputes what follows from the counts. Here the rest is compared with what is known: the
image file, the dataset's card, the checkpoints, the streams drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from engine.mechanisms import MECHANISMS
from engine.records.meta import NetworkInfo
from engine.single_image.certificate import Certificate, CertificateError, check
from engine.single_image.picture import Framing, Picture, Pixels, tensor_sha256, to_tensor
from engine.single_image.plan import LATER, NEWER, LaterPlan
from engine.single_image.subject import Part
from engine.statistics.looks import StageLook

if TYPE_CHECKING:
    from engine.datasets import DatasetCard
    from engine.single_image.resample import Resampled

NOBODY = "only its issuer knows"
FILE = "the exact tensor was given, not the file that it was cut from"
CARD = "no dataset of that name is known here"
WEIGHTS = "no checkpoint of that name was found here: name it with --{part}"
AGAIN = "only --resample tells"
LATER_PLAN = tuple(f"then.{field.name}" for field in fields(LaterPlan))
PLAN = (
    *("sigma", "theta", "n", "n0", "alpha", "correction", "mode", "sigma_select"),
    *(name for name in NEWER if name != "then"),
    *LATER_PLAN,
)

# Every entry of a certificate, with what is said of it where nothing verified it. An empty reason: `check` always does.
# tests/engine/single_image/test_certificate_check.py compares this with the records: no new entry can be forgotten.
ENTRIES: dict[str, str] = {
    **dict.fromkeys(("format", "version", "outcome", "prediction", "answer", "radius", "statement", "promise"), ""),
    **dict.fromkeys((f"looks.{name}" for name in ("n", "select", "certify", "p_select", "p_certify", "p_rival")), ""),
    **dict.fromkeys((f"looks.then.{field.name}" for field in fields(StageLook)), ""),
    **dict.fromkeys(("thetas", *(f"segments.{name}" for name in ("network", "stage", "start", "draws"))), ""),
    **dict.fromkeys(("image.tensor_sha256", "image.shape"), ""),
    **dict.fromkeys(("image.file_sha256", *(f"image.framing.{n}" for n in ("x", "y", "zoom", "invert"))), FILE),
    **dict.fromkeys(("networks.dataset", "networks.classes"), CARD),
    **{
        f"networks.{part}.{name}": WEIGHTS.format(part=part)
        for part in ("certify", "core", "select", "then")
        for name in ("name", "sha256", "training", "sigma_train")
    },
    **dict.fromkeys((f"segments.{name}" for name in ("class_counts", "select_counts")), AGAIN),
    **dict.fromkeys(("seed", "challenge", "core_answer"), AGAIN),
    **dict.fromkeys((f"networks.{name}" for name in ("mechanism", "precision", "device")), AGAIN),
    **dict.fromkeys((f"plan.{name}" for name in PLAN), AGAIN),
    **dict.fromkeys(
        (f"networks.as_run.{name}" for name in ("hardware", "torch", "memory_format", "batch", "compiled")), AGAIN
    ),
    **dict.fromkeys(("created", "engine_version"), NOBODY),
}
AS_DRAWN = ("seed", "core_answer", "networks.mechanism", "networks.precision", "networks.device", "plan.sigma")
LOOSE = "in version 1 the noise does not depend on it"
VERSION_1 = (
    "version 1: its noise does not depend on the plan, so nothing prevents that θ, n, α or the mode were chosen after "
    "looking at it"
)


@dataclass(frozen=True)
class Known:
    """What a checkpoint says of itself: None where it says nothing. ``outputs``: of the network."""

    info: NetworkInfo
    dataset: str | None
    outputs: int | None


@dataclass(frozen=True)
class Report:
    """``verified``: entry -> how. ``unverified``: entry -> why not. What is written stands in one of them."""

    verified: dict[str, str] = field(default_factory=dict)
    unverified: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What was verified, and what was not, one line for each reason."""
        by_reason: dict[str, list[str]] = {}
        for entry, why in self.unverified.items():
            by_reason.setdefault(why, []).append(entry)
        missing = [f"not verified: {', '.join(_grouped(entries))} ({why})" for why, entries in by_reason.items()]
        return [f"verified: {', '.join(_grouped(list(self.verified)))}", *missing]


def examine(
    certificate: Certificate,
    tensor: Pixels,
    *,
    picture: Picture | None = None,
    card: DatasetCard | None = None,
    networks: Mapping[Part, Known | str] | None = None,
    challenge: str | None = None,
    resampled: Resampled | None = None,
) -> Report:
    """Check a certificate against the exact ``tensor`` uint8 [C, H, W] and everything else that is known.

    ``picture``: the file that was given; ``networks``: the checkpoints found, or why one was not; ``challenge``: what
    it must have mixed in; ``resampled``: what drawing again found. Raises ``CertificateError`` at a contradiction.
    """
    check(certificate, tensor)
    _check_challenge(certificate, challenge)
    networks = networks or {}
    verified = {entry: "recomputed" for entry, why in ENTRIES.items() if not why}
    verified |= _by_file(certificate, picture, tensor) | _by_card(certificate, card)
    verified |= _by_checkpoints(certificate, networks)
    verified |= _by_streams(certificate, resampled)
    verified = {entry: how for entry, how in verified.items() if _written(certificate, entry)}
    return Report(verified, _unverified(certificate, verified, networks, resampled))


def _check_challenge(certificate: Certificate, challenge: str | None) -> None:
    if challenge is None or certificate.challenge == challenge:
        return
    recorded = "none" if certificate.challenge is None else f"'{certificate.challenge[:100]}'"
    raise CertificateError(f"challenge: '{challenge}' is asked for, and the certificate records {recorded}")


def _by_file(certificate: Certificate, picture: Picture | None, tensor: Pixels) -> dict[str, str]:
    """The file, and the crop that makes the tensor of it. The tensor itself as a file tells neither."""
    if picture is None or picture.sha256 != certificate.image.file_sha256:
        return {}
    framed = to_tensor(picture, certificate.image.framing, certificate.image.shape)
    if tensor_sha256(framed) != tensor_sha256(tensor):
        raise CertificateError("image.framing: this is the file, and that crop of it gives another tensor")
    crop = {f"image.framing.{name}": "gives the tensor" for name in vars(Framing())}
    return {"image.file_sha256": "the file's", **crop}


def _by_card(certificate: Certificate, card: DatasetCard | None) -> dict[str, str]:
    """Names of classes are as good as answers: they must be the dataset's, in its order."""
    networks = certificate.networks
    if card is None:
        return {}
    if networks.classes != card.classes:
        raise CertificateError(f"networks.classes: {_first_difference(networks.classes, card.classes)} in {card.name}")
    if certificate.image.shape != card.shape:
        raise CertificateError(f"image.shape is {certificate.image.shape}; images of {card.name} have {card.shape}")
    return dict.fromkeys(("networks.dataset", "networks.classes"), f"those of {card.name}")


def _first_difference(recorded: tuple[str, ...], known: tuple[str, ...]) -> str:
    if len(recorded) != len(known):
        return f"{len(recorded):,} classes, where there are {len(known):,}"
    at = next(i for i, (a, b) in enumerate(zip(recorded, known, strict=True)) if a != b)
    return f"class {at} is called '{recorded[at][:60]}', and it is '{known[at]}'"


def _record(part: Part) -> str:
    """Where a network stands in the file: those of later stages in one list."""
    return "networks.then" if part in LATER else f"networks.{part}"


def _by_checkpoints(certificate: Certificate, networks: Mapping[Part, Known | str]) -> dict[str, str]:
    """What is verified of the networks: an entry of the list of later ones only where it is of all of them."""
    found: list[dict[str, str]] = []
    verified: dict[str, str] = {}
    for part in certificate.networks.parts:
        known = networks.get(part)
        said = _by_checkpoint(certificate, part, known) if isinstance(known, Known) else {}
        if part in LATER:
            found.append(said)
        else:
            verified |= said
    if found:
        verified |= {entry: how for entry, how in found[0].items() if all(entry in said for said in found)}
    return verified


def _by_checkpoint(certificate: Certificate, part: Part, known: Known) -> dict[str, str]:
    """What the checkpoint knows of a network must be what the certificate says of it."""
    recorded, networks, where = certificate.networks.parts[part], certificate.networks, _record(part)
    if recorded.sha256 != known.info.sha256:
        raise CertificateError(
            f"{where}.sha256: the checkpoint '{known.info.name}' found here has other weights; if it is another one of "
            f"that name, name the right one with --{option(part)}"
        )
    if known.dataset not in (None, networks.dataset):
        raise CertificateError(f"networks.dataset is {networks.dataset}; '{known.info.name}' is for {known.dataset}")
    outputs = _outputs(certificate, part)
    if outputs is not None and known.outputs not in (None, outputs):
        raise CertificateError(f"{where} has {known.outputs} outputs, where the certificate needs {outputs}")
    found = {f"{where}.sha256": "the checkpoint's"}
    for name in ("name", "training", "sigma_train"):
        says, stated = getattr(known.info, name), getattr(recorded, name)
        if says is not None and says != stated:
            raise CertificateError(f"{where}.{name} is {stated}; the checkpoint says {says}")
        if says is not None:
            found[f"{where}.{name}"] = "the checkpoint's"
    return found


def option(part: Part) -> str:
    """The command's option that names a network's checkpoint; ``--then`` once for each later stage."""
    return "then" if part in LATER else part


def _outputs(certificate: Certificate, part: Part) -> int | None:
    """How many outputs a network needs; None where its mechanism is not known here."""
    m = len(certificate.networks.classes)
    if part != "select":
        return m
    scored = MECHANISMS.get(certificate.networks.mechanism)
    return None if scored is None else scored.outputs(m)


def _by_streams(certificate: Certificate, resampled: Resampled | None) -> dict[str, str]:
    """What the noise depends on: another value would have given other votes."""
    if resampled is None:
        return {}
    entries = list(AS_DRAWN)
    if certificate.version > 1:
        entries += [entry for entry in ENTRIES if entry.startswith("plan.")] + ["challenge"]
        if resampled.same_machine:
            entries += [entry for entry in ENTRIES if entry.startswith("networks.as_run.")]
    if resampled.draws == resampled.recorded:
        entries += ["segments.class_counts", "segments.select_counts"]
    return dict.fromkeys(entries, "drawn again")


def _unverified(
    certificate: Certificate,
    verified: Mapping[str, str],
    networks: Mapping[Part, Known | str],
    resampled: Resampled | None,
) -> dict[str, str]:
    reasons = dict(ENTRIES)
    for part, known in networks.items():
        for name in vars(NetworkInfo()):
            why = known if isinstance(known, str) else "the checkpoint does not say"
            entry = f"{_record(part)}.{name}"
            if part == LATER[0] or part not in LATER or isinstance(known, str):
                reasons[entry] = why
    if resampled is not None:
        part_again = f"{resampled.draws:,} of {resampled.recorded:,} draws were drawn again: --fraction 1 draws all"
        reasons |= dict.fromkeys(("segments.class_counts", "segments.select_counts"), part_again)
        other = "drawn again on a machine of another kind"
        reasons |= {entry: other for entry in reasons if entry.startswith("networks.as_run.")}
    if certificate.version == 1:
        reasons |= {entry: LOOSE for entry in reasons if entry.startswith("plan.")}
        if resampled is None:
            reasons["plan.sigma"] = AGAIN
    return {entry: why for entry, why in reasons.items() if entry not in verified and _written(certificate, entry)}


def _written(certificate: Certificate, entry: str) -> bool:
    """Whether a certificate holds an entry: not what is null in it, or was unknown in its version."""
    if not _holds(certificate, entry.split(".")):
        return False
    since, _ = NEWER.get(entry.removeprefix("plan."), (1, None))
    if since > 1:
        return certificate.version >= since
    return certificate.version > 1 or entry not in ("networks.mechanism", "segments.network")


def _holds(value: object, names: Sequence[str]) -> bool:
    """Whether there is anything at a place; of records in a list, in one of them."""
    if value is None or value == ():
        return False
    if not names:
        return True
    if isinstance(value, tuple):
        return any(_holds(part, names) for part in value)
    return _holds(getattr(value, names[0]), names[1:])


def _grouped(entries: list[str]) -> list[str]:
    """Entries of one record behind its name: ``plan.{sigma, theta}``."""
    records: dict[str, list[str]] = {}
    for entry in entries:
        record, _, name = entry.rpartition(".")
        records.setdefault(record, []).append(name)
    return [
        name
        for record, names in records.items()
        for name in (names if not record else [f"{record}.{names[0]}" if len(names) == 1 else _braced(record, names)])
    ]


def _braced(record: str, names: list[str]) -> str:
    return f"{record}.{{{', '.join(names)}}}"
