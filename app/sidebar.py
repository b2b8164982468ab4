"""The sidebar: the catalog's runs and the reader's values -> ``Settings``; the whole view's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app import actions, beside, catalog, kept, links, requested, state
from app.components import linkbar
from app.components.dial import Dial
from app.escape import markdown
from app.keys import (
    ALPHA_DIGITS,
    CONTROLS,
    DEFAULTS,
    FEWEST_VOTES,
    LARGEST_ALPHA,
    LARGEST_P0,
    MOST_VOTES,
    NOTHING,
    PAGE_CONTROLS,
    SMALLEST_ALPHA,
    SMALLEST_P0,
    STAGE_DEFAULTS,
    THETA_STEP,
    URL,
    VOTES_STEP,
)
from app.settings import (
    ALPHAS,
    BY_VOTES,
    DEFAULT_P0,
    DEFAULT_RADIUS,
    DEFAULT_THETA,
    NO_MARGIN,
    OWN_SELECTION,
    RADIUS_STEP,
    Choice,
    Experiment,
    Settings,
    bound_for,
)
from app.studies import Offered, Study
from cache import Listing
from engine.records.meta import Meta
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import Later
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound

PROMISES = {  # the default first
    Bound.MARGIN: "The class against its strongest rival: the same guarantee, larger radii where the votes of the "
    "others are split.",
    Bound.COMPLEMENT: "The class against all others together, as in the paper.",
}


def controls(
    listing: Listing, asked: Mapping[str, Sequence[str]], *, of_many: bool = True, one_stage: bool = False
) -> Settings | None:
    """The sidebar; without ``of_many``, only what one image needs as well. ``asked``: ``address()``.

    ``one_stage``: of a page that knows no other than one in which a score selects.

    None if the runs hold no certification network with a core network of its dataset.
    """
    every = Study.every(listing)
    if not every:
        return None
    metas = listing.shown
    actions.answer_missed_click()
    state.hold_puts()
    linked = links.read_runs(asked.get(links.RUNS, ()))
    with st.sidebar:
        whole_view = st.container()
        found, choice = _components(every, asked, list(linked))
        settings = _selects(found, choice, one_stage=one_stage)
        settings = replace(settings, alpha=_alpha(), called=found.study.called_pairs)
        if of_many:
            settings = replace(settings, radius=_radius(found.largest_radius))
        settings = replace(settings, correction=_correction())
        settings = replace(settings, bound=_bound(settings))
        _as_in_the_paper(settings)
        if of_many:
            others = [Offered.of(study, dataset) for study in every for dataset in study.datasets]
            settings = beside.choose(settings, found, [other for other in others if other != found])
            with whole_view:  # on top, where nothing has to be scrolled to
                _links(settings)
        state.puts_are_drawn(*CONTROLS)
    requested.compare(settings, metas, asked, linked)
    return settings


def _components(
    every: Sequence[Study], asked: Mapping[str, Sequence[str]], linked: Sequence[str]
) -> tuple[Offered, Choice]:
    study = every[0]
    if len(every) > 1:
        named = {one.name: one for one in every}
        study = named[
            st.selectbox(
                "Collection", list(named), key="collection", bind=URL, on_change=actions.leave_images,
                help="The study that is looked at: what ships, a paper that was imported, your own. Others can be laid "
                "beside it under *Compare with*; the page *Runs* says which run belongs to which.",
            )
        ]  # fmt: skip
    dataset = st.selectbox(
        "Dataset", study.datasets, key="dataset", bind=URL, on_change=actions.leave_images,
        help="What the images are of. A composition's networks were all evaluated on images of one dataset.",
    )  # fmt: skip
    found, called = Offered.of(study, dataset), study.called
    trainings = found.trainings
    training = trainings[
        st.selectbox(
            "Training", list(trainings), key="training", bind=URL,
            help="How the certification network was trained; it answers with a certified radius.",
        )
    ]  # fmt: skip
    if asked.get("sigma"):
        _relabel(asked["sigma"][-1], training, linked)
    noise = st.select_slider(
        "Noise σ", list(training.labels), training.first, key="sigma", bind=URL,
        format_func=lambda label: markdown(_noise_text(label, training.labels[label], called)),
        help="Standard deviation, where a pixel runs from 0 to 1; (net 0.5): of a network trained at another, 0.5.",
    )  # fmt: skip
    certify = training.labels[noise]
    core = found.cores[
        st.selectbox(
            "Core network", list(found.cores_for(certify)), key="core", bind=URL,
            format_func=lambda name: called.get(name, name),
            help="The accurate network that answers, without a guarantee, the images that are not selected.",
        )
    ]  # fmt: skip
    selects = found.selections_for(certify, core)
    select = OWN_SELECTION
    if len(selects) > 1:
        select = st.selectbox(
            "Selection", list(selects), key="select", bind=URL, format_func=lambda n: called.get(n, n),
            help="The certification network's entropy, the votes for its class, or a selection network of its own.",
        )  # fmt: skip
    return found, Choice.of(training.training, noise, certify, core, selects[select], study.name)


def _noise_text(label: str, run: Meta, called: Mapping[str, str]) -> str:
    """A noise level as the slider shows it: with what its run is called, where it has a label."""
    text = called.get(run.name, run.name)
    return label if text == run.name else f"{label.removesuffix(f' ({run.name})')} ({text})"


def _selects(found: Offered, choice: Choice, *, one_stage: bool) -> Settings:
    """By which threshold and share the stages select."""
    if one_stage and (choice.by_votes or st.session_state.get("then", NOTHING) != NOTHING):
        st.caption("The steps begin with one stage, in which a score selects: here it is the first.")
        choice = replace(choice, by_votes=False)
    kept = state.session().values
    if choice.by_votes:
        theta = _p0("p0", "Share of votes p₀", "p₀")
        st.caption("The votes for the class select: a share t of them has no say.")
        settings = Settings(
            choice, theta, p0=theta, t=kept.get("votes", MAJORITY), of_scores=kept.get("theta", DEFAULT_THETA)
        )
    else:
        settings = Settings(choice, _theta(), t=_votes(), p0=kept.get("p0", DEFAULT_P0))
    if one_stage:
        return settings
    return replace(settings, choice=replace(choice, then=_then(found, choice)))


def _then(found: Offered, choice: Choice) -> Later[Meta] | None:
    """A second stage, if one is asked for."""
    runs = found.later_for(choice)
    if not runs:
        return None
    with st.expander("Second stage", icon=":material/low_priority:"):
        chosen = st.selectbox(
            "Images not selected go to", [NOTHING, *runs], key="then", bind=URL,
            help="The core network, or first to a second certification network with a threshold of its own. Such a "
            "chain has no consensus, and all its stages share α.",
        )  # fmt: skip
        if chosen == NOTHING:
            return None
        run = runs[chosen]
        ways = [OWN_SELECTION, BY_VOTES] if run.selects_by_votes else [OWN_SELECTION]
        way = st.selectbox(
            "Its selection", ways, key="select2", bind=URL,
            help="By which the second stage keeps an image: its network's entropy with θ₂ and t₂, or the votes for its "
            "class with p₀.",
        )  # fmt: skip
        if way == BY_VOTES:
            return Later(run, _p0("p02", "Its share of votes p₀", "p₀"), by_votes=True)
        theta = state.turn(
            Dial(
                "theta2", "Its threshold θ", "θ₂", DEFAULT_THETA, 0.0, 1.0, THETA_STEP, digits=3, shown=3,
                about="The second stage answers where the entropy of its network is at most θ₂.",
            )
        )  # fmt: skip
        t = state.turn(
            Dial(
                "votes2", "Its share of votes t", "t₂", MAJORITY, FEWEST_VOTES, MOST_VOTES, VOTES_STEP, digits=4,
                shown=2, about="The second stage answers where at least this share of its noisy draws selects it.",
            )
        )  # fmt: skip
        return Later(run, theta, t)


def _p0(key: str, label: str, symbol: str) -> float:
    return state.turn(
        Dial(
            key, label, symbol, DEFAULT_P0, SMALLEST_P0, LARGEST_P0, THETA_STEP, digits=3, shown=3,
            about="The certification network answers where a class has more than this share of the noisy votes.",
        )
    )  # fmt: skip


def _relabel(asked: str, training: Experiment, linked: Sequence[str]) -> None:
    """Where a σ of the address has got a longer label since, as more runs of it came: choose the run of the link.

    Without one, the first by name.
    """
    longer = [label for label, run in training.labels.items() if f"{run.noise:g}" == asked]
    if asked not in training.labels and longer:
        named = [label for label in longer if training.labels[label].name in linked]
        st.session_state["sigma"] = (named or longer)[0]


def _theta() -> float:
    return state.turn(
        Dial(
            "theta", "Selection threshold θ", "θ", DEFAULT_THETA, 0.0, 1.0, THETA_STEP, digits=3, shown=3,
            about="An image goes to the certification network where the selection's score (the entropy, or what a "
            "selection network says) is at most θ. Also: click on a front.",
        )
    )  # fmt: skip


def _votes() -> float:
    return state.turn(
        Dial(
            "votes", "Share of votes t", "t", MAJORITY, FEWEST_VOTES, MOST_VOTES, VOTES_STEP, digits=4, shown=2,
            about="An image goes to the certification network where at least this share of the noisy draws selects "
            "it; 0.5 is the paper's majority. Fewer votes, with a smaller θ, give larger radii at the same NAC.",
        )
    )  # fmt: skip


def _alpha() -> float:
    """The slider snaps to 1-2-5; anything between may be typed."""
    return state.turn(
        Dial(
            "alpha", "Failure probability α", "α", DEFAULT_ALPHA, SMALLEST_ALPHA, LARGEST_ALPHA, stops=ALPHAS,
            digits=ALPHA_DIGITS,
            about="A certificate fails with at most this probability over the sampling; the confidence is 1 − α.",
        )
    )  # fmt: skip


def _radius(largest: float) -> float:
    return state.turn(
        Dial(
            "radius", "Radius r", "r", DEFAULT_RADIUS, 0.0, largest, RADIUS_STEP, digits=6, shown=2,
            about="In the unit of σ. Certified accuracy, selection rate and the histogram refer to it.",
        )
    )  # fmt: skip


def _correction() -> Correction:
    choices = sorted(Correction, key=lambda correction: correction != DEFAULT_CORRECTION)  # the default first
    chosen = st.selectbox(
        "Correction", choices, format_func=str, key="correction", bind=URL,
        help="How α is spent on the two bounds, of the selection and of the class. Bonferroni is the paper's.",
    )  # fmt: skip
    st.caption(Correction(chosen).card.promises)
    return Correction(chosen)


def _bound(settings: Settings) -> Bound:
    asked = st.selectbox(
        "Bound of the class", list(PROMISES), format_func=str, key="bound", bind=URL,
        help="How far the certification network's class is certain. The margin compares it with its strongest rival "
        "only, and certifies also where it has less than half of the votes; proof: docs/statistics.md, section 18.",
    )  # fmt: skip
    bound = Bound(asked)
    st.caption(PROMISES[bound])
    if bound_for(settings.choice, bound) is not bound:
        st.caption(f"Here it is the complement: {NO_MARGIN}.")
    return bound


def _as_in_the_paper(settings: Settings) -> None:
    """One click to the paper's terms, where they are not the reader's already."""
    is_so = (settings.t, settings.bound, settings.correction) == (MAJORITY, Bound.COMPLEMENT, Correction.BONFERRONI)
    st.button(
        "The paper's setting", key="as_in_the_paper", icon=":material/article:", type="tertiary", disabled=is_so,
        on_click=actions.set_as_in_the_paper,
        help="t 0.5, correction bonferroni, bound complement: Algorithm 1 of Horváth et al. 2022 as it stands.",
    )  # fmt: skip


def _links(settings: Settings) -> None:
    """Pin, reset, copy the address, keep the view."""
    with st.container(horizontal=True, gap="xsmall", key="view_links"):
        if settings.pin is None:
            about = "Then every tile shows the difference to it, and Compare what changed."
            st.button(
                "Pin as A",
                key="pin_here",
                icon=":material/keep:",
                on_click=actions.pin_here,
                args=(settings,),
                type="tertiary",
                help=about,
            )
        else:
            st.button(
                "Unpin A",
                key="unpin",
                icon=":material/keep_off:",
                on_click=actions.unpin,
                type="tertiary",
                help="Compare with nothing.",
            )
        defaults = _defaults(settings) | state.page_defaults() | links.components(settings)
        ever = state.session().ever
        put = {key: st.session_state[key] for key in CONTROLS if key in ever and key in st.session_state}
        linkbar.show(defaults, catalog.fingerprints(settings), put)
        kept.menu(lambda: link(settings, catalog.fingerprints(settings)))


def _defaults(settings: Settings) -> dict[str, object]:
    """What the controls of such a composition begin with."""
    choice = settings.choice
    drawn = ["p0"] if choice.by_votes else []
    if choice.then is not None:
        drawn += ["then", "select2", *(["p02"] if choice.then.by_votes else ["theta2", "votes2"])]
    return DEFAULTS | {key: STAGE_DEFAULTS[key] for key in drawn}


def link(settings: Settings, digests: Mapping[str, str]) -> str:
    """The whole address of the view: every control's value and the digests of the runs."""
    defaults: dict[str, object] = _defaults(settings) | state.page_defaults() | links.components(settings)
    shown = {key: st.session_state[key] for key in (*CONTROLS, *PAGE_CONTROLS) if key in st.session_state}
    shown = {key: value for key, value in shown.items() if key not in STAGE_DEFAULTS or key in defaults}
    # What is empty by default says nothing; what is not, and was emptied, says so.
    values = {key: value or "" if value in ("", []) else value for key, value in shown.items()}
    told = {key: value for key, value in values.items() if value != "" or defaults.get(key)}
    return links.link(st.context.url or "", defaults | told | links.components(settings), digests)
