"""An image, a plan and what is asked of a pair of toy networks."""

from __future__ import annotations

import dataclasses

import numpy as np

from engine.sampling.stream import Stage
from engine.single_image.certificate import Certificate, Subject
from engine.single_image.live import Pair
from engine.single_image.picture import Framing, tensor_sha256
from engine.single_image.plan import LaterPlan, Plan
from engine.single_image.subject import Streams
from tests import toy

TENSOR = toy.images("test").images[2]
SUBJECT = Subject("f" * 64, tensor_sha256(TENSOR), (1, 8, 8), Framing())
PLAN = Plan(sigma=2.0, theta=0.8, n=5_100, n0=60)  # where the toy network selects about half of the draws


def scores(pair: Pair, streams: Streams, plan: Plan = PLAN) -> np.ndarray:
    return pair.block("certify", pair.pixels(TENSOR), plan, streams, Stage.ESTIMATE, 0, 250).scores


def swapped(issued: Certificate, **fields: object) -> Certificate:
    return dataclasses.replace(issued, **fields)


TWO = Plan(sigma=2.0, theta=0.5, n=5_100, n0=60, sigma_select=1.0)
THREE_STAGES = Plan(sigma=2.0, theta=0.8, n=2_100, n0=60, then=(LaterPlan(1.0, 0.9, t=0.4), LaterPlan(4.0, p0=0.6)))
