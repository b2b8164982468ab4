"""The certificate of one image: everything that is needed to check it, as JSON. Numpy, scipy and pydantic only.

What it rests on are the counts of its segments, consecutive parts of the two streams of draws; bounds, outcome and
radius are recomputed from them by ``check``. ``engine/resample.py`` draws some of them again.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from engine import __version__
from engine.aces import Correction, Outcome, usable_thresholds
from engine.bounds import round_down
from engine.compose import Composition
from engine.counts import THRESHOLDS, count, thresholds
from engine.draws import BLOCK, Draws
from engine.errors import AcesError
from engine.evidence import Evidence, one_image
from engine.looks import LookBounds, bounds_at_looks, certify_at_looks
from engine.pictures import Framing, Pixels, tensor_sha256
from engine.plan import Mode, Plan
from engine.runs import ABSTAIN, Array, NetworkInfo

FORMAT: Literal["aces-certificate"] = "aces-certificate"
VERSION: Literal[1] = 1
AGREE = 1e-7  # relative; how far recomputed bounds may lie apart on another machine's scipy


class CertificateError(AcesError):
    """A certificate that contradicts itself, its image, or what was drawn again."""


@dataclass(frozen=True)
class Subject:
    """What was certified: the file's sha256, and the exact tensor uint8 [C, H, W] that came of it by ``framing``."""

    file_sha256: str
    tensor_sha256: str
    shape: tuple[int, int, int]
    framing: Framing

    @property
    def index(self) -> int:
        """Names the image's noise streams. Negative, so that it is never a data set image's."""
        return -1 - int(self.tensor_sha256[:12], 16)


@dataclass(frozen=True)
class Networks:
    """Who answered: the networks by the sha256 of their weights, and how the certification network was run."""

    dataset: str
    classes: tuple[str, ...]
    certify: NetworkInfo
    core: NetworkInfo
    precision: str
    device: str


@dataclass(frozen=True)
class Segment:
    """The counts of the draws ``start``, ..., ``start + draws - 1`` of one stream.

    ``class_counts`` [m]; ``select_counts`` [T]: how many scores lie at or below each of the certificate's thresholds.
    """

    stage: Literal["guess", "estimate"]
    start: int
    draws: int
    class_counts: tuple[int, ...]
    select_counts: tuple[int, ...]


@dataclass(frozen=True)
class Certificate:
    """CERTIFY's answer for one image, and what it rests on.

    ``prediction`` is a class, or ``ABSTAIN`` = -1; ``radius`` is l2 in pixel units, rounded down, 0 unless certified.
    ``core_answer``: what the core network says. ``thetas`` [T]: the thresholds that the answer rests on.
    """

    outcome: Literal["certified", "core", "consensus", "abstain"]
    prediction: int
    answer: str | None
    radius: float
    statement: str
    image: Subject
    networks: Networks
    plan: Plan
    seed: int
    core_answer: int
    thetas: tuple[float, ...]
    segments: tuple[Segment, ...]
    looks: tuple[LookBounds, ...]
    created: str
    engine_version: str = __version__
    format: Literal["aces-certificate"] = FORMAT
    version: Literal[1] = VERSION


def issue(
    evidence: Evidence, plan: Plan, image: Subject, networks: Networks, seed: int, created: datetime | None = None
) -> Certificate:
    """The certificate of what was drawn, ``created`` now unless it was before.

    Raises ``AcesError`` before the plan's first look: nothing is promised yet.
    """
    if len(evidence.estimate) < plan.looks[0]:
        drawn = f"{len(evidence.estimate):,} of {plan.n:,} draws"
        raise AcesError(f"no certificate after {drawn}: {_first_promise(plan)}; go on sampling")
    thetas = rests_on(plan)
    segments = tuple(_segments(evidence, plan, thetas))
    looks = _compositions(segments, plan, evidence.core, thetas)
    outcome, prediction, radius = _answer(looks, plan)
    return Certificate(
        outcome=outcome,
        prediction=prediction,
        answer=None if prediction == ABSTAIN else networks.classes[prediction],
        radius=radius,
        statement=statement(outcome, prediction, radius, plan, networks.classes),
        image=image,
        networks=networks,
        plan=plan,
        seed=seed,
        core_answer=evidence.core,
        thetas=tuple(thetas.tolist()),
        segments=segments,
        looks=_bounds(looks, plan),
        created=(created or datetime.now(UTC)).isoformat(timespec="seconds"),
    )


def statement(outcome: str, prediction: int, radius: float, plan: Plan, classes: tuple[str, ...]) -> str:
    """The answer in one sentence, its radius rounded down."""
    risk = f"wrong with probability at most {plan.alpha:g}"
    if outcome == Outcome.CERTIFIED.label:
        return (
            f"Certified {classes[prediction]}: no change of the image with ℓ2 norm below {round_down(radius, 4)}, in "
            f"units where a pixel runs from 0 to 1, can change the answer; {risk}."
        )
    if outcome == Outcome.CORE.label:
        return f"Answered {classes[prediction]} by the core network, without a radius: it was surely selected; {risk}."
    if outcome == Outcome.CONSENSUS.label:
        return f"Answered {classes[prediction]} by both networks, without a radius; {risk}."
    return "No answer: the draws do not suffice to be sure of one. An abstention is no error."


def grey_levels(radius: float, shape: tuple[int, int, int]) -> float:
    """A radius as the change of every pixel value, if all change alike: in grey levels of 0 to 255."""
    return 255 * radius / math.sqrt(math.prod(shape))


def rests_on(plan: Plan) -> Array:
    """The thresholds [T] that the answer at the plan's theta needs: its neighbours; all 101 for ``simultaneous``."""
    every = thresholds()
    if plan.correction is Correction.SIMULTANEOUS:  # its promise is about all of them at once
        simultaneous: Array = every[usable_thresholds(every, plan.correction)]
        return simultaneous
    step = plan.theta * (THRESHOLDS - 1)
    near = sorted({math.floor(step + 1e-6), math.ceil(step - 1e-6)})
    return every[near]


def to_json(certificate: Certificate) -> str:
    """The certificate as JSON text, lists of numbers on one line."""
    text = _ADAPTER.dump_json(certificate, indent=1).decode()
    return re.sub(r"\[[\d\s.,eE+-]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n"


def from_json(text: str | bytes) -> Certificate:
    """Read a certificate. Raises ``CertificateError`` that names the entry which is missing or wrong."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CertificateError(f"no readable certificate: {where}: {first['msg']}") from error


def check(certificate: Certificate, tensor: Pixels | None = None) -> None:
    """Recompute everything that follows from the counts, and compare; with ``tensor``, also that it is this image's.

    Raises ``CertificateError`` that says what does not agree.
    """
    if tensor is not None and tensor_sha256(tensor) != certificate.image.tensor_sha256:
        raise CertificateError("the image does not give the certificate's tensor: it is another image, or another crop")
    plan = certificate.plan
    _check_networks(certificate)
    _check_segments(certificate)
    looks = _compositions(certificate.segments, plan, certificate.core_answer, np.array(certificate.thetas))
    _agree("number of looks", len(certificate.looks), len(looks))
    if not looks:
        raise CertificateError("no look of the plan is a sum of segments: nothing is promised")
    outcome, prediction, radius = _answer(looks, plan)
    _agree("outcome", certificate.outcome, outcome)
    _agree("prediction", certificate.prediction, prediction)
    _agree("radius", certificate.radius, radius)
    classes = certificate.networks.classes
    _agree("answer", certificate.answer, None if prediction == ABSTAIN else classes[prediction])
    _agree("statement", certificate.statement, statement(outcome, prediction, certificate.radius, plan, classes))
    for recorded, computed in zip(certificate.looks, _bounds(looks, plan), strict=True):
        for name, value in vars(computed).items():
            _agree(f"look at n = {computed.n}: {name}", getattr(recorded, name), value)


_ADAPTER = TypeAdapter(Certificate)


def _first_promise(plan: Plan) -> str:
    if plan.mode is Mode.FIXED:
        return f"with a fixed n, nothing is promised before all {plan.n:,} are there"
    return f"the first look is at {plan.looks[0]:,} draws"


def _segments(evidence: Evidence, plan: Plan, thetas: Array) -> list[Segment]:
    """The draws cut at every look and every block, so that looks are sums and blocks can be drawn again."""
    m = evidence.num_classes
    guess = [_segment("guess", *part, m, thetas) for part in _cut(evidence.guess, ())]
    return guess + [_segment("estimate", *part, m, thetas) for part in _cut(evidence.estimate, plan.looks)]


def _cut(draws: Draws, looks: tuple[int, ...]) -> list[tuple[int, Draws]]:
    """Consecutive parts with their starts."""
    cuts = sorted({0, len(draws), *(n for n in looks if n < len(draws)), *range(BLOCK, len(draws), BLOCK)})
    return [(a, Draws(draws.classes[a:b], draws.scores[a:b])) for a, b in pairwise(cuts)]


def _segment(stage: Literal["guess", "estimate"], start: int, draws: Draws, m: int, thetas: Array) -> Segment:
    counts = count(draws, m)
    at = np.searchsorted(thresholds(), thetas - 1e-9)
    return Segment(
        stage, start, len(draws), tuple(counts.class_counts.tolist()), tuple(counts.select_counts[at].tolist())
    )


def segment_of(draws: Draws, like: Segment, certificate: Certificate) -> Segment:
    """The counts of ``draws`` in the place of the segment ``like``."""
    m = len(certificate.networks.classes)
    return _segment(like.stage, like.start, draws, m, np.array(certificate.thetas))


def _compositions(segments: tuple[Segment, ...], plan: Plan, core: int, thetas: Array) -> list[Composition]:
    """The counts at every look that the segments reach, as sums of segments."""
    guess = _sums([part for part in segments if part.stage == "guess"])
    found = []
    for n in plan.looks:
        seen = [part for part in segments if part.stage == "estimate" and part.start + part.draws <= n]
        if sum(part.draws for part in seen) == n:
            found.append(one_image(plan.sigma, core, thetas, guess, _sums(seen), median=math.nan))
    return found


def _sums(segments: list[Segment]) -> tuple[Array, Array]:
    classes = np.array([part.class_counts for part in segments], np.int64)
    selected = np.array([part.select_counts for part in segments], np.int64)
    return classes.sum(0), selected.sum(0)


def _answer(
    looks: list[Composition], plan: Plan
) -> tuple[Literal["certified", "core", "consensus", "abstain"], int, float]:
    """Outcome, class and radius (nine digits, rounded down) at the looks that were reached."""
    answer = certify_at_looks(looks, len(plan.looks), [plan.theta], plan.alpha, plan.correction)
    outcome: Any = Outcome(answer.outcome[0, 0]).label
    return outcome, int(answer.prediction()[0, 0]), float(round_down(answer.radius[0, 0]))


def _bounds(looks: list[Composition], plan: Plan) -> tuple[LookBounds, ...]:
    return bounds_at_looks(looks, len(plan.looks), plan.theta, plan.alpha, plan.correction)


def _check_networks(certificate: Certificate) -> None:
    m = len(certificate.networks.classes)
    if m < 2 or not 0 <= certificate.core_answer < m:
        raise CertificateError(f"core_answer is {certificate.core_answer}; the networks know the classes 0 to {m - 1}")


def _check_segments(certificate: Certificate) -> None:
    """Raise unless the segments are whole, consecutive, and enough for at least one look of the plan."""
    plan, at = certificate.plan, {"guess": 0, "estimate": 0}
    _agree("thetas", list(certificate.thetas), rests_on(plan).tolist())
    for part in certificate.segments:
        where = f"{part.stage} draws from {part.start}"
        _agree(f"{where}: start", part.start, at[part.stage])
        at[part.stage] += part.draws
        _check_votes(part, where, len(certificate.networks.classes), np.array(certificate.thetas))
    _agree("number of guess draws", at["guess"], plan.n0)
    if not plan.looks[0] <= at["estimate"] <= plan.n:
        raise CertificateError(f"{at['estimate']:,} draws are recorded, where {_first_promise(plan)}")


def _check_votes(part: Segment, where: str, m: int, thetas: Array) -> None:
    selected = np.array(part.select_counts, np.int64)
    whole = (
        part.draws >= 1
        and len(part.class_counts) == m
        and min(part.class_counts) >= 0
        and sum(part.class_counts) == part.draws
        and len(selected) == len(thetas)
        and (np.diff(selected) >= 0).all()
        and selected[0] >= 0
        and selected[-1] <= part.draws
    )
    if not whole:
        raise CertificateError(f"{where}: the counts do not add up to {part.draws} draws")


def _agree(what: str, recorded: Any, computed: Any) -> None:
    if isinstance(recorded, float) and isinstance(computed, float):
        same = math.isclose(recorded, computed, rel_tol=AGREE, abs_tol=1e-12)
    else:
        same = recorded == computed
    if not same:
        raise CertificateError(f"{what}: the certificate says {recorded}, its counts give {computed}")
