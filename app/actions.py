"""What clicks and buttons do: the callbacks of the pages, and what was clicked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import state
from app.keys import CATALOG, CHOICE_KEYS, FRONT, GALLERY, MATRIX, NOTHING, ROWS, SMALLEST_ALPHA
from app.settings import BY_VOTES, OF_COLLECTION, Settings, pin_text
from app.state import PICK_SEPARATOR
from engine.figures.views import ImageRows
from engine.statistics.bounds import MAJORITY
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound

OTHERS_KEYS = ("with_training", None, "with_core", "with_select")  # what else is drawn; noise levels all are


@state.whole
def pin_here(settings: Settings) -> None:
    """Callback: pin the current composition and threshold."""
    state.put(pin=pin_text(settings.choice, settings.theta))


@state.whole
def unpin() -> None:
    """Callback: compare with nothing."""
    state.put(pin="")


@state.whole
def set_alpha(alpha: float) -> None:
    """Callback: another failure probability, within what its dial takes."""
    ours, turned = state.session(), state.said_of("alpha", "chosen").get("at", 0.0)
    ours.values["alpha"] = max(alpha, SMALLEST_ALPHA)
    ours.seen["alpha"] = max(turned, ours.seen.get("alpha", 0.0))


@state.whole
def set_as_in_the_paper() -> None:
    """Callback: a majority of the votes, the class against all others together, and alpha in halves."""
    wanted: dict[str, object] = {"correction": Correction.BONFERRONI, "bound": Bound.COMPLEMENT}
    ours, shown = state.session(), {key: st.session_state.get(key) for key in wanted}
    turned = state.said_of("votes", "chosen").get("at", 0.0)
    ours.put(wanted, shown)
    ours.values["votes"] = MAJORITY
    ours.seen["votes"] = max(turned, ours.seen.get("votes", 0.0))


@state.whole
def set_step(theta: float, t: float, correction: Correction, bound: Bound) -> None:
    """Callback: certify as a step does, at the threshold and share that it chose."""
    wanted: dict[str, object] = {"correction": correction, "bound": bound}
    ours, shown = state.session(), {key: st.session_state.get(key) for key in wanted}
    ours.put(wanted, shown)
    for dial, value in (("theta", theta), ("votes", t)):
        turned = state.said_of(dial, "chosen").get("at", 0.0)
        ours.values[dial] = value
        ours.seen[dial] = max(turned, ours.seen.get(dial, 0.0))


@state.whole
def ask_for(floor: float) -> None:
    """Callback: compare the steps at this NAC."""
    state.put(floor=floor)


@state.whole
def go_to(address: Sequence[str], theta: float, t: float | None = None) -> None:
    """Callback: choose a composition by its address, a threshold, and a share of votes if given; the one left behind
    stays drawn.

    θ and t stay where the reader has turned them since the click: a burst of keys and a click may come in one message.
    """
    dial = "p0" if address[3] == BY_VOTES else "theta"
    collection, is_told, training = address[0].partition(OF_COLLECTION)
    if is_told:
        address = (training, *address[1:])
    keys = ("collection", "with_collection", *CHOICE_KEYS, "then", *(key for key in OTHERS_KEYS if key is not None))
    ours, shown = state.session(), {key: st.session_state.get(key) for key in keys}
    clicked = state.last_click().get("at", 0.0)
    dials = {dial: theta} if t is None or address[3] == BY_VOTES else {dial: theta, "votes": t}
    turned = {key: state.said_of(key, "chosen").get("at", 0.0) for key in dials}
    now: dict[str, Any] = {
        key: ours.puts[key].value if _is_on_its_way(ours, key, value) else value for key, value in shown.items()
    }
    wanted: dict[str, object] = {}
    elsewhere = bool(is_told) and now["collection"] not in (None, collection)
    if elsewhere:
        wanted["collection"] = collection
        wanted["with_collection"] = [*{*(now["with_collection"] or []), now["collection"]} - {collection}]
    for key, others, value in zip(CHOICE_KEYS, OTHERS_KEYS, address[:4], strict=True):
        if now[key] is not None:
            wanted[key] = value
            if others is not None and now[key] != value and not elsewhere:
                wanted[others] = [*{*(now[others] or []), now[key]}]
    if len(address) == len(CHOICE_KEYS) and now["then"] is not None:
        wanted["then"] = NOTHING  # of chains only the current one is drawn
    ours.put(wanted, shown)
    ours.answered = clicked
    for turned_dial, at in dials.items():
        if not turned[turned_dial] > clicked > 0:
            ours.values[turned_dial] = at
            ours.seen[turned_dial] = max(turned[turned_dial], ours.seen.get(turned_dial, 0.0))


def _is_on_its_way(ours: state.Session, key: str, shown: object) -> bool:
    return key in ours.puts and not ours.puts[key].drawn and ours.puts[key].before == shown


def offer(address: Sequence[str], theta: float, t: float | None) -> None:
    """Where Go there goes."""
    state.session().offer = address, theta, t


@state.whole
def go_to_clicked_point() -> None:
    """A click on a front: ``customdata`` (theta, *address), with best t also t behind them, moves the controls.

    Other marks move none.
    """
    _go_to_mark(next(iter(state.marks_of(FRONT)), None))


def _go_to_mark(mark: object) -> None:
    if not isinstance(mark, list):
        return
    theta, *rest = mark
    address = [part for part in rest if isinstance(part, str)]
    if len(address) - len(CHOICE_KEYS) in (0, 1):  # of a chain the second stage as well
        go_to(address, theta, *rest[len(address) :])


def answer_missed_click() -> None:
    """Do what a click asks for that Streamlit has left unanswered, as the next message came in the same instant."""
    ours, clicked = state.session(), state.last_click()
    at, mark = clicked.get("at", 0.0), clicked.get("mark")
    if ours.answered is None or at <= ours.answered:
        ours.answered = at  # in a new session, whatever was clicked before
    elif mark is not None:
        _go_to_mark(mark)
    elif ours.offer is not None:
        go_to(*ours.offer)
    ours.answered = at


@state.whole
def pick(index: Sequence[int]) -> None:
    """Callback: pick these images, or with none let all through."""
    state.put(pick=PICK_SEPARATOR.join(str(i) for i in index))


@state.whole
def pick_marked(key: str, groups: Mapping[int, Sequence[int]] | None = None) -> None:
    """Callback: a click, lasso or box on the figure ``key`` picks its marks' images; a double click lets all through.

    A mark's ``customdata`` is an image or, with ``groups``, the group of images that it stands for.
    """
    marks = [mark for mark in state.marks_of(key) if isinstance(mark, int)]
    pick(sorted({i for mark in marks for i in ([mark] if groups is None else groups[mark])}))


@state.whole
def open_clicked_row(rows: ImageRows) -> None:
    """A click on a row of the table opens its image."""
    chosen = st.session_state[ROWS].selection.rows
    if chosen:
        open_image(int(rows.index[chosen[0]]))


@state.whole
def open_clicked_picture() -> None:
    """A click on a card of the gallery opens its image, and does so again after it was closed."""
    chosen = st.session_state[GALLERY]
    if chosen is not None:
        open_image(chosen)
        st.session_state[GALLERY] = None


@state.whole
def open_image(index: int | None) -> None:
    """Callback: open this image, or with None close the one that is open."""
    state.put(image=index)


@state.whole
def leave_images() -> None:
    """Callback: another dataset has other images under the numbers of those that were picked or opened."""
    state.put(pick="", image=None)


@state.whole
def look_at(**wanted: object) -> None:
    """Choose a run's dataset and what else the sidebar chooses it by; images of another dataset are let go."""
    state.put(**wanted, pick="", image=None)


def clicked_cell() -> tuple[int, str] | None:
    """The row and column of the matrix that was clicked on."""
    cells = st.session_state[MATRIX].selection.cells
    return cells[0] if cells else None


def clicked_run(key: str = CATALOG) -> int | None:
    """The row of the run that was clicked on, in the table of this key."""
    catalog = st.session_state.get(key)
    rows = catalog.selection.rows if catalog is not None else []
    return rows[0] if rows else None
