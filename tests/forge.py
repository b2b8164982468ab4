"""Certificates as a forger writes them: something is changed, and everything that follows from it is computed anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.arrays import ABSTAIN
from engine.single_image.certificate import Certificate, Segment, answer_of, bounds_of, guesses, to_json
from engine.single_image.plan import LATER
from engine.single_image.promise import promise, statement, statement_1
from engine.single_image.segments import compositions, rests_on
from engine.statistics.bounds import round_down, round_up
from engine.statistics.corrections import CERTIFY


def anew(certificate: Certificate, **changes: object) -> Certificate:
    """With ``changes``, and thetas, looks, answer, radius and sentences that agree with them."""
    c = replace(certificate, **changes)
    plan, classes = c.plan, c.networks.classes
    found = answer_of(c, c.segments)
    radius = float(round_down(found.radius))
    looks = bounds_of(compositions(c.segments, plan, c.core_answer), plan)
    said = (found.outcome, found.prediction, radius, classes)
    if c.version > 1:
        looks = tuple(replace(_rounded(look), then=tuple(map(_rounded, look.then))) for look in looks)
    return replace(
        c,
        thetas=tuple(rests_on(plan).tolist()),
        looks=looks,
        outcome=found.outcome,
        prediction=found.prediction,
        answer=None if found.prediction == ABSTAIN else classes[found.prediction],
        radius=radius,
        statement=statement(*said, plan, found.stage) if c.version > 1 else statement_1(*said[:3], plan, classes),
        promise=promise(found.outcome, plan, classes) if c.version > 1 else None,
    )


def _rounded(look: Any) -> Any:
    return replace(
        look,
        p_select=float(round_down(look.p_select)),
        p_certify=float(round_down(look.p_certify)),
        p_rival=None if look.p_rival is None else float(round_up(look.p_rival)),
    )


def lifted(certificate: Certificate, share: float = 0.01) -> Certificate:
    """With so many votes more for the answer in every segment that estimates."""
    guess = guesses(certificate, certificate.segments)
    segments = tuple(
        part
        if part.stage == "guess" or part.network in LATER[len(guess) - 1 :]
        else _more(part, share, *_of(part, guess))
        for part in certificate.segments
    )
    return anew(certificate, segments=segments)


def _of(part: Segment, guess: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """The guesses of the stage that a segment is of."""
    return guess[LATER.index(part.network) + 1 if part.network in LATER else 0]


def _more(part: Segment, share: float, c_hat: int, s_hat: int) -> Segment:
    more, counts = int(share * part.draws), list(part.class_counts)
    for other in range(len(counts)):
        moved = min(more, counts[other]) if other != c_hat else 0
        counts[other] -= moved
        more -= moved
        counts[c_hat] += moved
    sign = int(share * part.draws) * (1 if s_hat == CERTIFY else -1)
    selected = tuple(min(max(k + sign, 0), part.draws) for k in part.select_counts)
    return replace(part, class_counts=tuple(counts), select_counts=selected)


def with_swapped_names(certificate: Certificate, a: int, b: int) -> Certificate:
    """With the names of two classes exchanged."""
    names = list(certificate.networks.classes)
    names[a], names[b] = names[b], names[a]
    return anew(certificate, networks=replace(certificate.networks, classes=tuple(names)))


def refused(
    call: Callable[..., Any], forged: Path, certificate: Certificate | str, image: Path, *options: object
) -> str:
    """What ``check`` says where it refuses a certificate, which is written to ``forged`` first: one line."""
    forged.write_text(certificate if isinstance(certificate, str) else to_json(certificate))
    status, _, err = call("check", forged, image, *options)
    assert status == 2
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err
