"""The certificate of one image: everything that is needed to check it, as JSON. Numpy, scipy and pydantic only.

What it rests on are the counts of its segments, consecutive parts of the streams of draws; bounds, outcome and radius
are recomputed from them by ``check``. ``certificate_check.py`` compares the rest with what is known, and
``resample.py`` draws some of the segments again.
"""

from __future__ import annotations

import math
import re
import reprlib
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal, TypeVar, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from engine import __version__
from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.mechanisms import OWN
from engine.records.compose import Composition
from engine.records.draws import BLOCK
from engine.single_image import strict_json
from engine.single_image.evidence import Evidence, bounds_by, certify_by
from engine.single_image.picture import Pixels, tensor_sha256
from engine.single_image.plan import NEWER, Mode, Plan
from engine.single_image.promise import MARGIN, PROMISE, promise, stated, statement, statement_1
from engine.single_image.segments import (
    Segment,
    compositions,
    counts_classes,
    rests_on,
    roles,
    scored_at,
    segments_of,
)
from engine.single_image.subject import AsRun, Networks, Streams, Subject, check_networks, commitment, is_sha256
from engine.statistics.aces import Outcome
from engine.statistics.bounds import round_down, round_up
from engine.statistics.corrections import CERTIFY
from engine.statistics.looks import LookBounds, StageLook
from engine.statistics.stage import selection_votes

__all__ = [
    "PROMISE",
    "Answer",
    "AsRun",
    "Certificate",
    "CertificateError",
    "Networks",
    "Segment",
    "Streams",
    "Subject",
    "answer_of",
    "check",
    "from_json",
    "guesses",
    "implied",
    "issue",
    "promise",
    "rests_on",
    "to_json",
]

FORMAT: Literal["aces-certificate"] = "aces-certificate"
VERSION: Literal[2] = 2  # what is issued where later ones (``plan.NEWER``) have nothing to add
RIVALS = 5  # from this version on a look may tell of a rival
CHAINS = 6  # from this version on there may be later stages
NEWEST: Literal[7] = 7
MAX_BYTES = 32_000_000  # of a file: 10,000,000 draws of a network of 1,000 classes take half of it
DEVICES = ("cpu", "cuda", "mps", "xpu")
MAX_SEED = 2**63
MAX_SEGMENTS = 20_000  # blocks of 10,000,000 draws of two networks that guess and estimate, and the cuts at looks
AGREE = 1e-7  # relative; how far a recorded bound may lie below the recomputed one


class CertificateError(AcesError):
    """A certificate that contradicts itself, its image, or what was drawn again."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """CERTIFY's answer for one image, and what it rests on.

    ``prediction`` is a class, or ``ABSTAIN`` = -1; ``radius`` is in pixel units and the norm of the
    plan's noise, rounded down, 0 unless certified.
    ``core_answer``: what the core network says. ``thetas`` [T]: the thresholds that the answer of the first stage rests
    on; none where the votes for its class select.
    ``promise``: what the answer means, and does not; None in version 1. ``challenge``: names the noise in place of a
    seed, which is 0 then.
    """

    outcome: Literal["certified", "core", "consensus", "abstain"]
    prediction: int
    answer: str | None
    radius: float
    statement: str
    promise: str | None = None
    image: Subject
    networks: Networks
    plan: Plan
    seed: int
    challenge: str | None = None
    core_answer: int
    thetas: tuple[float, ...]
    segments: tuple[Segment, ...]
    looks: tuple[LookBounds, ...]
    created: str
    engine_version: str = __version__
    format: Literal["aces-certificate"] = FORMAT
    version: Literal[1, 2, 3, 4, 5, 6, 7] = VERSION

    @property
    def draws(self) -> int:
        """Draws of each network that is sampled: those that guess, and those that estimate."""
        return sum(part.draws for part in self.segments if part.network == "certify")

    @property
    def streams(self) -> Streams:
        """The streams that its draws came from."""
        fixed = ""
        if self.version > 1:
            fixed = commitment(self.plan, self.networks, self.image.tensor_sha256, self.challenge)
        return Streams(self.seed, self.image.index, fixed)


def issue(
    evidence: Evidence,
    plan: Plan,
    image: Subject,
    networks: Networks,
    seed: int,
    created: datetime | None = None,
    challenge: str | None = None,
) -> Certificate:
    """The certificate of what was drawn, ``created`` now unless it was before.

    Raises ``AcesError`` before the plan's first look: nothing is promised yet.
    """
    _check_seed(seed, challenge)
    if evidence.drawn < plan.looks[0]:
        drawn = f"{evidence.drawn:,} of {plan.n:,} draws"
        raise AcesError(f"no certificate after {drawn}: {_first_promise(plan)}; go on sampling")
    segments = segments_of(evidence, plan)
    looks = compositions(segments, plan, evidence.core)
    found = answer_at(looks, plan)
    radius = stated(found.radius)
    return Certificate(
        outcome=found.outcome,
        prediction=found.prediction,
        answer=None if found.prediction == ABSTAIN else networks.classes[found.prediction],
        radius=radius,
        statement=statement(found.outcome, found.prediction, radius, networks.classes, plan, found.stage),
        promise=promise(found.outcome, plan, networks.classes),
        image=image,
        networks=networks,
        plan=plan,
        seed=seed,
        challenge=challenge,
        core_answer=evidence.core,
        thetas=tuple(rests_on(plan).tolist()),
        segments=segments,
        looks=tuple(_rounded(look) for look in bounds_of(looks, plan)),
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
        version=cast(Any, plan.version),
    )


def implied(certificate: Certificate) -> float:
    """The l_inf radius that the radius implies: how much every pixel value may change, in units of the pixel range."""
    return certificate.plan.smoothing_card.implied(certificate.radius, math.prod(certificate.image.shape))


def to_json(certificate: Certificate) -> str:
    """The certificate as JSON text, lists of numbers on one line."""
    unknown: dict[str, Any] = {"plan": {name for name, (since, _) in NEWER.items() if certificate.version < since}}
    if certificate.version < CHAINS:
        unknown["looks"] = {"__all__": {"then"} | ({"p_rival"} if certificate.version < RIVALS else set())}
        unknown["networks"] = {"then"}
    text = _ADAPTER.dump_json(certificate, indent=1, exclude=unknown).decode()
    return re.sub(r"\[[\d\s.,eE+-]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def from_json(text: str | bytes) -> Certificate:
    """Read a certificate. Raises ``CertificateError`` that names the entry which is missing or wrong."""
    if len(text) > MAX_BYTES:
        raise CertificateError(f"no readable certificate: more than {MAX_BYTES / 1e6:.0f} MB")
    try:
        data = strict_json.parse(text)
        _check_known_version(data)
        _check_lengths(data)
        certificate = _ADAPTER.validate_json(text, strict=True)
        _check_known_entries(data, certificate)
        return certificate
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CertificateError(f"no readable certificate: {where}: {first['msg']}") from error
    except CertificateError:
        raise
    except AcesError as error:
        raise CertificateError(f"no readable certificate: {error}") from error


def check(certificate: Certificate, tensor: Pixels | None = None) -> None:
    """Recompute everything that follows from the counts, and compare; with ``tensor``, also that it is this image's.

    Raises ``CertificateError`` that says what does not agree.
    """
    if tensor is not None:
        check_tensor(certificate, tensor)
    plan, classes = certificate.plan, certificate.networks.classes
    _check_version(certificate)
    _check_stated(certificate)
    _check_segments(certificate)
    looks = compositions(certificate.segments, plan, certificate.core_answer)
    _agree("number of looks", len(certificate.looks), len(looks))
    if not looks:
        raise CertificateError("no look of the plan is a sum of segments: nothing is promised")
    found = answer_at(looks, plan)
    _agree("outcome", certificate.outcome, found.outcome)
    _agree("prediction", certificate.prediction, found.prediction)
    _not_above("radius", certificate.radius, float(round_down(found.radius)))
    _agree("answer", certificate.answer, None if found.prediction == ABSTAIN else classes[found.prediction])
    _agree("statement", certificate.statement, _statement(certificate, found))
    promised = promise(found.outcome, plan, classes) if certificate.version > 1 else None
    _agree("promise", certificate.promise, promised)
    for recorded, computed in zip(certificate.looks, bounds_of(looks, plan), strict=True):
        _check_look(recorded, computed, certificate.version)


def check_tensor(certificate: Certificate, tensor: Pixels) -> None:
    """Raise ``CertificateError`` unless this is the tensor that was certified."""
    if tensor_sha256(tensor) != certificate.image.tensor_sha256:
        raise CertificateError("the image does not give the certificate's tensor: it is another image, or another crop")
    _agree("image.shape", certificate.image.shape, tensor.shape)


@dataclass(frozen=True)
class Answer:
    """CERTIFY's answer at the looks so far; the radius as computed, not rounded. ``stage``: the one that is guessed to
    answer, from 0; one more than the last where that is the core network.
    """

    outcome: Literal["certified", "core", "consensus", "abstain"]
    prediction: int
    radius: float
    stage: int = 0


def answer_of(certificate: Certificate, segments: tuple[Segment, ...]) -> Answer:
    """What the certificate would say with these segments in the place of its own."""
    return answer_at(compositions(segments, certificate.plan, certificate.core_answer), certificate.plan)


def guesses(certificate: Certificate, segments: tuple[Segment, ...]) -> tuple[tuple[int, int], ...]:
    """What the guess draws among ``segments`` guess of every stage that an image may come to: the class, and whether
    it is handed on or certified.

    The stages end with the first that is guessed to certify: what stands behind it has no say.
    """
    plan, found = certificate.plan, []
    look = compositions(segments, plan, certificate.core_answer)[0]
    for stage, c in zip(plan.stages, (look, *(later.composition for later in look.then)), strict=True):
        votes = selection_votes(c, np.array([stage.threshold]), plan.correction, stage.t)
        found.append((int(c.class_counts0[0].argmax()), int(votes.s_hat[0, 0])))
        if found[-1][1] == CERTIFY:
            break
    return tuple(found)


_ADAPTER = TypeAdapter(Certificate)


def _check_known_version(data: Any) -> None:
    version = data.get("version") if isinstance(data, dict) and data.get("format") == FORMAT else None
    if isinstance(version, int) and version > NEWEST:
        raise CertificateError(f"the certificate is of version {version}; this engine reads 1 to {NEWEST}: update it")


def _check_lengths(data: Any) -> None:
    """Of what would be an error for every entry, kept in memory with the others."""
    if not isinstance(data, dict) or len(data) > 2 * len(fields(Certificate)):
        raise CertificateError("no readable certificate: the file: no object with a certificate's entries")
    for name in ("segments", "looks", "thetas"):
        entries = data.get(name)
        if isinstance(entries, list) and len(entries) > MAX_SEGMENTS:
            raise CertificateError(f"no readable certificate: {name}: {len(entries):,} entries")


def _check_known_entries(data: Any, read: Any, where: str = "") -> None:
    """Raise for an entry that nobody reads: it would look as if it had been checked."""
    if isinstance(data, dict) and is_dataclass(read):
        for name, value in data.items():
            if name not in vars(read):
                raise CertificateError(f"no readable certificate: {where}{name}: there is no such entry")
            _check_known_entries(value, getattr(read, name), f"{where}{name}.")
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        for at, (part, value) in enumerate(zip(data, read, strict=True)):
            _check_known_entries(part, value, f"{where}{at}.")


def _first_promise(plan: Plan) -> str:
    if plan.mode is Mode.FIXED:
        return f"with a fixed n, nothing is promised before all {plan.n:,} are there"
    return f"the first look is at {plan.looks[0]:,} draws"


def answer_at(looks: list[Composition], plan: Plan) -> Answer:
    """Outcome, class and radius at the looks that were reached."""
    answer = certify_by(plan, looks, [plan.threshold])
    outcome: Any = Outcome(answer.outcome[0, 0]).label
    stage = 0 if answer.later is None else int(answer.later.stage[0, 0])
    return Answer(outcome, int(answer.prediction()[0, 0]), float(answer.radius[0, 0]), stage)


def bounds_of(looks: list[Composition], plan: Plan) -> tuple[LookBounds, ...]:
    return bounds_by(plan, looks)


def _above(bound: float) -> float:
    """An upper bound of a probability likewise: never less than any machine recomputes."""
    return min(1.0, float(round_up(bound * (1 + MARGIN))))


Look = TypeVar("Look", LookBounds, StageLook)


def _rounded(look: LookBounds) -> LookBounds:
    return replace(_rounded_stage(look), then=tuple(_rounded_stage(stage) for stage in look.then))


def _rounded_stage(look: Look) -> Look:
    p_rival = None if look.p_rival is None else _above(look.p_rival)
    return replace(look, p_select=stated(look.p_select), p_certify=stated(look.p_certify), p_rival=p_rival)


def _statement(certificate: Certificate, found: Answer) -> str:
    said = found.outcome, found.prediction, certificate.radius
    if certificate.version == 1:
        return statement_1(*said, certificate.plan, certificate.networks.classes)
    return statement(*said, certificate.networks.classes, certificate.plan, found.stage)


# --- what a certificate may state ------------------------------------------------------------------------------------


def _check_version(certificate: Certificate) -> None:
    """Raise where an entry is not of its version: in version 1 no stream depends on a challenge or a second network."""
    networks, plan = certificate.networks, certificate.plan
    for name, (since, usual) in NEWER.items():
        if certificate.version < since and getattr(plan, name) != usual:
            raise CertificateError(f"plan.{name}: version {certificate.version} knows no such entry")
    if certificate.version < RIVALS and any(look.p_rival is not None for look in certificate.looks):
        raise CertificateError(f"looks.p_rival: version {certificate.version} knows no such entry")
    if certificate.version < CHAINS and (networks.then or any(look.then for look in certificate.looks)):
        name = "networks.then" if networks.then else "looks.then"
        raise CertificateError(f"{name}: version {certificate.version} knows no such entry")
    if certificate.version > plan.version:
        raise CertificateError(f"version: of this plan it is {plan.version}, and not {certificate.version}")
    if certificate.version > 1:
        return
    newer = {
        "promise": certificate.promise,
        "challenge": certificate.challenge,
        "networks.select": networks.select,
        "networks.as_run": networks.as_run,
        "plan.sigma_select": plan.sigma_select,
    }
    for name, value in newer.items():
        if value is not None:
            raise CertificateError(f"{name}: version 1 knows no such entry")


def _check_stated(certificate: Certificate) -> None:
    """Raise where entries that the counts do not tell are impossible."""
    networks, m = certificate.networks, len(certificate.networks.classes)
    if m < 2 or not 0 <= certificate.core_answer < m:
        raise CertificateError(f"core_answer is {certificate.core_answer}; the networks know the classes 0 to {m - 1}")
    if (networks.select is None) != (certificate.plan.sigma_select is None):
        raise CertificateError("plan.sigma_select: it belongs to a selection network, and a selection network to it")
    _check_chain(certificate)
    if networks.select is None and networks.mechanism != OWN.name:
        raise CertificateError(
            f"networks.mechanism is {networks.mechanism}; without a selection network it is {OWN.name}"
        )
    if networks.device not in DEVICES:
        raise CertificateError(f"networks.device is none of {', '.join(DEVICES)}")
    _check_seed(certificate.seed, certificate.challenge)
    for part, info in networks.parts.items():
        if certificate.version > 1 and not is_sha256(info.sha256 or ""):
            raise CertificateError(f"networks.{part}.sha256: it has 64 digits, and names the weights")
    try:
        datetime.fromisoformat(certificate.created)
    except ValueError as error:
        raise CertificateError("created: no time in ISO 8601") from error


def _check_chain(certificate: Certificate) -> None:
    """Raise unless every later stage has a network, and none stands twice."""
    try:
        check_networks(certificate.plan, certificate.networks)
    except AcesError as error:
        raise CertificateError(f"networks.then: {error}") from error


def _check_seed(seed: int, challenge: str | None) -> None:
    """Beside a challenge there is no seed: one that is free could be tried until the noise pleases."""
    if not -MAX_SEED <= seed < MAX_SEED:
        raise CertificateError("seed: more than 64 bits")
    if challenge is not None and seed != 0:
        raise CertificateError(f"seed: beside a challenge, which names the noise, it is 0, and not {seed}")


def _check_segments(certificate: Certificate) -> None:
    """Raise unless the segments are whole, consecutive, and enough for at least one look of the plan."""
    plan = certificate.plan
    at = {(role, stage): 0 for role in roles(plan) for stage in ("guess", "estimate")}
    _agree("thetas", list(certificate.thetas), rests_on(plan).tolist())
    for part in certificate.segments:
        where = f"{part.stage} draws from {part.start}"
        if part.network not in roles(plan):
            raise CertificateError(f"{where}: there is no {_kind(part.network)}")
        _agree(f"{where}: start", part.start, at[part.network, part.stage])
        at[part.network, part.stage] += part.draws
        _check_votes(part, where, certificate)
    for role in roles(plan):
        _agree("number of guess draws", at[role, "guess"], plan.n0)
        _agree("number of draws of the networks", at[role, "estimate"], at["certify", "estimate"])
    if not plan.looks[0] <= at["certify", "estimate"] <= plan.n:
        raise CertificateError(f"{at['certify', 'estimate']:,} draws are recorded, where {_first_promise(plan)}")


def _kind(network: str) -> str:
    return "selection network" if network == "select" else f"network '{network}'"


def _check_votes(part: Segment, where: str, certificate: Certificate) -> None:
    classes, selected = part.class_counts, part.select_counts
    m = len(certificate.networks.classes) if counts_classes(part.network) else 0
    thresholds = len(scored_at(part.network, certificate.plan))
    whole = (
        1 <= part.draws <= BLOCK
        and len(classes) == m
        and min(classes, default=0) >= 0
        and sum(classes) == (part.draws if m else 0)
        and len(selected) == thresholds
        and all(a <= b for a, b in pairwise((0, *selected, part.draws)))
    )
    if not whole:
        raise CertificateError(f"{where}: the counts do not add up to {part.draws} draws, at most {BLOCK:,} a segment")


def _check_look(recorded: LookBounds, computed: LookBounds, version: int) -> None:
    where = f"look at n = {computed.n}"
    _agree(f"{where}: n", recorded.n, computed.n)
    _agree(f"{where}: later stages", len(recorded.then), len(computed.then))
    for k, (said, given) in enumerate(zip(recorded.stages, computed.stages, strict=True)):
        _check_stage_look(where if k == 0 else f"{where}, stage {k + 1}", said, given, version)


def _check_stage_look(where: str, recorded: StageLook, computed: StageLook, version: int) -> None:
    for name in ("select", "certify"):
        _agree(f"{where}: {name}", getattr(recorded, name), getattr(computed, name))
    for name in ("p_select", "p_certify"):
        most = getattr(computed, name)
        # Version 1 did not round its bounds: another scipy's may be larger in the last bits.
        most = float(round_down(most)) if version > 1 else most * (1 + MARGIN)
        _not_above(f"{where}: {name}", getattr(recorded, name), most)
    _check_rival(f"{where}: p_rival", recorded.p_rival, computed.p_rival)


def _check_rival(what: str, recorded: float | None, computed: float | None) -> None:
    """An upper bound may never lie below what its counts give."""
    if recorded is None or computed is None:
        _agree(what, recorded, computed)
        return
    least = min(1.0, float(round_up(computed)))
    if not least <= recorded <= least + max(AGREE * least, 1e-12):
        _differ(what, recorded, least)


def _not_above(what: str, recorded: float, most: float) -> None:
    """A claim may never exceed what its counts give; below, another scipy's last digits are no contradiction."""
    if not most - max(AGREE * most, 1e-12) <= recorded <= most:
        _differ(what, recorded, most)


def _agree(what: str, recorded: Any, computed: Any) -> None:
    if recorded != computed:
        _differ(what, recorded, computed)


def _differ(what: str, recorded: Any, computed: Any) -> None:
    said, given = (value if isinstance(value, str) else reprlib.repr(value) for value in (recorded, computed))
    raise CertificateError(f"{what}: the certificate says {said}, its counts give {given}")
