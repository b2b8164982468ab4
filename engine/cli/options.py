"""Options that several commands share, and how their text becomes numbers."""

from __future__ import annotations

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from engine.cli.printing import say
from engine.errors import AcesError
from engine.records.meta import Meta
from engine.statistics.aces import DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import Later, read_later
from engine.statistics.corrections import CORRECTIONS, Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

if TYPE_CHECKING:
    from engine.sampling.config import Config

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
    bool, typer.Option("--trust", help="Load code that runs with your rights: TorchScript files, functions of runs.")
]
UnitsOption = Annotated[
    bool,
    typer.Option("--units-are-right", help="Noise above 2, or radii beyond every image, are meant."),
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


def read_then(text: str) -> Later[str]:
    """A later stage as ``--then`` has it. Raises ``AcesError`` for what is none."""
    try:
        return read_later(text)
    except AcesError as error:
        raise AcesError(f"--then: {error}") from error


Threshold = TypeVar("Threshold", str, float)


def check_one_selection(
    theta: Threshold | None, p0: Threshold | None, select: str | None, votes: float
) -> Threshold | None:
    """The threshold or the share that selects in the first stage. Raises ``AcesError`` where more than one does."""
    if p0 is None:
        return theta
    if theta is not None:
        raise AcesError("--theta and --p0 are two ways to select: name one of them")
    if select is not None:
        raise AcesError("--p0 selects by the votes for the class, --select by a network: name one of them")
    if votes != MAJORITY:
        raise AcesError("--votes is the share by which a score selects; of the votes for the class --p0 is the share")
    return p0


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


def own_config(config: Path | None, dataset: str | None) -> Config | None:
    """What --config says, by which pictures are one's own; None without it. Raises ``AcesError`` beside --dataset."""
    if config is None:
        return None
    if dataset is not None:
        raise AcesError("--config names the dataset: leave --dataset out")
    from engine.sampling.config import parse_config

    return parse_config(config)
