"""Drawing a part of a certificate again: do its recorded streams give its recorded counts?"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from engine.certificate import Certificate, CertificateError, Segment, segment_of
from engine.draws import BLOCK, Draws
from engine.errors import AcesError
from engine.live import Pair
from engine.pictures import Pixels
from engine.sampling import Stage

TOLERATED = 0.01  # share of votes that the last bits of another machine's floating point may turn


@dataclass(frozen=True)
class Resampled:
    """``draws`` were drawn again; ``turned`` of their votes came out otherwise than recorded."""

    draws: int
    turned: int


def resample(certificate: Certificate, pair: Pair, tensor: Pixels, fraction: float = 0.1) -> Resampled:
    """Draw the guesses and a random ``fraction`` of the other blocks again, and compare their counts.

    Which blocks is not for the issuer to know. Raises ``CertificateError`` where the networks are others, the core
    network answers otherwise, or more than ``TOLERATED`` of a segment's votes differ.
    """
    if not 0 < fraction <= 1:
        raise AcesError(f"the fraction to resample is {fraction:g}; it lies in (0, 1]")
    _check_networks(certificate, pair)
    core = pair.core_answer(tensor)
    if core != certificate.core_answer:
        raise CertificateError(f"the core network answers {core}; the certificate says {certificate.core_answer}")
    estimate = sorted({part.start // BLOCK for part in certificate.segments if part.stage == "estimate"})
    chosen = random.SystemRandom().sample(estimate, math.ceil(fraction * len(estimate)))
    guesses = [(Stage.GUESS, block) for block in range(-(-certificate.plan.n0 // BLOCK))]
    drawn = turned = 0
    for stage, block in [*guesses, *((Stage.ESTIMATE, block) for block in sorted(chosen))]:
        for part, again in _again(certificate, pair, tensor, stage, block):
            moved = _turned(part, again)
            if moved > max(1, TOLERATED * part.draws):
                raise CertificateError(
                    f"{stage.value} draws from {part.start}: {moved} of {part.draws} votes differ when drawn again"
                )
            drawn, turned = drawn + part.draws, turned + moved
    return Resampled(drawn, turned)


def _check_networks(certificate: Certificate, pair: Pair) -> None:
    for name in ("certify", "core"):
        recorded, given = getattr(certificate.networks, name), getattr(pair.networks, name)
        if recorded.sha256 != given.sha256:
            raise CertificateError(
                f"the {name} network '{given.name}' has other weights than the certificate's '{recorded.name}'"
            )
    for name in ("precision", "device"):
        recorded, given = getattr(certificate.networks, name), getattr(pair.networks, name)
        if recorded != given:  # another generator, or another network as run
            raise CertificateError(f"the certificate was sampled with {name} {recorded}: resample it with that")


def _again(
    certificate: Certificate, pair: Pair, tensor: Pixels, stage: Stage, block: int
) -> list[tuple[Segment, Segment]]:
    """The recorded segments of one block beside what its stream gives now."""
    parts = [p for p in certificate.segments if p.stage == stage.value and p.start // BLOCK == block]
    first, needed = block * BLOCK, parts[-1].start + parts[-1].draws - block * BLOCK
    plan, index = certificate.plan, certificate.image.index
    draws = pair.block(pair.pixels(tensor), plan.sigma, certificate.seed, index, stage, block, needed)
    return [(part, segment_of(_slice(draws, part.start - first, part.draws), part, certificate)) for part in parts]


def _slice(draws: Draws, start: int, length: int) -> Draws:
    return Draws(draws.classes[start : start + length], draws.scores[start : start + length])


def _turned(a: Segment, b: Segment) -> int:
    """How many votes at least must have changed between two counts of the same draws."""
    classes = sum(abs(x - y) for x, y in zip(a.class_counts, b.class_counts, strict=True)) // 2
    return max(classes, *(abs(x - y) for x, y in zip(a.select_counts, b.select_counts, strict=True)))
