"""The Certify page: one image, chosen, certified while one looks on, taken away, and attacked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial

import streamlit as st

from app import certify_input, certify_result, figures, state
from app.certify_input import Chosen
from app.jobs import Server, State, Task, View
from app.limits import Limits
from app.notices import errors_in_place, show_error
from app.panels import polled
from app.settings import Settings
from cache.weights import weights_of
from engine import datasets
from engine.certificate import Networks
from engine.datasets import DatasetCard
from engine.errands import PairSpec
from engine.evidence import Evidence
from engine.plan import Mode, Plan

POLL_SECONDS = 0.5
SIZES = (1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
MODES = {Mode.EARLY: "May stop early", Mode.FIXED: "Fixed n"}
ABOUT = {
    Mode.EARLY: "Every bound shown is valid at every look: stop whenever you like, also because of what you see.",
    Mode.FIXED: "A slightly larger radius, at the end only. Until then numbers are provisional, and stopping gives no "
    "certificate.",
}
JOB = "job"


def show(settings: Settings) -> None:
    """Image and promise above, the job below."""
    theme = figures.DARK if st.context.theme.type == "dark" else figures.LIGHT
    with errors_in_place():
        _show(settings, Limits.from_environment(), theme)


def _show(settings: Settings, limits: Limits, theme: figures.Theme) -> None:
    server, session = _server(limits), _visit(limits).name
    view = _current(server, session)
    card = datasets.card(settings.certify.dataset)
    left, right = st.columns([3, 2], gap="large")
    chosen = None
    with left, errors_in_place():
        chosen = certify_input.choose(settings, card, limits)
        if chosen is not None:
            certify_input.show(chosen, card, settings.certify.noise)
        elif view is None:
            st.caption("An image of your own stays in this server's memory, and goes when you leave.")
    with right, errors_in_place():
        _ask(server, session, settings, limits, card, chosen, view)
    if view is not None:
        every = POLL_SECONDS if _active(view) else None
        with right:
            polled(_draw_answer, every, server, session, view.id, _active(view))
        st.divider()
        polled(_draw_details, every, server, session, view.id, _active(view), theme)


def _ask(
    server: Server,
    session: str,
    settings: Settings,
    limits: Limits,
    card: DatasetCard,
    chosen: Chosen | None,
    view: View | None,
) -> None:
    """What is promised, what it takes, and the button."""
    plan = _plan(settings, limits)
    pair = _pair(settings)
    st.caption(f"{settings.certify.network.name or settings.certify.name} with {settings.core.name}")
    _facts(server, pair, plan)
    busy = view is not None and view.state.active
    task = None
    if chosen is not None:
        networks = Networks(
            card.name, card.classes, settings.certify.network, settings.core.network, pair.precision, "cpu"
        )
        task = Task(pair, networks, plan, chosen.tensor, chosen.subject)
    st.button(
        "Certify", type="primary", disabled=task is None or busy, key="start", width="stretch",
        on_click=_start, args=(server, session, task),
    )  # fmt: skip


def _start(server: Server, session: str, task: Task) -> None:
    """A callback, so that the page is drawn once and not twice before the first numbers."""
    with errors_in_place():
        st.query_params[JOB] = server.submit(session, task)


def _plan(settings: Settings, limits: Limits) -> Plan:
    mode = st.segmented_control(
        "Promise",
        list(MODES),
        format_func=lambda mode: MODES[Mode(mode)],
        key="mode",
        bind=state.URL,
        default=Mode.EARLY,
        required=True,
    )
    st.caption(ABOUT[Mode(mode or Mode.EARLY)])
    sizes = [n for n in SIZES if n <= limits.n] or [limits.n]
    n = st.select_slider(
        "Draws n",
        sizes,
        10_000 if 10_000 in sizes else sizes[-1],
        format_func=lambda n: f"{n:,}",
        key="n",
        bind=state.URL,
        help="Noisy copies that the certification network is asked about; 100 more guess what is to be shown.",
    )
    return Plan(
        settings.certify.noise, settings.theta, n, 100, settings.alpha, settings.correction, Mode(mode or Mode.EARLY)
    )


def _pair(settings: Settings) -> PairSpec:
    certify, core = settings.certify, settings.core
    return PairSpec(
        str(weights_of(certify)),
        str(weights_of(core)),
        (certify.network.sha256, core.network.sha256),
        certify.precision or "float32",
    )


def _facts(server: Server, pair: PairSpec, plan: Plan) -> None:
    """What can be had, before it is paid for. Asks again while the rate is being measured."""
    known = server.rate(pair, plan.sigma) is not None
    polled(_draw_facts, None if known else POLL_SECONDS, server, pair, plan, known)


def _draw_facts(server: Server, pair: PairSpec, plan: Plan, was_known: bool) -> None:
    rate = server.rate(pair, plan.sigma)
    if isinstance(rate, str):
        show_error(rate)
    took = "measuring …" if rate is None else f"≈ {_duration(plan.n / rate)}" if isinstance(rate, float) else "—"
    with st.grid(3, min_column_width=100):
        st.metric("Least n", f"{plan.smallest_n}", help="Fewer draws can certify nothing at this α.")
        st.metric("Ceiling", f"{int(1e3 * plan.ceiling) / 1e3:.3f}", help="The radius that unanimous draws certify.")
        st.metric("Time", took, help="From a short probe of these networks on this server.")
    if rate is not None and not was_known:
        st.rerun()


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _draw_answer(server: Server, session: str, id: str, was_active: bool) -> None:
    """Beside the image: how far the job is, or what came of it."""
    view = server.view(session, id)
    if view is None or _active(view) != was_active:
        st.rerun()  # polling begins or ends, and the controls wait for that
    if view.message:
        (st.error if view.state is State.FAILED else st.warning)(view.message, icon=":material/info:")
    evidence = _promising(view)
    if view.state.active:
        certify_result.progress(view, partial(server.end, id))
    elif evidence is not None:
        certify_result.answer(view, evidence)
    elif view.state is not State.FAILED:
        st.info("Cancelled: no certificate.", icon=":material/cancel:")


def _draw_details(server: Server, session: str, id: str, was_active: bool, theme: figures.Theme) -> None:
    """Below: counts as they come, then everything that is known, and the attack."""
    view = server.view(session, id)
    if view is None or _active(view) != was_active:
        st.rerun()
    evidence = _promising(view)
    if view.state.active:
        if view.drawn and view.evidence is not None:
            certify_result.counts(view, view.evidence, theme)
    elif evidence is not None:
        certify_result.details(view, evidence, theme)
        certify_result.attempt(view, evidence, partial(server.try_to_break, id))


def _active(view: View) -> bool:
    return view.state.active or (view.attempt is not None and view.attempt.active)


def _promising(view: View) -> Evidence | None:
    """The evidence, if a look has been reached; else no answer can rest on it."""
    evidence = view.evidence
    return evidence if evidence is not None and evidence.answer(view.task.plan) is not None else None


def _current(server: Server, session: str) -> View | None:
    """The job that the address names."""
    id = st.query_params.get(JOB)
    view = server.view(session, id) if id else None
    if id and view is None:
        st.info("The job of this address is gone: it ended with the session that showed it.", icon=":material/info:")
        del st.query_params[JOB]
    return view


@st.cache_resource(show_spinner=False)
def _server(limits: Limits) -> Server:
    """One for all sessions."""
    return Server(limits)


@dataclass(frozen=True)
class _Visit:
    """A session: its name, which nobody else knows, and the server that keeps its jobs."""

    name: str
    server: Server


@st.cache_resource(scope="session", on_release=lambda visit: visit.server.leave(visit.name), show_spinner=False)
def _visit(limits: Limits) -> _Visit:
    return _Visit(secrets.token_urlsafe(), _server(limits))
