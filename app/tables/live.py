"""Composition -> what a browser needs to answer at any threshold, share of votes, level and radius by itself.

Three packs, each of what one thing decides: the counts of a composition; what its classes' bounds say on some terms;
and what so many votes are worth at some level. ``model.js`` reads them.
"""

from __future__ import annotations

import json
import zlib

import numpy as np

from app.settings import Terms
from engine.arrays import ABSTAIN, Array
from engine.records.compose import Composition
from engine.smoothing import Link
from engine.statistics.aces import predict_class
from engine.statistics.bounds import critical_count, lower_bounds, rounded_down
from engine.statistics.corrections import CERTIFY, CORE, Correction, levels
from engine.statistics.envelope import can_tell
from engine.statistics.intervals import rate_interval
from engine.statistics.margin import class_bound, class_lower_bound
from engine.statistics.metrics import composition_ceiling
from engine.statistics.thresholds import neighbours

SHARES = np.round(np.arange(1, 100) / 100, 2)  # shares t of votes that the dial stops at
SHARES.flags.writeable = False


def can_be_live(c: Composition) -> bool:
    """Whether the browser can follow: one stage, in which the stored counts of a score decide, of one n."""
    stored = np.array_equal(*neighbours(c.thetas, c.thetas, None))
    alike = c.even and c.part == c.part_select == 1
    return stored and alike and not (c.by_votes or c.then or c.from_log or c.from_log_select)


def of_counts(c: Composition) -> bytes:
    """What no dial moves: votes of the selection [N, T], which rise with theta, as differences; who is right."""
    c_hat = c.class_counts0.argmax(1)
    return pack(
        {
            "index": c.index.astype(np.float64),  # beyond 2**53 none is read
            "thetas": c.thetas,
            "votes0": _rises(c.select_counts0),
            "votes": _rises(c.select_counts),
            "right": (c_hat == c.label).astype(np.uint8),
            "core_right": (c.core == c.label).astype(np.uint8),
            "agreed": (c_hat == c.core).astype(np.uint8),
            "score": c.score_median.astype(np.float64),
            "intervals": np.stack(rate_interval(100 * np.arange(len(c) + 1) / len(c), len(c))).ravel(),
        },
        {"n0": c.n0_select, "n": c.n_select, "sigma": c.sigma_select},
    )


def of_classes(c: Composition, terms: Terms) -> bytes:
    """What the bounds of the class say of every image [N], with ACES and of the certification network alone.

    ``radius`` within which the class stays, where the selection is guessed to certify, and ``radius_core`` where not;
    ``p`` and ``p_core``: the lower bounds behind them, as ``_told``; ``holds`` and ``holds_core``: it is the top class,
    by that guess; ``classed``: PREDICT's class, 1 where it is right, 2 where it is the core network's as well;
    ``alone``, ``alone_holds`` and ``alone_classed``: at full alpha, without a selection.
    """
    spend, link = levels(terms.correction, terms.alpha), c.smoothing.link
    c_hat = c.class_counts0.argmax(1)
    counts = c.class_counts0, c.class_counts, c.n, c_hat
    for_certify, for_core = spend.of(CERTIFY)[1], spend.of(CORE)[1]
    certify, core, alone = (
        class_bound(*counts, level, link, terms.bound) for level in (for_certify, for_core, terms.alpha)
    )
    p, p_core = (_told(class_lower_bound(*counts, level, link, terms.bound)) for level in (for_certify, for_core))
    classed, by_itself = (predict_class(c.class_counts, level) for level in (terms.alpha / 2, terms.alpha))
    agreed = (classed != ABSTAIN) & (classed == c.core)
    lower, upper = neighbours(c.thetas, c.thetas, terms.correction)
    return pack(
        {
            "radius": c.sigma * certify.z,
            "radius_core": c.sigma * core.z,
            "p": p,
            "p_core": p_core,
            "holds": certify.holds.astype(np.uint8),
            "holds_core": core.holds.astype(np.uint8),
            "classed": (classed == c.label) * (1 + agreed.astype(np.uint8)),
            "alone": c.sigma * alone.z,
            "alone_holds": alone.holds.astype(np.uint8),
            "alone_classed": (by_itself == c.label).astype(np.uint8),
            "lower": lower.astype(np.int32),
            "upper": upper.astype(np.int32),
            "ceiling": np.array([composition_ceiling(c, terms.alpha, terms.correction, t) for t in SHARES.tolist()]),
        },
        {},
    )


def of_votes(n: int, link: Link, alpha: float, correction: Correction) -> bytes:
    """What k of n votes are worth, and how many are needed at each share of ``SHARES``.

    ``z`` [n + 1] of their lower bound, less ``share_z`` of the share; ``z_against`` of votes against, less ``rest_z``.
    ``p`` and ``p_against`` [n + 1]: these bounds, as ``_told``.
    ``select``: the fewest whose bound lies above the share; ``hand_on``: of those against, for certain; ``certify`` and
    ``core``: as PREDICT tests them. ``told``: whether n draws can tell the share from 0 or 1 at all; the engine refuses
    others.
    """
    spend = levels(correction, alpha)
    for_certify, for_core = spend.of(CERTIFY)[0], spend.of(CORE)[0]
    bounds, against = (lower_bounds(n, level).table() for level in (for_certify, for_core))
    shares = SHARES.tolist()
    return pack(
        {
            "z": link(bounds),
            "share_z": link(SHARES),
            "z_against": link(against),
            "rest_z": link(1 - SHARES),
            "p": _told(bounds),
            "p_against": _told(against),
            "select": np.searchsorted(bounds, SHARES, side="right").astype(np.int32),
            "hand_on": np.array([critical_count(n, for_core, 1 - t) for t in shares], np.int32),
            "told": np.array([can_tell(t, n, alpha, correction) for t in shares], np.uint8),
            "certify": np.array([critical_count(n, alpha / 4, t) for t in shares], np.int32),
            "core": np.array([critical_count(n, alpha / 4, 1 - t) for t in shares], np.int32),
        },
        {},
    )


def pack(arrays: dict[str, Array], numbers: dict[str, float]) -> bytes:
    """Named arrays and numbers as one deflated file: a line of JSON, and behind it every array from a multiple of 8."""
    places, body, at = {}, [], 0
    for name, values in arrays.items():
        data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes()
        places[name] = {"type": values.dtype.name, "at": at, "length": int(values.size)}
        data += bytes(-len(data) % 8)
        body.append(data)
        at += len(data)
    head = json.dumps({"arrays": places, "numbers": numbers}).encode()
    head += b" " * (-(len(head) + 1) % 8) + b"\n"
    return zlib.compress(head + b"".join(body), 1)


def _told(p: Array) -> Array:
    """Lower bounds of probabilities in hundred-thousandths, rounded down: what pages show of them."""
    return np.rint(1e5 * rounded_down(p, 5)).astype(np.int32)


def _rises(counts: Array) -> Array:
    """Differences along the thresholds: mostly 0, which deflates well."""
    most = int(counts.max(initial=0))
    kind = np.uint8 if most < 1 << 8 else np.uint16 if most < 1 << 16 else np.uint32
    return np.diff(counts, axis=1, prepend=0).astype(kind)
