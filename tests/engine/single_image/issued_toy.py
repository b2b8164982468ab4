"""Certificates of chosen draws: no network is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.records.draws import Draws
from engine.records.meta import NetworkInfo
from engine.single_image.certificate import Certificate, Networks, Subject, issue
from engine.single_image.evidence import Evidence, Pool
from engine.single_image.picture import Framing, tensor_sha256
from engine.single_image.plan import LaterPlan, Plan
from engine.statistics.looks import Split
from engine.statistics.margin import Bound

TENSOR = np.arange(64, dtype=np.uint8).reshape(1, 8, 8)
SUBJECT = Subject("f" * 64, tensor_sha256(TENSOR), (1, 8, 8), Framing(x=0.3))
NETWORKS = Networks(
    "toy", ("dark", "grey", "bright"), NetworkInfo("noisy", "a" * 64), NetworkInfo("plain", "b" * 64), "float32", "cpu"
)


def draws(k: int, p: tuple[float, ...] = (0.9, 0.06, 0.04), low: float = 0.0, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    return Draws(rng.choice(3, k, p=p).astype(np.uint16), rng.uniform(low, low + 0.32, k).astype(np.float32))


def evidence(k: int = 10_000, core: int = 0, **kind: object) -> Evidence:
    return Evidence(3, core, draws(100, seed=1, **kind), draws(k, **kind))


def made(plan: Plan, **kind: object) -> Certificate:
    return issue(evidence(**kind), plan, SUBJECT, NETWORKS, seed=7)


PLAN = Plan(sigma=0.5, theta=0.3)
VOTES = Plan(sigma=0.5, theta=None, p0=0.7)
CHAIN = Plan(sigma=0.5, theta=0.3, then=(LaterPlan(0.25, 0.4, t=0.3), LaterPlan(1.0, p0=0.6)))
HANDED_ON = {"low": 0.6, "core": 2}  # by the first stage, whose scores lie above its threshold


def pool(k: int, **kind: object) -> Pool:
    return Pool(draws(100, seed=3, **kind), draws(k, seed=4, **kind))


def in_chain(k: int = 10_000, core: int = 0, *then: dict[str, object], **first: object) -> Evidence:
    """Draws of a chain, of each stage after its ``kind``."""
    return replace(evidence(k, core, **first), then=tuple(pool(k, **kind) for kind in then))


def networks_for(plan: Plan) -> Networks:
    """Networks for so many stages."""
    return replace(NETWORKS, then=tuple(NetworkInfo(f"stage {k}", f"{k}" * 64) for k, _ in enumerate(plan.then, 2)))


def chained(plan: Plan, *then: dict[str, object], k: int = 10_000, core: int = 0, **first: object) -> Certificate:
    return issue(in_chain(k, core, *then, **first), plan, SUBJECT, networks_for(plan), seed=7)


MARGIN = Plan(sigma=0.5, theta=0.3, bound=Bound.MARGIN, split=Split.HALF_LAST)  # as new plans are


KINDS = {
    "certified": {},
    "core": {"low": 0.6, "core": 2},
    "consensus": {"low": 0.14},
    "abstain": {"low": 0.14, "core": 2},
}
