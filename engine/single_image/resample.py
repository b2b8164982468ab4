"""Drawing a part of a certificate again: do its streams give its counts, and if not, does its claim still follow?"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.records.compose import Composition
from engine.records.draws import BLOCK, Draws
from engine.sampling.stream import Stage
from engine.single_image.certificate import Answer, Certificate, CertificateError, answer_at, guesses
from engine.single_image.live import Pair
from engine.single_image.picture import Pixels
from engine.single_image.plan import LATER, Role
from engine.single_image.segments import Segment, compositions, counts_classes, scored_at, segment, stage_of
from engine.statistics.bounds import round_down
from engine.statistics.corrections import CERTIFY

TOLERATED = 0.01  # share of a segment's votes that the last bits of another machine's floating point may turn

Block = tuple[Role, Stage, int]


@dataclass(frozen=True)
class Resampled:
    """``draws`` of ``recorded`` were drawn again; ``turned`` of their votes came out otherwise than recorded.

    ``same_machine``: whether the certificate names this kind of machine; None where it names none (version 1).
    """

    draws: int
    recorded: int
    turned: int
    same_machine: bool | None


def resample(certificate: Certificate, pair: Pair, tensor: Pixels, fraction: float = 0.1) -> Resampled:
    """Draw the guesses and a random ``fraction`` of the other blocks again, and see what follows from them.

    Which blocks is not for the issuer to know. On the kind of machine that the certificate names no vote may differ.
    Elsewhere the last bits may turn votes: then the answer is computed again from the votes as they came out, and with
    ``TOLERATED`` of each segment that was not drawn again counted against the claim, which must still follow.
    Raises ``CertificateError`` where it does not, where the networks are others, and where the core network answers
    otherwise.
    """
    if not 0 < fraction <= 1:
        raise AcesError(f"the fraction to resample is {fraction:g}; it lies in (0, 1]")
    _check_networks(certificate, pair)
    core = pair.core_answer(tensor)
    if core != certificate.core_answer:
        raise CertificateError(f"the core network answers {core}; the certificate says {certificate.core_answer}")
    again = _draw_again(certificate, pair, tensor, _blocks(certificate, fraction))
    turned = sum(_turned(part, new) for part, new in again.items())
    same = _same_machine(certificate, pair)
    if turned:
        _check_turned(again, same)
        check_claim(certificate, again, turned)
    recorded = sum(part.draws for part in certificate.segments)
    return Resampled(sum(part.draws for part in again), recorded, turned, same)


def _check_networks(certificate: Certificate, pair: Pair) -> None:
    recorded, given = certificate.networks, pair.networks
    if recorded.parts.keys() != given.parts.keys():
        raise CertificateError(
            f"the certificate's networks are {', '.join(recorded.parts)}, not {', '.join(given.parts)}"
        )
    for part, info in recorded.parts.items():
        if info.sha256 != given.parts[part].sha256:
            raise CertificateError(
                f"the {part} network '{given.parts[part].name}' has other weights than the certificate's '{info.name}'"
            )
    for name in ("dataset", "classes", "mechanism"):
        if getattr(recorded, name) != getattr(given, name):
            raise CertificateError(f"networks.{name} is not that of these networks")
    for name in ("precision", "device"):
        if getattr(recorded, name) != getattr(given, name):  # another generator, or another network as run
            raise CertificateError(
                f"the certificate was sampled with {name} {getattr(recorded, name)}: resample it with that"
            )


def _same_machine(certificate: Certificate, pair: Pair) -> bool | None:
    recorded = certificate.networks.as_run
    return None if recorded is None else recorded == pair.networks.as_run


def _blocks(certificate: Certificate, fraction: float) -> list[Block]:
    """All blocks that guess, and a random fraction of the others."""
    parts = certificate.segments
    guess: list[Block] = sorted({(p.network, Stage.GUESS, p.start // BLOCK) for p in parts if p.stage == "guess"})
    rest: list[Block] = sorted({(p.network, Stage.ESTIMATE, p.start // BLOCK) for p in parts if p.stage == "estimate"})
    return guess + sorted(random.SystemRandom().sample(rest, math.ceil(fraction * len(rest))))


def _draw_again(certificate: Certificate, pair: Pair, tensor: Pixels, blocks: list[Block]) -> dict[Segment, Segment]:
    """The recorded segments of some blocks, each with what its stream gives now."""
    pixels, streams, plan = pair.pixels(tensor), certificate.streams, certificate.plan
    m, found = len(certificate.networks.classes), {}
    for role, stage, block in blocks:
        parts = [p for p in certificate.segments if _block_of(p) == (role, stage, block)]
        first = block * BLOCK
        draws = pair.block(role, pixels, plan, streams, stage, block, parts[-1].start + parts[-1].draws - first)
        for p in parts:
            found[p] = segment(role, p.stage, p.start, _slice(draws, p.start - first, p.draws), m, plan)
    return found


def _block_of(part: Segment) -> Block:
    return part.network, Stage(part.stage), part.start // BLOCK


def _slice(draws: Draws, start: int, length: int) -> Draws:
    return Draws(draws.classes[start : start + length], draws.scores[start : start + length])


def _turned(a: Segment, b: Segment) -> int:
    """How many votes at least must have changed between two counts of the same draws."""
    classes = sum(abs(x - y) for x, y in zip(a.class_counts, b.class_counts, strict=True)) // 2
    return max(classes, *(abs(x - y) for x, y in zip(a.select_counts, b.select_counts, strict=True)), 0)


def _check_turned(again: dict[Segment, Segment], same_machine: bool | None) -> None:
    """Raise where more votes differ than floating point explains; on the same kind of machine it explains none."""
    for part, new in again.items():
        moved = _turned(part, new)
        if moved > (0 if same_machine else max(1, TOLERATED * part.draws)):
            where = ", on the kind of machine that it names" if same_machine else ""
            raise CertificateError(
                f"{part.stage} draws from {part.start}: {moved} of {part.draws} votes differ when drawn again{where}"
            )


def check_claim(certificate: Certificate, again: dict[Segment, Segment], turned: int) -> None:
    """Raise unless the claim follows from the votes as drawn again, everything that was not drawn against it."""
    if certificate.prediction == ABSTAIN:  # claims nothing
        return
    guessed = guesses(certificate, certificate.segments)
    redrawn = tuple(again.get(part, part) for part in certificate.segments)
    if guesses(certificate, redrawn) != guessed:
        raise CertificateError("the guess draws guess otherwise when drawn again: its answer does not follow")
    found = answer_at(doubted(certificate, again, guessed), certificate.plan)
    if not _follows(certificate, found):
        raise CertificateError(
            f"{turned} votes differ when drawn again; with what was not drawn again counted against the claim, "
            f"{found.outcome} with radius {round_down(found.radius)} follows, where the certificate claims "
            f"{certificate.outcome} with radius {certificate.radius}"
        )


def doubted(
    certificate: Certificate, again: dict[Segment, Segment], guessed: tuple[tuple[int, int], ...]
) -> list[Composition]:
    """The counts at every look, each with what was not drawn again turned against the claim there.

    The votes that turn are for the class that they make the strongest rival at that look; at another look it may be
    another class. No votes that turned, wherever they did, leave less of a bound at any look than is left here.
    ``guessed``: class and selection of each stage that the claim rests on.
    """
    plan, found = certificate.plan, []
    redrawn = tuple(again.get(part, part) for part in certificate.segments)
    for at, look in enumerate(compositions(redrawn, plan, certificate.core_answer)):
        rivals = {role: _rival(certificate, again, role, guess, look.n) for role, guess in _stages(guessed)}
        turned = tuple(
            again[part] if part in again else _doubted(part, certificate, guessed, rivals)
            for part in certificate.segments
        )
        found.append(compositions(turned, plan, certificate.core_answer)[at])
    return found


def _stages(guessed: tuple[tuple[int, int], ...]) -> list[tuple[Role, tuple[int, int]]]:
    """The network whose votes are for classes of every stage that the claim rests on, with what is guessed of it."""
    return list(zip(("certify", *LATER), guessed, strict=False))


def _rival(certificate: Certificate, again: dict[Segment, Segment], role: Role, guess: tuple[int, int], n: int) -> int:
    """The class that has most votes of a network among ``n`` draws, if the votes in doubt turn to it.

    Another than the guessed one where that is what is claimed; where the votes hand on, the claim is about every class.
    """
    c_hat, s_hat = guess
    parts = [p for p in certificate.segments if p.stage == "estimate" and p.network == role and p.start < n]
    most = np.sum([again[part].class_counts if part in again else _raised(part) for part in parts], 0)
    hands_on = s_hat != CERTIFY and certificate.outcome != "consensus"  # which is a claim about the class
    if not (hands_on and stage_of(role, certificate.plan).by_votes):
        most[c_hat] = -1
    return int(most.argmax())


def _doubted(
    part: Segment, certificate: Certificate, guessed: tuple[tuple[int, int], ...], rivals: dict[Role, int]
) -> Segment:
    """A segment with its votes in doubt turned; as it is where the claim does not rest on it."""
    role: Role = "certify" if part.network == "select" else part.network
    if role not in rivals:
        return part
    c_hat, s_hat = dict(_stages(guessed))[role]
    return against(part, certificate, c_hat, s_hat, rivals[role])


def _raised(part: Segment) -> tuple[int, ...]:
    """The most votes that each class may have of a segment that was not drawn again."""
    return tuple(min(k + _doubt(part), part.draws) for k in part.class_counts)


def _follows(certificate: Certificate, found: Answer) -> bool:
    claim = certificate.outcome, certificate.prediction
    return claim == (found.outcome, found.prediction) and certificate.radius <= found.radius


def against(part: Segment, certificate: Certificate, c_hat: int, s_hat: int, rival: int) -> Segment:
    """A segment with the tolerated share of its votes turned against both guesses of its stage, and for one ``rival``
    class.
    """
    share = _doubt(part)
    away = -share if s_hat == CERTIFY else share
    selected = (
        k if theta == 1 else min(max(k + away, 0), part.draws)  # at 1 every draw is selected, whatever its last bits
        for k, theta in zip(part.select_counts, scored_at(part.network, certificate.plan), strict=True)
    )
    classes = _turned_to(part.class_counts, c_hat, rival, share) if counts_classes(part.network) else ()
    return replace(part, class_counts=classes, select_counts=tuple(selected))


def _doubt(part: Segment) -> int:
    """How many votes of a segment that was not drawn again may be otherwise."""
    return max(1, math.ceil(TOLERATED * part.draws))


def _turned_to(class_counts: tuple[int, ...], c_hat: int, rival: int, share: int) -> tuple[int, ...]:
    """With so many votes given to ``rival``, those for ``c_hat`` first: no other change lowers a margin more."""
    counts = list(class_counts)
    losers = sorted((c for c in range(len(counts)) if c != rival), key=lambda c: c != c_hat)
    for loser in losers:
        moved = min(share, counts[loser])
        counts[loser] -= moved
        counts[rival] += moved
        share -= moved
    return tuple(counts)
