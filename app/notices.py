"""What a page says rather than shows: what its numbers rest on, what they do not promise, errors, an empty shelf."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from app.settings import Settings, alpha_text, mismatched
from app.views import subset
from engine.aces import Correction
from engine.compose import Composition
from engine.errors import AcesError
from engine.runs import decisions

FILL_COMMANDS = """python -m engine precompute engine/configs/demo.yaml   # sample networks on a dataset
python -m engine import RUNS.npz                       # or bring in finished runs"""


@contextmanager
def errors_in_place() -> Iterator[None]:
    """Show what a user can mend where it happened; the rest of the page lives on."""
    try:
        yield
    except AcesError as error:
        show_error(error)


def show_error(error: AcesError | str) -> None:
    """One message that says what is wrong and what to do."""
    st.error(str(error), icon=":material/error:")


def rests_on(settings: Settings, c: Composition) -> None:
    """One line: images, draws, noise, alpha, correction, components; a badge where the noise is not the training's."""
    run = settings.certify
    facts = [
        f"{subset(c.index)} of {run.dataset}{f' {run.split}' if run.split else ''}",
        f"{c.n0:,} + {c.n:,} draws at σ {c.sigma:g}",
        f"α {alpha_text(settings.alpha)}, {settings.correction}",
        f"{run.name} with {settings.core.name}" + (f", selected by {settings.select.name}" if settings.select else ""),
    ]
    badges = "".join(f" :orange-badge[:material/warning: {text}]" for text in _warnings(settings, c))
    st.caption(" · ".join(facts) + badges)


def _warnings(settings: Settings, c: Composition) -> list[str]:
    """What a reader must know of these runs before believing a difference."""
    run, said = settings.certify, []
    if mismatched(run):
        said.append(f"σ differs from the training noise {run.network.sigma_train:g}")
    if c.sigma_select != c.sigma:
        said.append(f"the selection was sampled at σ {c.sigma_select:g}")
    if run.looked:
        said.append(f"n was changed after looking: {decisions(run)}")
    if c.radius_digits is not None:
        said.append(f"counts reconstructed from a log with radii of {c.radius_digits} digits")
    return said


def caveats(correction: Correction) -> None:
    """What a certificate does not promise, where the numbers are read."""
    scope = "for all θ at once" if correction is Correction.SIMULTANEOUS else "per θ fixed in advance"
    st.caption(
        f"A certificate speaks of the smoothed, composed decision, not of the bare networks: within its ℓ2 radius the "
        f"answer does not change, with probability at least 1 − α per image and {scope}. Images answered by the core "
        f"network or by consensus carry no certificate. σ and radii are in units where a pixel runs from 0 to 1. "
        f"Intervals are at 95 % over the images: Wilson for rates, bootstrap for ACR."
    )


def not_understood(keys: Sequence[str], settings: Settings | None) -> None:
    """A word where an address asked for what there is not."""
    if keys:
        st.caption(
            f":orange-badge[:material/link_off: Not understood in the address, so at its default: {', '.join(keys)}]"
        )
    if settings is not None and settings.pin_lost:
        st.caption(":orange-badge[:material/keep_off: The pinned view of this address is not on this shelf]")


def nothing_cached() -> None:
    """The empty state: what is missing, and the command that makes it."""
    st.header("Nothing to explore yet", anchor=False)
    st.write("A trade-off needs a certification network, sampled under noise, and a core network of the same dataset.")
    st.code(FILL_COMMANDS, language="bash")
    st.caption("Then reload this page. `python -m engine runs` lists what is there.")
