"""What is kept of a session, and controls <-> URL: every control is bound to the URL by its key.

A control's key is its name in the URL. A value that a control does not offer is dropped from the URL by Streamlit,
and the control shows its default. ``sidebar`` draws the controls, ``actions`` are the callbacks that set them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from math import inf
from typing import Any, ParamSpec

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import RerunException

from app.components import dial
from app.components.dial import Dial
from app.keys import CONTROLS, DIALS, FIRST_PAGE, PAGE_DEFAULTS, PICKED

P = ParamSpec("P")
PICK_SEPARATOR = "."
LONGEST_INDEX = 18  # digits: what an int64 surely holds
BOXES = ("image", "draws")  # number boxes for integers
PAGE, PLAN, OURS = "page", "plan", "ours"
WIDGET = "_dial"  # with a dial's key: what the browser sent
PAGES = "pages"


@dataclass(frozen=True)
class Put:
    """A control that a callback has set: to what, what it showed before, and its number among all that were set."""

    value: object
    before: object
    number: int
    drawn: bool = False


@dataclass
class Session:
    """What is kept of a session here, in one object.

    The next message of the browser ends a callback, as it does a run, wherever that reaches into the session's state:
    so callbacks read there first, and then change this in one go.
    """

    session: str = field(default_factory=partial(secrets.token_hex, 8))  # after a restart of the server it is another
    values: dict[str, float] = field(default_factory=dict)  # of the dials
    seen: dict[str, float] = field(default_factory=dict)  # when, in the browser's time, the last change was made
    puts: dict[str, Put] = field(default_factory=dict)
    number: int = 0  # of all that were put
    ever: set[str] = field(default_factory=set)  # what was
    offer: tuple[Sequence[str], float, float | None] | None = None  # where Go there goes
    runs: dict[str, str] | None = None  # digests by name, as the page last showed them
    intro: bool | None = None  # whether the introduction is shown; None before that is known
    intro_by_reader: bool = False  # whether the reader has said so here, which the browser is to remember
    tour: int | None = None  # the step of the tour that is shown; None for none
    steps: str = ""  # the packs of the waterfall that was last shown
    answered: float | None = None  # when, in the browser's time, the last click was made that has been answered

    def put(self, wanted: Mapping[str, object], shown: Mapping[str, object]) -> None:
        """Have Streamlit's controls ``wanted`` set in the run that follows; ``shown`` is what they show now."""
        for key, value in wanted.items():
            self.number += 1
            self.puts[key] = Put(value, shown[key], self.number)
            self.ever.add(key)


def session() -> Session:
    ours: Session = st.session_state.setdefault(OURS, Session())
    return ours


def whole(callback: Callable[P, None]) -> Callable[P, None]:
    """A callback that is begun again where the next message of the browser ends it, before that is answered."""

    @wraps(callback)
    def called(*args: P.args, **options: P.kwargs) -> None:
        cut = None
        while True:
            try:
                callback(*args, **options)
                break
            except RerunException as error:
                cut = error
        if cut is not None:
            raise cut

    return called


def put(**wanted: object) -> None:
    """Callback: set controls of Streamlit's."""
    ours, shown = session(), {key: st.session_state.get(key) for key in wanted}
    ours.put(wanted, shown)


def hold_puts() -> None:
    """Set what callbacks have put, and again where a message of the browser's has undone it before it heard of it.

    Every message tells what all controls show. It cannot have heard of what was not drawn yet; a change of a dial says
    what it has heard of.
    """
    ours, heard = session(), _heard()
    for key, put in list(ours.puts.items()):
        shown = st.session_state.get(key)
        if shown == put.before and (not put.drawn or heard < put.number):
            st.session_state[key] = put.value
        elif put.drawn or shown != put.value:
            del ours.puts[key]  # known, or changed by the reader since


def _heard() -> float:
    """The last of the controls that callbacks have put which new changes of dials have heard of; without any, all."""
    seen, found = session().seen, [said_of(key, "chosen") for key in DIALS]
    new = [sent for key, sent in zip(DIALS, found, strict=True) if sent.get("at", 0.0) > seen.get(key, 0.0)]
    return max((sent.get("heard", 0) for sent in new), default=inf)


def said_of(key: str, what: str) -> dict[str, Any]:
    """What the browser last said of a dial, before it is drawn in this run."""
    return (st.session_state.get(key + WIDGET) or {}).get(what) or {}


def last_click() -> dict[str, Any]:
    """The last click that sets dials, which the browser tells with one of them."""
    return max((said_of(key, "clicked") for key in DIALS), key=lambda sent: sent.get("at", 0.0))


def puts_are_drawn(*keys: str) -> None:
    puts = session().puts
    puts.update({key: replace(puts[key], drawn=True) for key in keys if key in puts})


def turn(offered: Dial) -> float:
    """What the reader last turned, typed or clicked on.

    Read again after the dial is drawn: in the first run of a session nothing that the browser sent is known before.
    """
    ours, key = session(), offered.key
    if key not in ours.values:
        asked = offered.read(st.query_params.get(key))
        ours.values[key] = offered.default if asked is None else asked
    _take_turned(offered, st.session_state.get(key + WIDGET))
    value = min(ours.values[key], offered.high)
    with st.container(key=key):
        known = {"value": value, "seen": ours.seen.get(key, 0.0), "session": ours.session, "puts": ours.number}
        _take_turned(offered, dial.show(offered, key + WIDGET, known))
    value = st.session_state[key] = min(ours.values[key], offered.high)
    return value


def _take_turned(offered: Dial, sent: object) -> None:
    ours, latest = session(), dial.turned(offered, sent)
    if latest is not None and latest.at > ours.seen.get(offered.key, 0.0):
        ours.values[offered.key] = latest.value
        ours.seen[offered.key] = latest.at


def as_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def keep_in_url(page: str) -> None:
    """Write the controls into the URL again after a change of pages, which empties it."""
    if st.session_state.get(PAGE, page) != page:
        for key in st.session_state:
            if key in CONTROLS:
                st.session_state[key] = st.session_state[key]
    st.session_state[PAGE] = page


def address() -> dict[str, list[str]]:
    """What the address asked for when the session began; afterwards nothing, as the controls write it themselves."""
    if st.session_state.get(PAGE) is not None:
        return {}
    endless = [key for key in BOXES if abs(as_number(st.query_params.get(key)) or 0.0) == inf]
    if endless:  # of which a box of Streamlit's makes no integer, but an error; it reads what the run began with
        for key in endless:
            del st.query_params[key]
        st.rerun()
    answers = st.query_params.get_all("answer")
    if "right" in answers:  # what old addresses call correct
        st.query_params["answer"] = ["correct" if answer == "right" else answer for answer in answers]
        st.rerun()
    return {key: st.query_params.get_all(key) for key in st.query_params}


def remember(pages: dict[str, StreamlitPage]) -> None:
    """Keep the pages by their paths, for links between them."""
    st.session_state[PAGES] = pages


def pages() -> dict[str, StreamlitPage]:
    """The pages by their paths."""
    found: dict[str, StreamlitPage] = st.session_state[PAGES]
    return found


def page(path: str) -> StreamlitPage:
    """The page of this path."""
    return pages()[path]


def picked() -> tuple[int, ...]:
    """The images that a lasso or a cell of a comparison has picked; none means all."""
    parts = st.session_state.get(PICKED, "").split(PICK_SEPARATOR)
    return tuple(int(part) for part in parts if part.isdecimal() and len(part) <= LONGEST_INDEX)


def marks_of(key: str) -> list[object]:
    """The ``customdata`` of the marks that the reader has chosen on a figure."""
    return st.session_state[key].marks or []


def page_defaults() -> dict[str, object]:
    return PAGE_DEFAULTS.get(st.session_state.get(PAGE) or FIRST_PAGE, {})


def keep_plan(question: Hashable, plan: object) -> None:
    """Remember the answer to the last question of what sampling would take; other questions have none."""
    st.session_state[PLAN] = (question, plan)


def drop_plan() -> None:
    """What is sampled is stored as it comes: no longer what the last answer spoke of."""
    st.session_state.pop(PLAN, None)


def plan(question: Hashable) -> Any:
    """The answer to this question, None unless it was the last one."""
    asked, found = st.session_state.get(PLAN, (None, None))
    return found if asked == question else None
