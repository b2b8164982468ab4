"""A job as it runs, and as it ended: counts and bounds, the answer in a sentence, the certificate, the attack."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

import numpy as np
import streamlit as st

from app.components.chart import chart
from app.escape import markdown, message
from app.services import pictures
from app.services.certify_queue import JobState, View
from app.services.question import slug
from engine import figures
from engine.arrays import ABSTAIN
from engine.errors import AcesError
from engine.mechanisms import Words, words_for
from engine.records.compose import VOTE_SHARES
from engine.records.counts import thresholds
from engine.single_image.certificate import Certificate, implied, to_json
from engine.single_image.certificate_page import to_html
from engine.single_image.certify import Certification
from engine.single_image.messages import Attack, Judged, no_attack
from engine.single_image.picture import to_png
from engine.single_image.plan import Mode
from engine.single_image.promise import PROMISE_NOTHING
from engine.single_image.segments import roles
from engine.statistics import explain
from engine.statistics.bounds import round_down
from engine.statistics.looks import LookBounds

ALERTS = {"certified": st.success, "core": st.info, "consensus": st.info, "abstain": st.warning}
ICONS = {"certified": "verified", "core": "bolt", "consensus": "handshake", "abstain": "help"}
THUMBNAIL = 96  # pixels: beside the words, and no larger where they stand below it
NOT_YOURS = "Only the session that began this can end it."
AMPLIFIED = 4  # the change in the picture of an attack

logger = logging.getLogger(__name__)


@contextmanager
def belonging(view: View, other: Sequence[str], part: str) -> Iterator[None]:
    """A part of a result, grey where the controls say something else; what goes wrong in it is said in its place."""
    name = f"result-{part}-{'of-before' if other else 'of-now'}"  # style.css makes the former grey
    with st.container(key=name):
        try:
            yield
        except AcesError as error:
            st.error(str(error), icon=":material/error:")
        except Exception as error:
            logger.exception("a result could not be shown")
            said = f"This result cannot be shown ({type(error).__name__}); the server's log has more. Certify again."
            st.error(said, icon=":material/error:")


def of_what(view: View, other: Sequence[str]) -> None:
    """What a result belongs to: the tensor that was certified, its picture's name, networks and plan."""
    asked = view.task.question
    picture, about = st.columns([1, 5], gap="small", vertical_alignment="center")
    picture.image(pictures.large(view.task.tensor), alt=f"What was certified: {asked.picture}", width=THUMBNAIL)
    with about:
        _text(f"<b>{_title(view, other)}</b><br><small>{html.escape(' · '.join(asked.facts))}</small>")
        if other:
            _text(f"<small>Now chosen: {html.escape('; '.join(other))}. This is no answer to that.</small>")


def reminder(view: View, other: Sequence[str]) -> None:
    """The same in a line, further down on the page."""
    _text(f"<small>{_title(view, other)}</small>")


def _title(view: View, other: Sequence[str]) -> str:
    asked = view.task.question
    kind = "Job" if view.state.active else "Result"
    at = f"{'p₀' if asked.plan.by_votes else 'θ'} {asked.plan.threshold:.3f}"
    whose = f"{f'Previous {kind.lower()}' if other else kind}, of {asked.picture} at {at}"
    return html.escape(whose)


def _text(content: str) -> None:
    """As HTML: in Markdown, names that others chose would be more than letters."""
    st.html(f'<div class="result-of">{content}</div>')


def progress(view: View, end: Callable[[JobState], None]) -> None:
    """How far a job is, what its bounds are worth so far, and the ways to end it."""
    plan, found = view.task.plan, view.found
    st.progress(min(1.0, view.drawn / plan.n), text=_progress(view))
    if view.yours:
        _ways_to_end(view, end)
    else:
        st.caption(NOT_YOURS)
    if found is None or not found.drawn:
        st.skeleton(height=200)
    else:
        _so_far(found)


def _ways_to_end(view: View, end: Callable[[JobState], None]) -> None:
    plan = view.task.plan
    stop, cancel = st.columns(2)
    if plan.mode is Mode.EARLY:
        stop.button(
            "Stop now", key="stop", width="stretch", on_click=end, args=(JobState.STOPPED,),
            disabled=view.drawn < plan.looks[0], help="Keeps the certificate that the draws so far give.",
        )  # fmt: skip
    cancel.button(
        "Cancel",
        key="cancel",
        width="stretch",
        on_click=end,
        args=(JobState.CANCELLED,),
        help="Ends the job without a certificate.",
    )


def _progress(view: View) -> str:
    plan = view.task.plan
    if view.state is JobState.QUEUED:
        return f"Waiting: {view.ahead} before this one" if view.ahead else "Next in the queue"
    if not view.rate:
        return "Starting"
    left = (plan.n - view.drawn) / view.rate
    whose = "" if len(roles(plan)) == 1 else " of each network"
    most, bound = ("", "") if view.task.until is None else ("at most ", "at most ")
    return f"{view.drawn:,} of {most}{plan.n:,} draws{whose} · {view.rate:,.0f}/s · {bound}{left:.0f} s left"


def _so_far(found: Certification) -> None:
    """The bounds at the last look, or provisional ones."""
    plan, evidence = found.plan, found.evidence
    if plan.mode is Mode.FIXED:
        st.warning(f"Provisional until the last draw. {PROMISE_NOTHING}", icon=":material/hourglass:")
        provisional = evidence.provisional(plan)
        if provisional is not None:
            _bounds(found, provisional, "as if n were what was drawn so far")
        return
    bounds = evidence.bounds(plan)
    if bounds:
        made = found.certificate()
        st.markdown(f":material/{ICONS[made.outcome]}: **If you stop now:** {markdown(made.statement)}")
        _promise(made)
        _bounds(found, bounds[-1], f"valid at every look; the last one was at {bounds[-1].n:,} draws")


def _bounds(found: Certification, look: LookBounds, about: str) -> None:
    """The bounds of the only stage, of a chain those of the last one that the guess draws come to."""
    at = _explained(found).asked
    bounds = look.stages[len(at) - 1]
    if found.plan.then:
        about = f"stage {len(at)} of {len(look.stages)}, which {_does(at[-1])}; {about}"
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
        if bounds.p_rival is not None:
            st.metric(
                "p_B",
                explain.ceil(bounds.p_rival),
                border=True,
                help="Its strongest rival: an upper bound of its probability. The radius of the class comes from both.",
            )
    st.caption(f"{bounds.select:,} and {bounds.certify:,} of {look.n:,} votes; {about}.")


def _does(stage: explain.StageNumbers) -> str:
    return "is guessed to answer" if stage.chose_certify else "is guessed to hand on"


def counts(found: Certification, theme: figures.Theme) -> None:
    """Votes by class and the scores' distribution of all draws so far."""
    asked = _explained(found).asked
    e = asked[-1]
    votes, share = st.columns(2)
    with votes:
        chart(figures.class_votes(e, found.networks.classes, theme), "job_votes", "Draws of this image by class")
    with share:
        if e.by_votes:
            st.caption(f"No score selects but the votes: the class needs more than p₀ {e.theta:.3f} of them.")
        else:
            chart(figures.selection_share(e, theme), "job_share", f"Share of draws with {e.words.score} at most θ")
    if found.plan.then:
        st.caption(f"Draws of stage {len(asked)} of {len(found.plan.stages)}, which {_does(e)}.")
    _whose_draws(found)


def _explained(found: Certification) -> explain.Explanation:
    """The numbers behind the answer by all draws so far, as if their number had been fixed."""
    plan = found.plan
    so_far = found.evidence.composition(plan, found.drawn)
    return explain.explain(so_far, 0, plan.threshold, plan.alpha, plan.correction, _words(found), plan.t)


def _whose_draws(found: Certification) -> None:
    """Which network's draws the two figures count, where they are not the same."""
    plan, select = found.plan, found.networks.select
    if select is not None:
        st.caption(
            f"Votes: draws of the certification network under noise of σ {plan.sigma:g}. Scores: draws of the "
            f"selection network {markdown(select.name or '')} under noise of σ {plan.noise_select:g}."
        )


def answer(view: View, found: Certification, is_previous: bool) -> None:
    """What was found, in a sentence, and to take away; folded away where it answers what is no longer asked."""
    certificate = found.certificate(view.ended)
    if view.said:
        st.markdown(f"**{markdown(view.said)}**")
    if not is_previous:
        ALERTS[certificate.outcome](_bold(certificate), icon=f":material/{ICONS[certificate.outcome]}:")
        _promise(certificate)
        st.caption(markdown(found.confidences))
        _downloads(certificate, view)
        return
    st.markdown(_bold(certificate))
    _promise(certificate)
    st.caption(markdown(found.confidences))
    with st.expander("Files of the previous result"):
        _downloads(certificate, view)


def details(view: View, found: Certification, theme: figures.Theme) -> None:
    """What was found, in numbers, over θ, and look by look."""
    certificate = found.certificate(view.ended)
    _tiles(certificate, found)
    counts(found, theme)
    _over_theta(found, theme)
    _looks(certificate)


def _promise(certificate: Certificate) -> None:
    """What the answer promises and what not, as the certificate itself says it: α is no error rate of the label."""
    st.caption(_promised(certificate))


def _promised(certificate: Certificate) -> str:
    return markdown(certificate.promise or "")


def _bold(certificate: Certificate) -> str:
    """The statement, its class in bold."""
    if certificate.answer is None:
        return markdown(certificate.statement)
    before, answer, after = certificate.statement.partition(certificate.answer)
    return f"{markdown(before)}**{markdown(answer)}**{markdown(after)}"


def _downloads(certificate: Certificate, view: View) -> None:
    name = f"aces-{slug(view.task.name)}"
    with st.container(horizontal=True):
        st.download_button(
            "Certificate (JSON)", to_json(certificate), f"{name}-certificate.json", "application/json",
            on_click="ignore", icon=":material/download:", key="get_json",
            help="Every count and bound, for `python -m engine check`.",
        )  # fmt: skip
        st.download_button(
            "Certificate (page to read)", to_html(certificate, view.task.tensor), f"{name}-certificate.html",
            "text/html",
            on_click="ignore", icon=":material/print:", key="get_html",
            help="The certificate as a page to read and print.",
        )  # fmt: skip
        st.download_button(
            "Exact tensor (PNG)", to_png(view.task.tensor), f"{name}-tensor.png", "image/png",
            on_click="ignore", icon=":material/image:", key="get_tensor",
            help="The pixels that were certified.",
        )  # fmt: skip


def _tiles(certificate: Certificate, found: Certification) -> None:
    """The radius in two units, and what each network says."""
    classes, asked = found.networks.classes, _explained(found).asked
    selected, look = asked[-1].selected, certificate.looks[-1]
    last, place = look.stages[len(asked) - 1], ""
    if found.plan.then:
        place = f"stage {len(asked)}: "
    answer = found.evidence.answer(found.plan)
    assert answer is not None
    alone = float(answer.radius_certify[0, 0])
    every_pixel, norm = implied(certificate), certificate.plan.smoothing_card.norm
    with st.grid(6, min_column_width=130):
        _tile(
            "Radius", str(_radius(certificate.radius)), norm, "In units where a pixel runs from 0 to 1; rounded down."
        )
        _tile(
            "Per pixel",
            f"{round_down(255 * every_pixel, 3):f}" if certificate.radius else "—",
            f"grey levels · ℓ∞ {round_down(every_pixel, 3):f}" if certificate.radius else "grey levels",
            f"How much every pixel value may change, of 255 grey levels: the ℓ∞ radius that the {norm} radius implies.",
        )
        _tile(
            "Certification network",
            markdown(classes[asked[-1].c_hat]),
            f"{place}{last.certify:,} of {look.n:,}",
            "The certification network: the class that was guessed from draws of its own, and its votes under noise.",
        )
        _tile(
            "Radius without ACES",
            str(_radius(alone)),
            "no core network",
            "What the certification network would certify by itself, without a selection.",
        )
        _tile(
            "Core network",
            markdown(classes[certificate.core_answer]),
            "no guarantee",
            "The core network's answer, without noise.",
        )
        _tile(
            "Selection",
            selected,
            "no votes count" if selected == explain.UNDECIDED else f"{place}{last.select:,} of {look.n:,}",
            f"Which network is chosen under noise, by {_scores(found)}, and its votes.",
        )


def _tile(label: str, value: str, small: str, about: str) -> None:
    st.metric(label, value, delta=small, delta_color="off", delta_arrow="off", border=True, help=about)


def _radius(radius: float) -> Decimal:
    return explain.round_down(radius)


def _words(found: Certification) -> Words:
    """What texts call the scores of the mechanism that selects."""
    return words_for(found.networks.mechanism)


def _scores(found: Certification) -> str:
    """What selects."""
    if found.plan.then or found.plan.by_votes:
        return "θ and the scores, or p₀ and the votes, of a stage's draws"
    whose = "certification network" if found.networks.select is None else "selection network"
    return f"θ and the {_words(found).score} of the {whose}'s draws"


def _over_theta(found: Certification, theme: figures.Theme) -> None:
    plan = found.plan
    answer = found.evidence.answer(plan, VOTE_SHARES if plan.by_votes else thresholds())
    assert answer is not None
    alt = "Outcome and certified radius of this image over the threshold"
    symbol = "p₀" if plan.by_votes else "θ"
    chart(figures.answer_over_theta(answer, plan.threshold, theme, symbol), "job_thetas", alt)
    if plan.by_votes:
        st.caption("The promise is about the p₀ of the plan: to choose it from this strip breaks it.")
    elif plan.correction != "simultaneous":
        st.caption(
            "The promise is about each θ alone. To choose θ from this strip and keep it, certify with the correction "
            "`simultaneous`."
        )


def _looks(certificate: Certificate) -> None:
    with st.expander("Bounds, look by look"):
        rows = [
            {
                "draws": look.n,
                **({"stage": k} if look.then else {}),
                "votes, selection": stage.select,
                "votes, class": stage.certify,
                "p_S": explain.floor(stage.p_select),
                "p_A": explain.floor(stage.p_certify),
                "p_B": None if stage.p_rival is None else explain.ceil(stage.p_rival),
            }
            for look in certificate.looks
            for k, stage in enumerate(look.stages, 1)
        ]
        st.dataframe(rows, hide_index=True, alt="The looks of this certificate")
        st.caption(
            f"Seed {certificate.seed}, drawn after the image was fixed. `python -m engine check CERTIFICATE.json IMAGE "
            f"--resample` recomputes all of this and draws a part of it again."
        )


def attempt(view: View, found: Certification, start: Callable[[int, float], None]) -> None:
    """Try to break it: a budget, a button, what was found."""
    answer = found.evidence.answer(found.plan)
    assert answer is not None
    certificate = found.certificate(view.ended)
    radius = certificate.radius
    target = int(answer.c_hat[0]) if certificate.prediction == ABSTAIN else certificate.prediction
    st.header("Try to break it", anchor=False)
    missing = no_attack(found.plan)
    if missing:
        st.caption(missing)
        return
    _text(f"<small>{html.escape(f'The picture under attack is {view.task.question.picture}.')}</small>")
    st.caption(
        "An ℓ2 attack on the smoothed system. Inside the certified radius the answer must hold, except with "
        "probability α; outside it may fall. This illustrates: an attack that fails proves nothing."
    )
    left, right = st.columns([2, 5], gap="large")
    with left:
        budget = st.slider(
            "Budget (ℓ2)",
            0.05,
            6.0,
            float(np.clip(round(2 * radius, 2), 0.5, 6.0)),
            0.05,
            key="budget",
            help="How far, in ℓ2, the attack may move the image.",
        )
        inside = 0 < budget < radius
        st.caption(f"{'inside' if inside else 'outside'} the certified radius {_radius(radius)}")
        running = view.attempt is not None and view.attempt.active
        st.button(
            "Attack",
            key="attack",
            on_click=start,
            args=(target, budget),
            disabled=running or not view.yours,
            width="stretch",
            help="Searches, by gradients under noise, for a change that turns the answer.",
        )
    with right:
        if view.attempt is None:
            return
        if view.attempt.attack is not None:
            _found(found, view.attempt.attack, certificate)
        elif view.attempt.message:
            st.error(message(view.attempt.message), icon=":material/error:")
        else:
            st.skeleton(height=200)


def _found(found: Certification, attack: Attack, certificate: Certificate) -> None:
    """Pictures and verdict. What was drawn to judge them promises nothing: only the certificate does."""
    clean = found.case.tensor / 255
    change = attack.image - clean
    scale = max(1, pictures.LARGE * 2 // 3 // max(clean.shape[1:]))
    st.image(
        pictures.in_a_row([clean, attack.image, 0.5 + AMPLIFIED * change], scale),
        caption=f"before, after, and the change, {AMPLIFIED} times as strong (ℓ2 {attack.norm:.3f})",
        alt="The image, the perturbed image and their difference",
    )
    classes = found.networks.classes
    is_inside = attack.norm < certificate.radius
    verdict = "The answer holds" if attack.held else "The answer falls"
    st.markdown(
        f"**{verdict}**, {'inside' if is_inside else 'outside'} the certified radius. "
        f"Before: {_said(attack.before, classes)}. After: {_said(attack.after, classes)}."
    )
    st.caption(f"The image before: {_promised(certificate)}")
    if not is_inside:
        st.caption(f"The image after: {PROMISE_NOTHING}")


def _said(judged: Judged, classes: tuple[str, ...]) -> str:
    answer = "no certain answer" if judged.answer == ABSTAIN else f"*{markdown(classes[judged.answer])}*"
    return (
        f"{answer} ({judged.certify:,} of {judged.draws:,} draws for the class, {judged.select:,} select the "
        f"certification network)"
    )
