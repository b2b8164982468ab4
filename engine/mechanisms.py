"""Selection mechanisms: logits -> a score in [0, 1] per draw; certification is selected where score <= theta.

``MECHANISMS`` is the registry, and an entry is all that another mechanism needs: configs and commands accept it by
name, sampling scores draws with it, runs and certificates name it, and the pages take their words from its card.
Scores are computed in float32 whatever the network's precision. torch is imported when a draw is scored, so that what
only speaks of mechanisms does without.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import AcesError
from engine.records.meta import Meta

if TYPE_CHECKING:
    from torch import Tensor


def entropy(logits: Tensor) -> Tensor:
    """Entropy of softmax(logits) to base m: 0 for a certain network, 1 for a clueless one (ACES, section 3)."""
    import torch

    log_p = torch.log_softmax(logits.float(), dim=1)
    nats = -(log_p.exp() * log_p).sum(1)
    return (nats / math.log(logits.shape[1])).clamp_(0.0, 1.0)  # rounding alone may leave [0, 1] by 1e-7


def core_probability(logits: Tensor) -> Tensor:
    """A selection network's probability of class 0, "core" (ACES, appendix D.3.2)."""
    import torch

    return torch.softmax(logits.float(), dim=1)[:, 0].clamp(0.0, 1.0)  # not in place: attacks need its gradient


@dataclass(frozen=True)
class Words:
    """How texts call what a mechanism compares with theta: its ``name``, and its ``score`` in a sentence, ``a_score``
    with its article; a ``short`` heading."""

    name: str
    score: str
    a_score: str
    short: str

    @property
    def median(self) -> str:
        """The heading of the median over an image's draws."""
        return f"{self.score} (median)"


@dataclass(frozen=True)
class Mechanism:
    """A mechanism by name: its score (logits [B, m] -> float32 [B]), and what its network must answer on m classes.

    ``words`` are what people read; without them it is called by its name, so that no page says entropy of what is none.
    ``draws`` names it in the keys of stored draws, by default as ``name`` does: change it with the score, so that
    draws scored before are not taken for new ones.
    """

    name: str
    score: Callable[[Tensor], Tensor]
    outputs: Callable[[int], int]
    words: Words | None = None
    draws: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", self.draws or self.name)

    def check(self, outputs: int | None, num_classes: int, where: str) -> None:
        """Raise ``AcesError`` for a network whose outputs the score is not made for; None means not known."""
        needed = self.outputs(num_classes)
        if outputs is None or outputs == needed:
            return
        if outputs == 1:  # as released, the authors' one-output networks score 1 on every image (softmax of one logit)
            raise AcesError(
                f"{where} has one output: its softmax is 1 whatever the image, and the certification network would "
                f"never be selected; a selection network needs {needed} outputs"
            )
        raise AcesError(f"{where} has {outputs} outputs; selection by {self.name} needs {needed}")


NETWORK = Mechanism(
    "network",
    core_probability,
    lambda _num_classes: 2,
    Words("network", "selection score", "a selection score", "score"),
    draws="core_probability",
)
ENTROPY = Mechanism(
    "entropy", entropy, lambda num_classes: num_classes, Words("entropy", "entropy", "an entropy", "entropy")
)
OWN = ENTROPY  # what selects where no selection network does: a score of the certification network's own answers
MECHANISMS = {mechanism.name: mechanism for mechanism in (NETWORK, ENTROPY)}


def mechanism(name: str) -> Mechanism:
    """The mechanism of this name. Raises ``AcesError`` that lists the known ones."""
    if name not in MECHANISMS:
        raise AcesError(f"unknown selection mechanism {name!r}; known: {', '.join(MECHANISMS)}")
    return MECHANISMS[name]


def words_of(meta: Meta) -> Words:
    """The words of the mechanism that selects in this run."""
    return words_for(meta.mechanism or OWN.name)


def words_for(name: str) -> Words:
    """The words of a mechanism by its name, which this program may not know."""
    known = MECHANISMS[name].words if name in MECHANISMS else None
    return known or Words(name, f"{name} score", f"a score by {name}", "score")
