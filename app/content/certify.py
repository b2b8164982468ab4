"""The Certify page: images, chosen, certified while one looks on, taken away, and attacked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from app import keys
from app.content import certify_batch, certify_history, certify_input, certify_result
from app.content.certify_input import AT, Selected
from app.escape import markdown, message
from app.services.certify_queue import JobState, Server, Task, View
from app.services.limits import Limits, trusts_own_code
from app.services.question import Asked, Question, differences
from app.settings import DEFAULT_THETA, Settings, later_label
from app.widgets.notices import errors_in_place, show_error
from app.widgets.panels import polled
from engine import datasets, figures
from engine.mechanisms import OWN
from engine.records.meta import Meta
from engine.single_image.certify import Certification
from engine.single_image.plan import Mode, Plan, max_n, usual_split
from engine.single_image.system import PairSpec, System, stage_plan
from engine.single_image.until import Until
from engine.statistics.bounds import round_down
from engine.statistics.chains import Later
from engine.statistics.looks import FIRST, FIRST_LOOK
from engine.statistics.margin import Bound
from engine.tables import duration

POLL_SECONDS = 0.5
DECIDED = "until-decided"
RULES = (str(Mode.EARLY), DECIDED, str(Mode.FIXED))
SIZES = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
MODES = {Mode.EARLY: "May stop early", DECIDED: "Until decided", Mode.FIXED: "Fixed n"}
QUESTIONS = {"radius": "A radius", "answer": "Any answer"}
ABOUT = {
    DECIDED: "Draws end by themselves at the first look (20 draws, 40, 80, ...) that certifies what is asked or "
    "leaves no hope of it. Giving up is an abstention and costs nothing; every bound shown is valid.",
    Mode.EARLY: "Every bound shown is valid at every look: stop whenever you like, also because of what you see.",
    Mode.FIXED: "A slightly larger radius, at the end only. Until then numbers are provisional, and stopping gives no "
    "certificate.",
}
MAX_RADIUS = 100.0
JOB = "job"


def show(settings: Settings) -> None:
    """Image and guarantee above, the job below."""
    theme = figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
    with errors_in_place():
        _show(settings, Limits.from_environment(), theme)


def _show(settings: Settings, limits: Limits, theme: figures.Theme) -> None:
    server, session = server_for(limits), visit(limits).name
    view = _current(server, session)
    batch = certify_batch.shown(server, session, view)
    card = datasets.card_of(settings.certify_run)
    left, right = st.columns([3, 2], gap="large")
    selected = None
    with left, errors_in_place():
        looked = partial(certify_batch.open_picture, batch, JOB)
        selected = certify_input.select(settings, card, limits, looked)
        if selected is not None:
            certify_input.show(selected, card, settings)
        elif view is None:
            st.caption("An image of your own stays in this server's memory, and goes when you leave.")
    now = None
    with right, errors_in_place():
        now = _ask(server, session, settings, limits, selected, view, certify_batch.is_active(batch))
    if view is not None:
        every = POLL_SECONDS if _active(view) else None
        with right:
            polled(_draw_answer, every, server, session, view.id, _active(view), now)
    if batch:
        _draw_batch(server, session, batch)
    if view is not None:
        st.divider()
        polled(_draw_details, every, server, session, view.id, _active(view), now, theme)
    certify_history.show(server, session, JOB)


def _draw_batch(server: Server, session: str, batch: tuple[View, ...]) -> None:
    active, opened = certify_batch.is_active(batch), st.query_params.get(JOB)
    ids = tuple(view.id for view in batch)
    polled(certify_batch.show, POLL_SECONDS if active else None, server, session, ids, active, JOB, opened)


def _ask(
    server: Server,
    session: str,
    settings: Settings,
    limits: Limits,
    selected: Selected | None,
    view: View | None,
    batch_runs: bool,
) -> Question:
    """What is promised, what it takes, and the button; the question that the controls ask."""
    plan, until = _plan(settings, limits)
    asked = _asked(settings)
    st.caption(
        f"{_who_answers(settings)} To certify one picture under several σ, networks or θ and "
        "keep the best answer is a choice too: give each of k tries α / k."
    )
    chosen = () if selected is None else selected.chosen
    tasks = []
    with errors_in_place():
        pair = _pair(settings)
        _facts(server, pair, plan, max(1, len(chosen)), at_most=until is not None)
        tasks = [Task(pair, asked, plan, one.tensor, one.subject, one.name, until) for one in chosen]
    busy = batch_runs or (view is not None and view.state.active)
    many = len(chosen) > 1
    st.button(
        f"Certify {len(chosen)} pictures" if many else "Certify", type="primary", disabled=not tasks or busy,
        key="start", width="stretch", on_click=_start, args=(server, session, tasks),
        help="Certifies them one after the other, by one plan, each by noise of its own." if many else
        "Samples the networks on noisy copies of this image, and certifies its answer.",
    )  # fmt: skip
    return replace(_question(asked, plan, selected, view), until=until)


def _question(asked: Asked, plan: Plan, selected: Selected | None, view: View | None) -> Question:
    """What the controls ask of the picture that is looked at; of several, of the one that ``view`` is about."""
    if selected is None:
        return Question(asked, plan, None, "")
    of_view = [
        one for one in selected.chosen if view is not None and one.subject.file_sha256 == view.task.image.file_sha256
    ]
    one = of_view[0] if of_view else selected.at
    return Question(asked, plan, one.subject, one.name)


def _asked(settings: Settings) -> Asked:
    """Who is to answer, by what the runs say of their networks."""
    certify, core, select = settings.certify_run, settings.core_run, settings.select_run
    later = tuple(stage.run.network for stage in _later(settings))
    asked = Asked(certify.dataset, certify.network, core.network, _precision(settings), later=later)
    if select is None:
        return asked
    return replace(asked, select=select.network, mechanism=select.mechanism or OWN.name)


def _who_answers(settings: Settings) -> str:
    """The networks that are asked, in a sentence of Markdown."""
    certify = markdown(settings.certify_run.network.name or settings.certify_run.name)
    said = f"{certify} with {markdown(settings.core_run.name)}"
    select, later = settings.select_run, settings.choice.then
    if select is not None:
        said += f", selected by {markdown(select.name)} at its own σ {select.noise:g}"
    if settings.choice.by_votes:
        said += f", which answers where a class has more than p₀ = {settings.theta:g} of the votes"
    if later is not None:
        said += f"; {markdown(later_label(later))} ({markdown(later.run.name)}) before the core network"
    return f"{said}."


def _later(settings: Settings) -> tuple[Later[Meta], ...]:
    """The later stages."""
    return () if settings.choice.then is None else (settings.choice.then,)


def _start(server: Server, session: str, tasks: list[Task]) -> None:
    """A callback, so that the page is drawn once and not twice before the first numbers."""
    assert tasks, "the button is disabled"
    with errors_in_place():
        ids = server.submit_batch(session, tasks) if len(tasks) > 1 else (server.submit(session, tasks[0]),)
        st.query_params[JOB] = ids[0]
        certify_history.remember(server, session, *ids)
        certify_batch.remember(ids)
        st.session_state[AT] = tasks[0].image.file_sha256


def _rule() -> tuple[Mode, Until | None]:
    """Whether sampling may end before n, and the question that ends it, if one does."""
    rule = st.segmented_control(
        "Stopping rule",
        RULES,
        format_func=lambda rule: MODES[rule],
        key="mode",
        bind=keys.URL,
        default=RULES[0],
        required=True,
        help="Whether sampling may end before all n draws are made, with bounds that stay valid.",
    )
    st.caption(ABOUT[rule or RULES[0]])
    if rule != DECIDED:
        return Mode(rule or RULES[0]), None
    what, radius = st.columns(2, vertical_alignment="bottom")
    asked = what.segmented_control(
        "Decide", list(QUESTIONS), format_func=QUESTIONS.__getitem__, key="until", bind=keys.URL, default="radius",
        required=True, help="Whether the image is certified at a radius, or which answer it gets at the threshold, of "
        "whatever radius.",
    )  # fmt: skip
    if asked == "answer":
        return Mode.EARLY, Until()
    r = radius.number_input(
        "Radius asked for", 0.01, MAX_RADIUS, 0.25, 0.05, format="%.2f", key="until_r", bind=keys.URL,
        help="In units where a pixel runs from 0 to 1: draws end once it is certified, or not to be hoped for.",
    )  # fmt: skip
    return Mode.EARLY, Until(float(r))


def _plan(settings: Settings, limits: Limits) -> tuple[Plan, Until | None]:
    mode, until = _rule()
    most = min(limits.n, max_n(1 + len(_later(settings))))
    sizes = [n for n in SIZES if n <= most] or [most]
    n = st.select_slider(
        "Draws n",
        sizes,
        10_000 if 10_000 in sizes else sizes[-1],
        format_func=lambda n: f"{n:,}",
        key="n",
        bind=keys.URL,
        help="Noisy copies that the certification network classifies, at most where draws may end before, and as many "
        "for a selection network and for each later stage; 100 more of each guess what is to be shown.",
    )
    by_votes, then = settings.choice.by_votes, tuple(stage_plan(one, one.run.noise) for one in _later(settings))
    theta, p0 = (None, settings.theta) if by_votes else (settings.theta, None)
    no_score = by_votes and all(stage.by_votes for stage in then)  # then a margin is not to be had
    first = FIRST_LOOK if until is None else FIRST
    plan = Plan(
        settings.certify_run.noise, theta, n, 100, settings.alpha, settings.correction,
        mode, _noise_select(settings), settings.smoothing.name, settings.terms.t,
        Bound.COMPLEMENT if no_score else settings.bound, usual_split(n, mode, first), p0, then, first,
    )  # fmt: skip
    return plan, until


def _noise_select(settings: Settings) -> float | None:
    """The noise of a selection network's run; None without one."""
    return None if settings.select_run is None else settings.select_run.noise


def _pair(settings: Settings) -> PairSpec:
    """Raises ``AcesError`` that names the network whose weights are not there."""
    runs = settings.certify_run, settings.core_run
    return System.load(
        *runs, DEFAULT_THETA, select=settings.select_run, then=_later(settings), trust=trusts_own_code()
    ).pair


def _precision(settings: Settings) -> str:
    return settings.certify_run.precision or "float32"


def _facts(server: Server, pair: PairSpec, plan: Plan, pictures: int, *, at_most: bool) -> None:
    """What can be had, before it is paid for. Asks again while the rate is being measured."""
    known = server.rate(pair, plan.sigma) is not None
    polled(_draw_facts, None if known else POLL_SECONDS, server, pair, plan, pictures, known, at_most)


def _draw_facts(server: Server, pair: PairSpec, plan: Plan, pictures: int, was_known: bool, at_most: bool) -> None:
    rate = server.rate(pair, plan.sigma)
    if isinstance(rate, str):
        show_error(rate)
    took = (
        "measuring …"
        if rate is None
        else f"{'≤' if at_most else '≈'} {duration(pictures * plan.n / rate)}"
        if isinstance(rate, float)
        else "—"
    )
    with st.grid(3, min_column_width=120):
        st.metric("Smallest n", f"{plan.smallest_n}", help="Fewer draws can certify nothing at this α.")
        st.metric("Ceiling", str(round_down(plan.ceiling, decimals=3)), help="The radius that unanimous draws certify.")
        whose = f"Of all {pictures} pictures: from" if pictures > 1 else "From"
        st.metric("Time", took, help=f"{whose} a short probe of these networks on this server.")
    if rate is not None and not was_known:
        st.rerun()


def _draw_answer(server: Server, session: str, id: str, was_active: bool, now: Question | None) -> None:
    """Beside the image: how far the job is, or what came of it."""
    view = server.view(session, id)
    if view is None or _active(view) != was_active:
        st.rerun()  # polling begins or ends, and the controls wait for that
    other = _other(view, now)
    with certify_result.belonging(view, other, "answer"):
        certify_result.of_what(view, other)
        if view.message:
            (st.error if view.state is JobState.FAILED else st.warning)(message(view.message), icon=":material/info:")
        found = _promising(view)
        if view.state.active:
            certify_result.progress(view, partial(server.end, session, id))
        elif found is not None:
            certify_result.answer(view, found, bool(other))
        elif view.state is not JobState.FAILED:
            st.info("Cancelled: no certificate.", icon=":material/cancel:")


def _other(view: View, now: Question | None) -> list[str]:
    """What the controls say that is not what the job was asked."""
    return ["what cannot be certified"] if now is None else differences(view.task.question, now)


def _draw_details(
    server: Server, session: str, id: str, was_active: bool, now: Question | None, theme: figures.Theme
) -> None:
    """Below: counts as they come, then everything that is known, and the attack."""
    view = server.view(session, id)
    if view is None or _active(view) != was_active:
        st.rerun()
    other = _other(view, now)
    found = _promising(view)
    with certify_result.belonging(view, other, "details"):
        if view.state.active:
            if view.drawn and view.found is not None:
                certify_result.counts(view.found, theme)
        elif found is not None:
            certify_result.reminder(view, other)
            certify_result.details(view, found, theme)
            certify_result.attempt(view, found, partial(_attack, server, session, id))


def _attack(server: Server, session: str, id: str, target: int, budget: float) -> None:
    """Callback."""
    with errors_in_place():
        server.try_to_break(session, id, target, budget)


def _active(view: View) -> bool:
    return view.state.active or (view.attempt is not None and view.attempt.active)


def _promising(view: View) -> Certification | None:
    """What was found, if a look has been reached; else no answer can rest on it."""
    found = view.found
    return found if found is not None and found.evidence.answer(found.plan) is not None else None


def _current(server: Server, session: str) -> View | None:
    """The job that the address names."""
    id = st.query_params.get(JOB)
    view = server.view(session, id) if id else None
    if id and view is None:
        st.info("The job of this address is gone: it ended with the session that showed it.", icon=":material/info:")
        del st.query_params[JOB]
    return view


@st.cache_resource(show_spinner=False)
def server_for(limits: Limits) -> Server:
    """One for all sessions."""
    return Server(limits)


@dataclass(frozen=True)
class Visit:
    """A session: its name, which nobody else knows, and the server that keeps its jobs."""

    name: str
    server: Server


@st.cache_resource(scope="session", on_release=lambda visit: visit.server.leave(visit.name), show_spinner=False)
def visit(limits: Limits) -> Visit:
    return Visit(secrets.token_urlsafe(), server_for(limits))
