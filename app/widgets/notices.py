"""What a page says rather than shows: what its numbers rest on, what they do not promise, errors, an empty catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app import data
from app.escape import markdown, message
from app.links import Lost, sentence
from app.settings import DEFAULT_BOUND, NO_MARGIN, Settings, alpha_text, later_label, mismatched
from app.widgets import chips
from app.widgets.chips import Chip
from engine.errors import AcesError
from engine.figures.views import subset
from engine.records.compose import Composition
from engine.records.meta import Meta, decisions
from engine.records.runs import SelectionRun
from engine.smoothing import GAUSSIAN
from engine.statistics.bounds import MAJORITY, round_up
from engine.statistics.intervals import NAMES

FILL_COMMANDS = """python -m engine precompute engine/configs/demo.yaml   # sample networks on a dataset
python -m engine import RUNS.npz                       # or bring in finished runs"""

CONTROLS = {"sigma": "σ", "core": "core network", "select": "selection"}  # as sentences call them, where not by key
SHARED = "A log keeps no votes that guess, so to answer and to hand on share α"


@contextmanager
def errors_in_place() -> Iterator[None]:
    """Show what a user can fix where it happened; the rest of the page lives on."""
    try:
        yield
    except AcesError as error:
        show_error(error)


def show_error(error: AcesError | str) -> None:
    """One message that says what is wrong and what to do."""
    st.error(message(str(error)), icon=":material/error:")


def rests_on(settings: Settings, c: Composition) -> None:
    """Chips: images, draws, noise, alpha, correction, what selects; a badge where the noise is not the training's."""
    st.html(chips.row([*_sampled(settings, c), *_terms(settings), *_selects(settings)]))
    warnings = _warnings(settings, c)
    with st.container():  # also without any: the figures below keep their places, and so their zoom
        if warnings:
            st.caption(" ".join(f":orange-badge[:material/warning: {text}]" for text in warnings))


def _sampled(settings: Settings, c: Composition) -> list[Chip]:
    """What was evaluated, how often and under which noise."""
    run, smoothing = settings.certify_run, c.smoothing
    split = f" {run.split}" if run.split else ""
    under = "Gaussian noise" if smoothing == GAUSSIAN else smoothing.label
    networks = f"Certification network {run.name} with {settings.core_run.name} as core network"
    return [
        Chip(f"{len(c.index):,} images", f"{subset(c.index)} of {run.dataset}{split}"),
        Chip(
            f"{c.n0:,} + {_range(c)} draws",
            f"{c.n0:,} draws per image and network to guess (n0), {_range(c)} others to bound (n). {networks}",
        ),
        Chip(
            f"σ {c.sigma:g}" if smoothing == GAUSSIAN else f"σ {c.sigma:g}, {smoothing.label}",
            f"σ {c.sigma:g}: standard deviation of the {under} at evaluation, where a pixel runs from 0 to 1",
        ),
    ]


def _range(c: Composition) -> str:
    """How many draws estimate an image, from the fewest to the most."""
    draws = c.draws_of()
    least, most = int(draws.min()), int(draws.max())
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _terms(settings: Settings) -> list[Chip]:
    """At which failure probability, how it is spent, and the bound where it is not what pages begin with."""
    alpha = alpha_text(settings.alpha)
    found = [
        Chip(f"α {alpha}", f"α {alpha}, {settings.correction}: every certificate fails with at most this probability"),
        Chip(str(settings.correction), f"Correction: {settings.correction.card.promises}"),
    ]
    if settings.bound_used is not DEFAULT_BOUND:
        found.append(Chip(f"bound: {settings.bound_used}", f"Class bounded by its {settings.bound_used}"))
    return found


def _selects(settings: Settings) -> list[Chip]:
    """What selects where it is not a majority for the entropy, and what comes behind the first stage."""
    choice, found = settings.choice, []
    if settings.select_run is not None:
        found.append(Chip("selection network", f"Selected by {settings.select_run.name}"))
    if choice.by_votes:
        p0 = f"p₀ = {settings.theta:g}"
        found.append(Chip(f"votes > {p0}", f"Answered where a class has more than {p0} of the votes"))
    elif settings.t != MAJORITY:
        found.append(Chip(f"t {settings.t:g}", f"Selected by a share t = {settings.t:g} of the votes"))
    if choice.then is not None:
        later = later_label(choice.then)
        found.append(
            Chip(f"second stage: {later.removeprefix('then ')}", f"{later} ({choice.then.run.name}), then the core")
        )
    if choice.by_votes_of_a_log:
        found.append(Chip("α shared", SHARED))
    return found


def _warnings(settings: Settings, c: Composition) -> list[str]:
    """What a reader must know of these runs before believing a difference."""
    run, said = settings.certify_run, []
    if mismatched(run):
        said.append(f"σ differs from the training noise {run.network.sigma_train:g}")
    if c.sigma_select != c.sigma:
        said.append(f"the selection was sampled at σ {c.sigma_select:g}")
    if run.looked:
        said.append(f"n was changed after looking: {decisions(run)}")
    said += [_decided(run) for run in (run, settings.select_run) if run is not None and run.decided is not None]
    beside = [c for c in settings.compositions if c != settings.choice and c.certify_run.decided is not None]
    if beside:
        said.append(
            f"of the other compositions drawn {len(beside)} {'was' if len(beside) == 1 else 'were'} decided, not "
            f"measured: more draws would raise their ACR and NAC"
        )
    if settings.bound_used is not settings.bound:
        said.append(f"its class has the complement, no margin: {NO_MARGIN}")
    if settings.pin is not None and settings.at(settings.pin.choice).bound_used is not settings.bound:
        said.append(f"the class of A has the complement, no margin: {NO_MARGIN}")
    for digits, whose in ((c.radius_digits, "certification"), (c.radius_digits_select, "selection")):
        if digits is not None:
            said.append(f"{whose} counts reconstructed from a log with radii of {digits} digits: the lowest that fit")
    for decimals, whose in ((c.radius_decimals, "certification"), (c.radius_decimals_select, "selection")):
        if decimals is not None:
            said.append(
                f"{whose} counts reconstructed from a log with radii of {decimals} decimals: the lowest that fit"
            )
    return said


def _decided(run: Meta) -> str:
    """For what the draws of a run were enough; short, as a badge is cut where its line ends."""
    asked = run.decided or {}
    told = asked.get("r")  # of a file of another program it may be anything
    radii = ", ".join(f"{r:g}" for r in told[:10] if isinstance(r, int | float)) if isinstance(told, list) else ""
    theta, alpha = (plain(str(asked.get(name, "?"))) for name in ("theta", "alpha"))
    whose = " (selection)" if run.kind == SelectionRun.KIND else ""
    return (
        f"decided{whose}, not measured, at r {radii or '?'}, θ {theta}, α {alpha}: more draws would raise ACR and NAC"
    )


NAC_IS_NOT = (
    "NAC is not simultaneous: PREDICT (Algorithm 4) spends α/2 on each test at one θ fixed in advance, whatever the "
    "correction."
)


def caveats(settings: Settings) -> None:
    """What a certificate does not promise, where the numbers are read."""
    at_once = settings.correction.card.thetas_at_once
    scope = f"for all {settings.symbol} at once" if at_once else f"per {settings.symbol} fixed in advance"
    if settings.terms.t != MAJORITY:
        scope += ", and a t fixed in advance"
    if settings.choice.then is not None:
        scope += ", and a second stage fixed in advance"
    st.caption(
        f"A certificate speaks of the smoothed, composed decision, not of the bare networks: within its "
        f"{settings.smoothing.norm} radius the answer does not change, with probability at least 1 − α per image and "
        f"{scope}. {_implied(settings)} Images answered by the core "
        f"network or by consensus carry no certificate. σ and radii are in units where a pixel runs from 0 to 1. "
        f"Radii and lower bounds are rounded down; rates and ACR are estimates and rounded to nearest. "
        f"Intervals are at 95 % over the images: {NAMES}." + (f" {NAC_IS_NOT}" if at_once else "")
    )


def _implied(settings: Settings) -> str:
    """The ℓ∞ radius that a radius implies, with numbers where the images' size is known."""
    card, values = settings.smoothing, data.values_of(settings.certify_run)
    root = {1: "d", 2: "√d"}.get(card.order, f"d^(1/{card.order})")
    said = f"An {card.norm} radius r implies the ℓ∞ radius r/{root}"
    if values is None:
        return f"{said}, d the number of an image's values."
    return f"{said}: r/{round_up(card.spread(values), 4):f} for the {values:,} values of an image."


def not_understood(keys: Sequence[str], settings: Settings | None) -> None:
    """A word where an address asked for what there is not."""
    if keys:
        st.caption(
            f":orange-badge[:material/link_off: Not understood in the address, so at its default: {', '.join(keys)}]"
        )
    if settings is not None and settings.pin_lost:
        st.caption(":orange-badge[:material/keep_off: The pinned view of this address is not in this catalog]")
    if settings is not None and settings.pin_of:
        whose = f"What is pinned as A is of {plain(settings.pin_of)}, with which nothing here is compared"
        st.caption(f":gray-badge[:material/keep: {whose}]")


def lost(found: Lost | None, settings: Settings) -> None:
    """One sentence where a link, or a view that stood here, rested on other runs than what is shown."""
    if found:
        st.caption(f":orange-badge[:material/link_off:] {plain(sentence(found, settings, CONTROLS))}")


def plain(text: str) -> str:
    """A text as Markdown shows it letter by letter, not too long: names come from files and addresses."""
    return markdown(text if len(text) <= chips.LONGEST else f"{text[: chips.LONGEST]} …")


def nothing_cached() -> None:
    """The empty state: what is missing, and the command that makes it."""
    st.header("Nothing to explore yet", anchor=False)
    st.write("A trade-off needs a certification network, sampled under noise, and a core network of the same dataset.")
    st.code(FILL_COMMANDS, language="bash")
    st.caption("Then reload this page. `python -m engine runs` lists what is there.")
