"""Options that several commands share, and how their text becomes numbers."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.printing import say
from engine.errors import AcesError
from engine.records.runs import Meta
from engine.statistics.aces import DEFAULT_CORRECTION, check_share
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import CORRECTIONS, Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention
from engine.statistics.thresholds import check_thresholds

CacheOption = Annotated[
    Path | None,
    typer.Option("--cache", envvar="ACES_CACHE", help="The store's folder (default: cache/store in a checkout)."),
]
CertifyOption = Annotated[str, typer.Option("--certify", help="Certification run: its name or a unique prefix.")]
CoreOption = Annotated[str, typer.Option("--core", help="Core run: its name or a unique prefix.")]
SelectOption = Annotated[
    str | None, typer.Option("--select", help="Selection run; by default the certification run's own entropies.")
]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Load TorchScript files: code that runs with your rights. Trust their author?")
]
AlphaOption = Annotated[
    float, typer.Option(help="Probability over the sampling that a promise fails, in (0, 1); no error rate of labels.")
]
CorrectionOption = Annotated[
    Correction,
    typer.Option(parser=Correction, metavar=f"<{'|'.join(CORRECTIONS)}>", help="How alpha is spent on the two bounds."),
]

AnyCorrectionOption = Annotated[
    Correction | None,
    typer.Option(
        parser=Correction,
        metavar=f"<{'|'.join(CORRECTIONS)}>",
        help=f"How alpha is spent on the bounds. [default: {DEFAULT_CORRECTION}; bonferroni with --convention paper]",
    ),
]
BoundOption = Annotated[
    Bound | None,
    typer.Option(
        help="Of the class: against all others together, the paper's, or by its margin over the strongest. [default: "
        "margin; complement for runs of logs, and as the paper's with --convention paper or --correction bonferroni]"
    ),
]
VotesOption = Annotated[
    float,
    typer.Option(
        "--votes",
        help="Share t of noisy votes by which the selection certifies, in (0, 1); 0.5 is the paper's majority.",
    ),
]
ThenOption = Annotated[
    list[str] | None,
    typer.Option(
        "--then",
        metavar="RUN[,THETA[,VOTES]]",
        help="What is not selected goes on to this certification run, which selects by a threshold (0.3) and a share "
        "of votes (0.5) of its own, or with RUN,p0=0.7 by the votes for its class. Once for every stage, in order.",
    ),
]
LATER_THETA = 0.3  # of a later stage that names none


@dataclass(frozen=True)
class LaterAsked:
    """A later stage as ``--then`` has it: ``theta`` is p_0 where the votes select."""

    run: str
    theta: float = LATER_THETA
    t: float = MAJORITY
    by_votes: bool = False


def read_then(text: str) -> LaterAsked:
    """A later stage. Raises ``AcesError`` for what is none.

    >>> read_then("net"), read_then("net,0.2,0.4")
    (LaterAsked(run='net', theta=0.3, t=0.5, by_votes=False), LaterAsked(run='net', theta=0.2, t=0.4, by_votes=False))
    >>> read_then("net,p0=0.7")
    LaterAsked(run='net', theta=0.7, t=0.5, by_votes=True)
    """
    run, *rest = (part.strip() for part in text.split(","))
    if not run or len(rest) > 2:
        raise AcesError(f"--then: '{text}' is not RUN[,THETA[,VOTES]], for example RUN,0.3 or RUN,p0=0.7")
    threshold = rest[0] if rest else str(LATER_THETA)
    by_votes = threshold.startswith("p0=")
    if by_votes and len(rest) > 1:
        raise AcesError(f"--then: '{text}' names a share of votes beside p0, which is one itself; leave it out")
    theta = float(number(threshold.removeprefix("p0="), "--then"))
    t = float(number(rest[1], "--then")) if len(rest) > 1 else MAJORITY
    check_thresholds(theta, by_votes)
    check_share(t)
    return LaterAsked(run, theta, t, by_votes)


def correction_or_default(asked: Correction | None, convention: Convention = Convention.ALGORITHM) -> Correction:
    """What ``--correction`` says, else what the convention implies."""
    if asked is not None:
        return asked
    return Correction.BONFERRONI if convention is Convention.PAPER else DEFAULT_CORRECTION


def bound_or_default(
    asked: Bound | None,
    of: Meta,
    convention: Convention = Convention.ALGORITHM,
    correction: Correction | None = None,
) -> Bound:
    """What ``--bound`` says, else the margin, but for the paper's terms and where a log has none, which is said.

    ``correction``: as it was asked for, None where it was not.
    """
    if asked is not None:
        return asked
    if convention is Convention.PAPER or correction is Correction.BONFERRONI:
        return Bound.COMPLEMENT
    if of.from_log:
        say(
            f"'{of.name}' was reconstructed from a log, which tells of the top class alone: bound complement",
            sys.stderr,
        )
        return Bound.COMPLEMENT
    return Bound.MARGIN


def number(text: str, option: str) -> Decimal:
    """One number of an option. Raises ``AcesError`` that quotes it."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise AcesError(f"{option}: '{text.strip()}' is not a number")
    return value


def parse_numbers(text: str, option: str) -> list[float]:
    """``0,0.1,0.3`` or ``first:last:step`` (last included). Decimal arithmetic, so that 0:1:0.1 holds 0.3 itself.

    >>> parse_numbers("0:0.4:0.1", "--theta")
    [0.0, 0.1, 0.2, 0.3, 0.4]
    """
    if ":" not in text:
        return [float(number(part, option)) for part in text.split(",")]
    parts = [number(part, option) for part in text.split(":")]
    if len(parts) != 3 or parts[2] <= 0 or parts[1] < parts[0]:
        raise AcesError(f"{option}: '{text}' is not first:last:step with a positive step, for example 0:1:0.1")
    first, last, step = parts
    if (last - first) / step > 100_000:
        raise AcesError(f"{option}: '{text}' names more than 100,000 values")
    return [float(first + i * step) for i in range(int((last - first) / step) + 1)]
