"""What a worker process is asked, and what it answers: frozen records that travel over a pipe. No torch in here.

A request is answered by any number of ``Core``, ``Drawn``, ``Rate`` or ``Attack``, and at the end by one ``Done`` or
``Failed``. ``engine/single_image/worker.py`` is the other end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.arrays import ABSTAIN
from engine.records.draws import Draws
from engine.single_image.case import Case
from engine.single_image.picture import Pixels
from engine.single_image.plan import Plan, Role
from engine.single_image.subject import Networks
from engine.single_image.system import PairSpec
from engine.single_image.until import Until


@dataclass(frozen=True)
class Probe:
    """Load the networks, and say how many draws per second they give, one of each network that is sampled."""

    job: int
    pair: PairSpec
    sigma: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Draw for a case, to the end of its plan or ``until`` its question is answered.

    Its seed, plan and image, and the networks, name its streams.
    """

    job: int
    pair: PairSpec
    case: Case
    until: Until | None = None


@dataclass(frozen=True, eq=False)
class Break:
    """Attack the answer ``target`` within ``budget``."""

    job: int
    pair: PairSpec
    plan: Plan
    tensor: Pixels
    target: int
    budget: float


@dataclass(frozen=True)
class Stop:
    """Draw no more for this request, or do not begin it."""

    job: int


Request = Probe | Sample | Break


@dataclass(frozen=True)
class Core:
    """What the core network says of the image, and the networks as they run: the streams depend on them.

    ``confidence``: the probability that its softmax gives its answer, which is none of being right.
    """

    answer: int
    networks: Networks
    confidence: float


@dataclass(frozen=True, eq=False)
class Drawn:
    """The next draws of a stream of one network: ``stage`` is "guess" or "estimate"."""

    stage: str
    draws: Draws
    network: Role = "certify"


@dataclass(frozen=True)
class Rate:
    """Draws a second."""

    rate: float


@dataclass(frozen=True)
class Judged:
    """The smoothed system at one image, asked with ``draws`` fresh draws.

    ``select`` of them chose the certification network, ``certify`` the class under attack; ``answer`` is PREDICT's,
    ``ABSTAIN`` if it is not certain; ``core`` the core network's.
    """

    draws: int
    select: int
    certify: int
    answer: int
    core: int


@dataclass(frozen=True, eq=False)
class Attack:
    """The strongest perturbation found: ``image`` float32 [C, H, W] in [0, 1], at l2 distance ``norm``.

    ``goal``: "class" or "selection", whichever attack it came from.
    """

    image: npt.NDArray[np.float32]
    norm: float
    goal: str
    before: Judged
    after: Judged

    @property
    def held(self) -> bool:
        """Whether no other answer was found; one that became uncertain is not another."""
        return self.after.answer in (self.before.answer, ABSTAIN)


def no_attack(plan: Plan) -> str:
    """Why nothing attacks what a plan certifies, a sentence; "" where something does."""
    noise = plan.smoothing_card
    if noise.order != 2:
        return f"Attacks are ℓ2, and a certificate under {noise.label} is {noise.norm}: there is none yet."
    if plan.then:
        return "Attacks know one stage, and this is a chain: there is none yet."
    if plan.by_votes:
        return "Attacks are on a score that selects, and here the votes for the class do: there is none yet."
    return ""


@dataclass(frozen=True)
class Done:
    """The request is done, or was stopped."""


@dataclass(frozen=True)
class Failed:
    """The request could not be done; one sentence."""

    message: str


Reply = Core | Drawn | Rate | Attack | Done | Failed
