"""The words of a certificate: what is answered, and what that promises. One wording for page, JSON, HTML and terminal.

The words belong to a certificate's version: those of an old one are checked as they were.
"""

from __future__ import annotations

import math

from engine.single_image.plan import Plan
from engine.statistics.aces import Outcome
from engine.statistics.bounds import round_down

PROMISE = (
    "This is what the system answers, here and anywhere within the radius, except with probability at most {alpha} "
    "over the sampling; whether the answer is right is not said."
)
# α belongs to the selection there: the core network answers without noise, and nothing is said of other images.
PROMISE_CORE = (
    "This is what the system answers for this image: its smoothed selection surely chooses the core network, except "
    "with probability at most {alpha} over the sampling; whether the answer is right is not said, and nothing is said "
    "of images that differ from this one."
)
PROMISE_CORE_OF_CHAIN = (
    "This is what the system answers for this image: each of its {stages} stages surely hands it on, the last one to "
    "the core network, except with probability at most {alpha} over the sampling; whether the answer is right is not "
    "said, and nothing is said of images that differ from this one."
)
PROMISE_CONSENSUS = (
    "This is what the system answers for this image, whichever of its networks is selected, except with probability "
    "at most {alpha} over the sampling; whether the answer is right is not said, and nothing is said of images that "
    "differ from this one."
)
PROMISE_PREDICT = (
    "This is what the smoothed system answers for this image, except with probability at most {alpha} over the draws; "
    "whether the answer is right is not said, and nothing is said of images that differ from this one."
)
PROMISE_NOTHING = "Nothing is promised of this image."
LISTED = 20  # classes that a sentence names
# What another machine's scipy may compute less, relative: a radius is issued so much below, and then rounded down, so
# that `check` needs to allow no excess at all.
MARGIN = 1e-12


def promise(outcome: str, plan: Plan, classes: tuple[str, ...]) -> str:
    """What an answer of this kind promises, and from which classes it comes."""
    sentences = {
        Outcome.CERTIFIED.label: PROMISE,
        Outcome.CORE.label: PROMISE_CORE_OF_CHAIN if plan.then else PROMISE_CORE,
        Outcome.CONSENSUS.label: PROMISE_CONSENSUS,
    }
    if outcome not in sentences:
        return PROMISE_NOTHING
    return f"{sentences[outcome].format(alpha=plan.alpha, stages=len(plan.stages))} {known_classes(classes)}"


def promise_of_predict(answered: bool, alpha: float, classes: tuple[str, ...]) -> str:
    """What PREDICT's answer promises, and from which classes it comes."""
    return f"{PROMISE_PREDICT.format(alpha=alpha)} {known_classes(classes)}" if answered else PROMISE_NOTHING


def confidences(top: str, share: float, core: str, core_confidence: float) -> str:
    """What the two networks say of an image by themselves, in a sentence that says what it does not tell.

    ``share`` of the certification network's draws for its class, ``core_confidence`` by the core network's softmax, in
    [0, 1].
    """
    return (
        f"{_percent(share)} of the noisy draws are for {top}; the core network gives {core} "
        f"{_percent(core_confidence)}. Neither is a probability of being right: networks can be as sure of an image "
        f"that shows none of their classes."
    )


def _percent(share: float) -> str:
    """Rounded down, so that 100 % is said of nothing less.

    >>> _percent(0.9999), _percent(1.0), _percent(0.5)
    ('99.9 %', '100 %', '50 %')
    """
    return f"{math.floor(1000 * share + 1e-9) / 10:g} %"


def known_classes(classes: tuple[str, ...]) -> str:
    """What every answer is one of."""
    more = f" and {len(classes) - LISTED:,} more" if len(classes) > LISTED else ""
    return (
        f"Whatever the image shows, the answer is one of the classes that the networks know: "
        f"{', '.join(classes[:LISTED])}{more}."
    )


def statement(
    outcome: str, prediction: int, radius: float, classes: tuple[str, ...], plan: Plan, stage: int = 0
) -> str:
    """The answer in one sentence, its radius rounded down; of a chain also which ``stage``, from 0, answers."""
    if outcome == Outcome.CERTIFIED.label:
        by = f" by stage {stage + 1} of {len(plan.stages)}" if plan.then else ""
        return (
            f"Certified {classes[prediction]}{by}: no change of the image with {plan.smoothing_card.norm} norm below "
            f"{round_down(radius, 4)}, in units where a pixel runs from 0 to 1, can change the answer."
        )
    if outcome == Outcome.CORE.label:
        after = f" behind {len(plan.stages)} stages that hand it on" if plan.then else ""
        return f"Answered {classes[prediction]} by the core network{after}, without a radius."
    if outcome == Outcome.CONSENSUS.label:
        return f"Answered {classes[prediction]} by both networks, without a radius."
    return "No answer: the draws do not suffice to be sure of one. An abstention is no error."


def statement_1(outcome: str, prediction: int, radius: float, plan: Plan, classes: tuple[str, ...]) -> str:
    """The sentence of a certificate of version 1, which was the whole promise."""
    risk = f"wrong with probability at most {plan.alpha:g}"
    sentence = statement(outcome, prediction, radius, classes, plan)
    if outcome == Outcome.CORE.label:
        return sentence.removesuffix(".") + f": it was surely selected; {risk}."
    if outcome == Outcome.ABSTAIN.label:
        return sentence
    return sentence.removesuffix(".") + f"; {risk}."


def stated(bound: float) -> float:
    """A radius or a bound as a certificate states it: nine digits, never more than any machine recomputes."""
    return float(round_down(bound * (1 - MARGIN)))
