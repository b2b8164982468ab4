"""One picture certified now: read, framed, named, sampled and issued in one place. torch is imported when it is drawn.

certificate = certify_image("cat.jpg", system, system.plan(n=10_000))

for found in sample_image("cat.jpg", system):  # or look on, and break when you like: the plan may stop early
    print(found.drawn)
found.certificate()
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from engine.single_image.case import Case
from engine.single_image.certificate import Certificate, issue
from engine.single_image.evidence import Evidence
from engine.single_image.inputs import OneImage, read_image
from engine.single_image.messages import Core, Drawn
from engine.single_image.picture import CENTRED, Framing
from engine.single_image.plan import Plan
from engine.single_image.promise import confidences
from engine.single_image.subject import Networks
from engine.single_image.system import System
from engine.single_image.until import Until, check_until, is_over
from engine.statistics.looks import FIRST, FIRST_LOOK


@dataclass(frozen=True, eq=False)
class Certification:
    """A case under way: the networks that answer, as they say that they run, and their draws so far.

    ``core_confidence``: as ``Core`` has it.
    """

    case: Case
    networks: Networks
    evidence: Evidence
    core_confidence: float

    @classmethod
    def begin(cls, case: Case, core: Core) -> Self:
        """Before the first draw."""
        networks = core.networks
        selects, then = networks.select is not None, len(networks.then)
        none = Evidence.none(len(networks.classes), core.answer, select=selects, then=then)
        return cls(case, networks, none, core.confidence)

    def with_draws(self, drawn: Drawn) -> Self:
        """With the next part of a stream."""
        return replace(self, evidence=self.evidence.with_draws(drawn.stage, drawn.draws, drawn.network))

    @property
    def plan(self) -> Plan:
        """What was promised before the first draw."""
        return self.case.plan

    @property
    def drawn(self) -> int:
        """How many estimation draws there are, of each network that is sampled."""
        return self.evidence.drawn

    @property
    def confidences(self) -> str:
        """What both networks say of the image by themselves, in a sentence."""
        votes, classes = self.evidence.votes, self.networks.classes
        top, core = classes[int(votes.argmax())], classes[self.evidence.core]
        return confidences(top, float(votes.max() / votes.sum()), core, self.core_confidence)

    def certificate(self, created: datetime | None = None) -> Certificate:
        """The certificate of what was drawn so far. Raises ``AcesError`` before the plan's first look."""
        case = self.case
        return issue(self.evidence, case.plan, case.image, self.networks, case.seed, created, case.challenge)


def certify_image(
    picture: OneImage,
    system: System,
    plan: Plan | None = None,
    *,
    framing: Framing = CENTRED,
    seed: int | None = None,
    challenge: str | None = None,
    until: Until | None = None,
) -> Certificate:
    """CERTIFY one picture by all draws of a plan, by default ``system.plan()``, or ``until`` its question is answered.

    With probability at least 1 - alpha the answer is the smoothed system's, here and, where it is certified, within its
    radius. ``picture``: a file's path or content, a picture that was read, a PIL image, or the exact tensor as an array
    (``engine/single_image/inputs.py``). ``framing``: how a picture becomes the exact tensor, by default the largest
    window in its middle. The noise is fresh unless a ``seed`` or a ``challenge`` names
    it; a chosen seed shows nothing to others. Raises ``AcesError`` for what is no image, for networks that cannot be
    opened and for a plan that is another system's.
    """
    *_, last = sample_image(picture, system, plan, framing=framing, seed=seed, challenge=challenge, until=until)
    return last.certificate()


def sample_image(
    picture: OneImage,
    system: System,
    plan: Plan | None = None,
    *,
    framing: Framing = CENTRED,
    seed: int | None = None,
    challenge: str | None = None,
    until: Until | None = None,
) -> Iterator[Certification]:
    """The same picture's certification as it grows, after every piece of draws; arguments as in ``certify_image``.

    Whoever breaks off has the certificate of what was drawn, where the plan may stop early and its first look was
    reached. With a fixed n there is none before the end.
    """
    check_until(until, plan)
    plan = plan or system.plan(first=FIRST_LOOK if until is None else FIRST)
    system.check_plan(plan)
    pair = system.open()
    exact = read_image(picture, pair.dataset.shape, framing).certifiable()
    case = Case.fixed(*exact, plan, seed, challenge)
    yield from grow(case, pair.answer(case), until)


def grow(case: Case, replies: Iterable[Core | Drawn], until: Until | None = None) -> Iterator[Certification]:
    """A case's certification from what its networks reply, after every piece that estimates; ``until`` ends it."""
    found: Certification | None = None
    for reply in replies:
        before = 0 if found is None else found.drawn
        if isinstance(reply, Core):
            found = Certification.begin(case, reply)
        elif found is not None:
            found = found.with_draws(reply)
            if found.drawn > before:
                yield found
                if until is not None and is_over(until, found.evidence, case.plan, before):
                    return
