"""A job as it runs, and as it ended: counts and bounds, the answer in a sentence, the certificate, the attack."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import streamlit as st

from app import explain, figures, pictures
from app.chart import chart
from app.jobs import State, View
from engine.bounds import round_down
from engine.certificate import Certificate, grey_levels, issue, to_json
from engine.certificate_page import to_html
from engine.counts import thresholds
from engine.errands import Attack, Judged
from engine.evidence import Evidence
from engine.looks import LookBounds
from engine.pictures import to_png
from engine.plan import Mode
from engine.runs import ABSTAIN

ALERTS = {"certified": st.success, "core": st.info, "consensus": st.info, "abstain": st.warning}
ICONS = {"certified": "verified", "core": "bolt", "consensus": "handshake", "abstain": "help"}
AMPLIFIED = 4  # the change in the picture of an attack


def progress(view: View, end: Callable[[State], None]) -> None:
    """How far a job is, what its bounds are worth so far, and the ways to end it."""
    plan, evidence = view.task.plan, view.evidence
    st.progress(min(1.0, view.drawn / plan.n), text=_progress(view))
    stop, cancel = st.columns(2)
    if plan.mode is Mode.EARLY:
        stop.button(
            "Stop now", key="stop", width="stretch", on_click=end, args=(State.STOPPED,),
            disabled=view.drawn < plan.looks[0],
        )  # fmt: skip
    cancel.button("Cancel", key="cancel", width="stretch", on_click=end, args=(State.CANCELLED,))
    if evidence is None or not len(evidence.estimate):
        st.skeleton(height=200)
    else:
        _so_far(view, evidence)


def _progress(view: View) -> str:
    plan = view.task.plan
    if view.state is State.QUEUED:
        return f"Waiting: {view.ahead} before this one" if view.ahead else "Next in the queue"
    if not view.rate:
        return "Starting"
    left = (plan.n - view.drawn) / view.rate
    return f"{view.drawn:,} of {plan.n:,} draws · {view.rate:,.0f}/s · {left:.0f} s left"


def _so_far(view: View, evidence: Evidence) -> None:
    """The bounds at the last look, or provisional ones."""
    plan = view.task.plan
    if plan.mode is Mode.FIXED:
        st.warning("Provisional until the last draw: these numbers promise nothing.", icon=":material/hourglass:")
        provisional = evidence.provisional(plan)
        if provisional is not None:
            _bounds(provisional, plan.sigma, "as if n were what was drawn so far")
        return
    bounds = evidence.bounds(plan)
    if bounds:
        made = _certificate(view, evidence)
        st.markdown(f":material/{ICONS[made.outcome]}: **If you stop now:** {made.statement}")
        _bounds(bounds[-1], plan.sigma, f"valid at every look; the last one was at {bounds[-1].n:,} draws")


def _bounds(bounds: LookBounds, sigma: float, about: str) -> None:
    with st.grid(2, min_column_width=130):
        st.metric(
            "p_S",
            explain.floor(bounds.p_select),
            border=True,
            help="Selection: a lower bound of its probability.",
        )
        st.metric(
            "p_A",
            explain.floor(bounds.p_certify),
            border=True,
            help="Class ĉ: a lower bound of its probability.",
        )
    st.caption(f"{bounds.select:,} and {bounds.certify:,} of {bounds.n:,} votes; {about}.")


def counts(view: View, evidence: Evidence, theme: figures.Theme) -> None:
    """Votes by class and the entropies' distribution of all draws so far."""
    plan = view.task.plan
    so_far = evidence.composition(plan.sigma, len(evidence.estimate))
    e = explain.explain(so_far, 0, plan.theta, plan.alpha, plan.correction)
    votes, share = st.columns(2)
    with votes:
        chart(figures.class_votes(e, view.task.networks.classes, theme), "job_votes", "Draws of this image by class")
    with share:
        chart(figures.selection_share(e, theme), "job_share", "Share of draws with entropy at most θ")


def answer(view: View, evidence: Evidence) -> None:
    """What was found, in a sentence, and to take away."""
    certificate = _certificate(view, evidence)
    ALERTS[certificate.outcome](_bold(certificate), icon=f":material/{ICONS[certificate.outcome]}:")
    _downloads(certificate, view)


def details(view: View, evidence: Evidence, theme: figures.Theme) -> None:
    """What was found, in numbers, over θ, and look by look."""
    certificate = _certificate(view, evidence)
    _tiles(certificate, view, evidence)
    counts(view, evidence, theme)
    _over_theta(view, evidence, theme)
    _looks(certificate)


def _bold(certificate: Certificate) -> str:
    """The statement, its class in bold."""
    if certificate.answer is None:
        return certificate.statement
    return re.sub(re.escape(certificate.answer), f"**{certificate.answer}**", certificate.statement, count=1)


def _certificate(view: View, evidence: Evidence) -> Certificate:
    return issue(evidence, view.task.plan, view.task.image, view.task.networks, view.seed, view.ended)


def _downloads(certificate: Certificate, view: View) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Certificate", to_json(certificate), "aces-certificate.json", "application/json",
            on_click="ignore", icon=":material/download:", key="get_json",
        )  # fmt: skip
        st.download_button(
            "For people", to_html(certificate, view.task.tensor), "aces-certificate.html", "text/html",
            on_click="ignore", icon=":material/print:", key="get_html",
        )  # fmt: skip
        st.download_button(
            "Exact tensor", to_png(view.task.tensor), "aces-tensor.png", "image/png",
            on_click="ignore", icon=":material/image:", key="get_tensor",
        )  # fmt: skip


def _tiles(certificate: Certificate, view: View, evidence: Evidence) -> None:
    """The radius in two units, and what each network says."""
    classes, last = view.task.networks.classes, certificate.looks[-1]
    found = evidence.answer(view.task.plan)
    assert found is not None
    alone = float(found.radius_certify[0, 0])
    levels = round_down(grey_levels(certificate.radius, certificate.image.shape), 3)
    with st.grid(6, min_column_width=130):
        _tile(
            "Radius", str(_radius(certificate.radius)), "ℓ2", "In units where a pixel runs from 0 to 1; rounded down."
        )
        _tile(
            "Per pixel",
            f"{levels:f}" if certificate.radius else "—",
            "grey levels",
            "The same radius as a change of every pixel value alike, of 255 grey levels.",
        )
        _tile(
            "Certification",
            classes[int(found.c_hat[0])],
            f"{last.certify:,} of {last.n:,}",
            "The certification network: the class that was guessed from draws of its own, and its votes under noise.",
        )
        _tile("... alone", str(_radius(alone)), "radius, no core", "What it would certify by itself.")
        _tile(
            "Core alone",
            classes[certificate.core_answer],
            "no guarantee",
            "The core network's answer, without noise.",
        )
        _tile(
            "Selection",
            "certify" if _chose_certify(view, evidence) else "core",
            f"{last.select:,} of {last.n:,}",
            "Which network is chosen under noise, by θ, and its votes.",
        )


def _tile(label: str, value: str, small: str, about: str) -> None:
    st.metric(label, value, delta=small, delta_color="off", delta_arrow="off", border=True, help=about)


def _radius(radius: float) -> Decimal:
    return explain.round_down(radius)


def _chose_certify(view: View, evidence: Evidence) -> bool:
    plan = view.task.plan
    return explain.explain(
        evidence.composition(plan.sigma, len(evidence.estimate)), 0, plan.theta, plan.alpha, plan.correction
    ).chose_certify


def _over_theta(view: View, evidence: Evidence, theme: figures.Theme) -> None:
    plan = view.task.plan
    found = evidence.answer(plan, thresholds())
    assert found is not None
    alt = "Outcome and certified radius of this image over the threshold"
    chart(figures.answer_over_theta(found, plan.theta, theme), "job_thetas", alt)
    if plan.correction != "simultaneous":
        st.caption(
            "Each θ alone is right with probability 1 − α. To choose θ from this strip and keep the promise, certify "
            "with the correction `simultaneous`."
        )


def _looks(certificate: Certificate) -> None:
    with st.expander("Bounds, look by look"):
        rows = [
            {
                "draws": look.n,
                "votes, selection": look.select,
                "votes, class": look.certify,
                "p_S": explain.floor(look.p_select),
                "p_A": explain.floor(look.p_certify),
            }
            for look in certificate.looks
        ]
        st.dataframe(rows, hide_index=True, alt="The looks of this certificate")
        st.caption(
            f"Seed {certificate.seed}, drawn after the image was fixed. `python -m engine check CERTIFICATE.json IMAGE "
            f"--resample` recomputes all of this and draws a part of it again."
        )


def attempt(view: View, evidence: Evidence, start: Callable[[int, float], None]) -> None:
    """Try to break it: a budget, a button, what was found."""
    found = evidence.answer(view.task.plan)
    assert found is not None
    radius, prediction = float(found.radius[0, 0]), int(found.prediction()[0, 0])
    target = int(found.c_hat[0]) if prediction == ABSTAIN else prediction
    st.header("Try to break it", anchor=False)
    st.caption(
        "An ℓ2 attack on the smoothed system. Inside the certified radius the answer must hold; outside it may fall. "
        "This illustrates: an attack that fails proves nothing."
    )
    left, right = st.columns([2, 5], gap="large")
    with left:
        budget = st.slider("Budget (ℓ2)", 0.05, 6.0, float(np.clip(round(2 * radius, 2), 0.5, 6.0)), 0.05, key="budget")
        inside = 0 < budget < radius
        st.caption(f"{'inside' if inside else 'outside'} the certified radius {_radius(radius)}")
        running = view.attempt is not None and view.attempt.active
        st.button("Attack", key="attack", on_click=start, args=(target, budget), disabled=running, width="stretch")
    with right:
        if view.attempt is None:
            return
        if view.attempt.attack is not None:
            _found(view, view.attempt.attack, radius)
        elif view.attempt.message:
            st.error(view.attempt.message, icon=":material/error:")
        else:
            st.skeleton(height=200)


def _found(view: View, attack: Attack, radius: float) -> None:
    clean = view.task.tensor / 255
    change = attack.image - clean
    scale = max(1, pictures.LARGE * 2 // 3 // max(clean.shape[1:]))
    st.image(
        pictures.in_a_row([clean, attack.image, 0.5 + AMPLIFIED * change], scale),
        caption=f"before, after, and the change, {AMPLIFIED} times as strong (ℓ2 {attack.norm:.3f})",
        alt="The image, the perturbed image and their difference",
    )
    classes = view.task.networks.classes
    where = "inside" if attack.norm < radius else "outside"
    verdict = "The answer holds" if attack.held else "The answer falls"
    st.markdown(
        f"**{verdict}**, {where} the certified radius. Before: {_said(attack.before, classes)}. "
        f"After: {_said(attack.after, classes)}."
    )


def _said(judged: Judged, classes: tuple[str, ...]) -> str:
    answer = "no certain answer" if judged.answer == ABSTAIN else f"*{classes[judged.answer]}*"
    return (
        f"{answer} ({judged.certify:,} of {judged.draws:,} draws for the class, {judged.select:,} select the "
        f"certification network)"
    )
