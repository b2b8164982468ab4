"""The sidebar: the catalog's runs and the reader's values -> ``Settings``; the whole view's address."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Self, TypeVar

import streamlit as st

from app import actions, data, kept, links, state
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
    NOISES,
    NOTHING,
    PAGE_CONTROLS,
    PICKED,
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
    COLOURS,
    DEFAULT_P0,
    DEFAULT_RADIUS,
    DEFAULT_THETA,
    MAX_FRONTS,
    NO_MARGIN,
    OWN_SELECTION,
    RADIUS_STEP,
    SEPARATOR,
    Choice,
    Experiment,
    Mechanism,
    Settings,
    bound_for,
    combinations,
    cores,
    experiments,
    pinned,
    selections,
    studies,
)
from cache import Listing
from engine.figures import overlay
from engine.records.runs import Meta
from engine.smoothing import GAUSSIAN
from engine.statistics.aces import DEFAULT_ALPHA, DEFAULT_CORRECTION
from engine.statistics.bounds import MAJORITY
from engine.statistics.chains import Later
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention

KNOWN, LOST = "known", "lost"  # the runs of the last view, and what it had that this one has not
PROMISES = {  # the default first
    Bound.MARGIN: "The class against its strongest rival: the same guarantee, larger radii where the votes of the "
    "others are split.",
    Bound.COMPLEMENT: "The class against all others together, as in the paper.",
}
Component = TypeVar("Component")


def controls(
    listing: Listing, asked: Mapping[str, Sequence[str]], *, of_many: bool = True, one_stage: bool = False
) -> Settings | None:
    """The sidebar; without ``of_many``, only what one image needs as well. ``asked``: ``address()``.

    ``one_stage``: of a page that knows no other than one in which a score selects.

    None if the runs hold no certification network with a core network of its dataset.
    """
    every = _Study.every(listing)
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
            others = [_Found.of(study, dataset) for study in every for dataset in study.datasets]
            settings = _beside(settings, found, [other for other in others if other != found])
            with whole_view:  # on top, where nothing has to be scrolled to
                _links(settings)
        state.puts_are_drawn(*CONTROLS)
    _compare_with_asked(settings, metas, asked, linked)
    return settings


def _compare_with_asked(
    settings: Settings, metas: Sequence[Meta], asked: Mapping[str, Sequence[str]], linked: Mapping[str, str]
) -> None:
    """Note what a link, or the view before this one, rested on and this one does not, until the reader moves on."""
    session, digests = st.session_state, data.fingerprints(settings)
    known = linked if asked else session.get(KNOWN, {})
    now = links.lost(known, digests, [meta.name for meta in metas], settings, by_link=bool(asked))
    shown = links.components(settings)
    unread = [(key, text) for key in shown for text in asked.get(key, ()) if not _reads_as(text, shown[key])]
    if not settings.choice.by_votes:  # a page of one stage knows no such selection, and says so
        unread = [one for one in unread if one != ("select", BY_VOTES)]
    missing = [one for one in unread if not (one[0] == "sigma" and _is_longer(one[1], shown["sigma"]))]
    now = replace(now, missing=(*missing, *now.missing))
    before = session.get(LOST)
    if now:
        session[LOST] = now
    elif before is not None and before.choice != links.address(settings):
        del session[LOST]
    session[KNOWN] = {name: digest[: links.DIGITS] for name, digest in digests.items()}


def lost(settings: Settings, metas: Sequence[Meta]) -> links.Lost | None:
    """What was asked for, or shown before, and is not what is shown; None if nothing is."""
    found: links.Lost | None = st.session_state.get(LOST)
    if found is None:
        return None
    there = {("run", meta.name) for meta in metas} | {(meta.kind, meta.name) for meta in metas}
    there |= {("collection", name) for name in data.listing().collections.values()}
    for e in experiments(metas):
        there |= {("dataset", e.dataset), ("training", e.training)}
        there |= {("sigma", label) for label in e.labels if e.training == settings.choice.training}
    return found.still(there, data.fingerprints(settings))


def not_understood(asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The controls that the address gave a value they do not know, so that they show their default."""
    shown = {key: st.session_state[key] for key in CONTROLS if key in asked and key in st.session_state}
    if links.RUNS in asked and _is_longer(asked.get("sigma", [""])[-1], str(shown.get("sigma"))):
        del shown["sigma"]  # chosen by the name of its run
    return [key for key, value in shown.items() if not all(_reads_as(text, value) for text in asked[key])]


def _is_longer(text: str, label: str) -> bool:
    """Whether a label of a σ is this text with what tells its run from others."""
    return label.startswith(f"{text} (")


def _reads_as(text: str, value: object) -> bool:
    if isinstance(value, list):
        return text in map(str, value)
    if isinstance(value, float):
        return state.as_number(text) == value
    return text == str(value)


def renewed(asked: Mapping[str, Sequence[str]], listing: Listing) -> Mapping[str, Sequence[str]]:
    """An address from before its runs were told apart by collections, as it reads today; the page begins anew with it.

    Its σ may name its run in brackets, and it names no collection: that is the one which has most of what it asks for.
    """
    every = _Study.every(listing) if asked else []
    found = _today(asked, every)
    if found:
        for key, text in found.items():
            st.query_params[key] = text
        st.rerun()
    return asked


def _today(asked: Mapping[str, Sequence[str]], every: Sequence[_Study]) -> dict[str, str]:
    """What is to be written into an old address."""
    for study in every:
        for label, run in ((label, run) for e in study.usable for label, run in e.labels.items()):
            old = f"{run.noise:g} ({run.name})"
            if label != old and asked.get("sigma", [""])[-1] == old:
                return {"sigma": label, **({"collection": study.name} if study.name else {})}
    if len(every) < 2 or "collection" in asked:
        return {}
    wanted = {name for key in ("core", "select") for name in asked.get(key, ())}
    wanted |= set(links.read_runs(asked.get(links.RUNS, ())))
    of = {key: asked[key][-1] for key in ("dataset", "training") if asked.get(key)}
    best = max(every, key=lambda study: study.has(wanted, **of))  # the first of those that have as much
    return {} if best is every[0] else {"collection": best.name}


@dataclass(frozen=True)
class _Study:
    """A collection that can be looked at; its ``name`` is empty where it is the only one.

    ``usable`` are the experiments that a core network is there for; ``called`` what runs are called.
    """

    name: str
    metas: tuple[Meta, ...]
    called: Mapping[str, str]

    @classmethod
    def every(cls, listing: Listing) -> list[Self]:
        """All of them, what there is most of first."""
        called, found = listing.called, studies(listing.shown, listing.collections)
        return [cls(name if len(found) > 1 else "", tuple(metas), called) for name, metas in found.items()]

    @property
    def usable(self) -> list[Experiment]:
        return [e for e in experiments(self.metas) if cores(self.metas, e.dataset)]

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(e.dataset for e in self.usable))

    @property
    def called_pairs(self) -> tuple[tuple[str, str], ...]:
        """The runs that have a label, all collections', and what they are called."""
        return tuple((name, text) for name, text in self.called.items() if name != text)

    def has(self, names: Collection[str], dataset: str | None = None, training: str | None = None) -> int:
        """How much of this it has: runs of these names, and certification runs of a dataset and training."""
        of = [e for e in self.usable if dataset in (None, e.dataset) and training in (None, e.training)]
        return sum(meta.name in names for meta in self.metas) + bool(of)


@dataclass(frozen=True)
class _Found:
    """What there is of the chosen dataset in a collection."""

    study: _Study
    dataset: str
    trainings: dict[str, Experiment]
    cores: dict[str, Meta]
    selections: dict[str, Mechanism]

    @classmethod
    def of(cls, study: _Study, dataset: str) -> Self:
        """What a collection has of it."""
        trainings = {e.training: e for e in study.usable if e.dataset == dataset}
        selects: dict[str, Mechanism] = {OWN_SELECTION: None, BY_VOTES: BY_VOTES, **selections(study.metas, dataset)}
        return cls(study, dataset, trainings, cores(study.metas, dataset), selects)

    def cores_for(self, certify: Meta) -> dict[str, Meta]:
        """The core networks that can be composed with it; all of them where none can, which pages then say."""
        return {name: core for name, core in self.cores.items() if data.fits(certify, core)} or self.cores

    def selections_for(self, certify: Meta, core: Meta) -> dict[str, Mechanism]:
        """The selections that can be composed with the two; the certification network's own is always among them."""
        return {
            name: select
            for name, select in self.selections.items()
            if select is None
            or (certify.selects_by_votes if isinstance(select, str) else data.fits(certify, core, select))
        }

    def later_for(self, choice: Choice) -> dict[str, Meta]:
        """The certification runs that may come behind its first stage, as texts name them."""
        return {
            f"{e.training}{SEPARATOR}{label}": run
            for e in self.trainings.values()
            for label, run in e.labels.items()
            if run.name != choice.certify_run.name
            and run.smoothing_card.norm == choice.certify_run.smoothing_card.norm
            and data.fits(run, choice.core_run)
        }

    @property
    def certifying(self) -> dict[str, Meta]:
        """All certification runs of the dataset by name."""
        return {run.name: run for e in self.trainings.values() for run in e.runs}

    @property
    def largest_radius(self) -> float:
        return max(experiment.largest_radius for experiment in self.trainings.values())

    @property
    def every(self) -> tuple[Choice, ...]:
        """All compositions of the dataset, also those of a selection run under another noise."""
        return tuple(
            Choice.of(e.training, label, run, core, select, self.study.name)
            for e in self.trainings.values()
            for label, run in e.labels.items()
            for core, select in product(self.cores.values(), self.selections.values())
        )


def _components(
    every: Sequence[_Study], asked: Mapping[str, Sequence[str]], linked: Sequence[str]
) -> tuple[_Found, Choice]:
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
    found, called = _Found.of(study, dataset), study.called
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


def _selects(found: _Found, choice: Choice, *, one_stage: bool) -> Settings:
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


def _then(found: _Found, choice: Choice) -> Later[Meta] | None:
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
        if (
            st.selectbox(
                "Its selection",
                ways,
                key="select2",
                bind=URL,
                help="By which the second stage keeps an image: its "
                "network's entropy with θ₂ and t₂, or the votes for its class with p₀.",
            )
            == BY_VOTES
        ):
            return Later(run, _p0("p02", "Its share of votes p₀", "p₀"), by_votes=True)
        theta = state.turn(
            Dial(
                "theta2",
                "Its threshold θ",
                "θ₂",
                DEFAULT_THETA,
                0.0,
                1.0,
                THETA_STEP,
                digits=3,
                shown=3,
                about="The second stage answers where the entropy of its network is at most θ₂.",
            )
        )
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


def _beside(settings: Settings, found: _Found, others: Sequence[_Found]) -> Settings:
    """What is drawn beside the current composition: other components, the paper, what is pinned."""
    with st.expander("Compare with", icon=":material/stacked_line_chart:"):
        also = _collections(found, others)
        called = found.study.called
        trainings = _others(
            "Trainings", "with_training", found.trainings, settings.choice.training,
            "Certification networks by other trainings, each drawn as fronts of its own.",
        )  # fmt: skip
        networks = _others(
            "Core networks", "with_core", found.cores_for(settings.certify_run), settings.core_run.name,
            "Other networks that answer what is not selected, each drawn as fronts of its own.", called,
        )  # fmt: skip
        selects = found.selections_for(settings.certify_run, settings.core_run)
        mechanisms = _others(
            "Selections", "with_select", selects, settings.choice.selection,
            "Other mechanisms that select: entropy, votes, or a selection network.", called,
        )  # fmt: skip
        noises = st.segmented_control(
            "Noise levels", NOISES, key="noises", bind=URL, default=NOISES[0], required=True,
            help="Fronts at every noise level at which these networks were sampled, or only at that of the sidebar.",
        )  # fmt: skip
        colour = st.segmented_control(
            "Colour by", COLOURS, key="colour", bind=URL, default=COLOURS[0], required=True,
            help="A colour and a dash for every composition; or a colour for every σ, or for every training, and a "
            "dash for every core network or, of one, for the other of the two. Shapes of marks always differ.",
        )  # fmt: skip
        paper = _paper(found.dataset) if settings.smoothing == GAUSSIAN else ()  # its radii are ℓ2
        convention = st.selectbox(
            "Abstentions at r = 0", list(Convention), format_func=str, key="convention", bind=URL,
            help="How abstentions count at r = 0: as in Algorithm 1, or as in the paper's printed tables.",
        )  # fmt: skip
    noise = settings.certify_run.noise if noises == NOISES[1] else None
    asked = combinations(trainings, networks, mechanisms, noise, settings.smoothing.norm, found.study.name)
    asked += tuple(choice for one in also for choice in _of_other(one, settings, noise))
    every = tuple(choice for choice in asked if data.fits(choice.certify_run, choice.core_run, choice.select_run))
    if len(every) < len(asked):
        st.caption(
            f"{len(asked) - len(every)} of {len(asked)} compositions are not drawn: their runs were evaluated on other "
            "images, or number them differently."
        )
    drawn = every[:MAX_FRONTS] if settings.choice in every[:MAX_FRONTS] else (*every[: MAX_FRONTS - 1], settings.choice)
    if len(every) > MAX_FRONTS:
        st.caption(f"{MAX_FRONTS} of {len(every)} compositions are drawn: choose fewer components.")
    text = _kept("pin")
    pin = pinned(text, found.every, found.certifying)
    same = [other for other in others if other.dataset == found.dataset]
    pin = pin or next((p for other in same if (p := pinned(text, other.every, other.certifying))), None)
    of = [] if pin else [other.dataset for other in others if pinned(text, other.every, other.certifying)]
    if pin is not None and pin.choice.certify_run.smoothing_card.norm != settings.smoothing.norm:
        of = [f"{found.dataset} under {pin.choice.certify_run.smoothing_card.label}"]
        pin = None
    lost = bool(text) and pin is None and not of
    _kept(PICKED)
    rule = Convention(convention or Convention.ALGORITHM)
    if rule is Convention.PAPER and (settings.choice.by_votes or settings.choice.then is not None):
        st.caption("The paper's convention knows one stage, and a score that selects: choose the other for this one.")
    if rule is Convention.PAPER and settings.t != MAJORITY:
        st.caption("The paper's convention counts by a majority: t is 0.5 while it is chosen.")
        settings = replace(settings, t=MAJORITY)
    if rule is Convention.PAPER and settings.bound is not Bound.COMPLEMENT:
        st.caption("The paper's convention knows no margin: the bound is the complement while it is chosen.")
        settings = replace(settings, bound=Bound.COMPLEMENT)
    settings = replace(settings, drawn=drawn, colour=colour or COLOURS[0], paper=paper, convention=rule)
    return replace(settings, pin=pin, pin_lost=lost, pin_of=of[0] if of else "")


def _collections(found: _Found, others: Sequence[_Found]) -> list[_Found]:
    """The other collections of the dataset that are laid beside the one that is looked at."""
    same = {other.study.name: other for other in others if other.dataset == found.dataset}
    if not same:
        return []
    chosen = st.multiselect(
        "Collections", list(same), key="with_collection", bind=URL, placeholder="only the current one",
        help="Other studies of this dataset: of each the same training, or all if it has none of that name, with the "
        "first core network that was evaluated on its images.",
    )  # fmt: skip
    return [other for name, other in same.items() if name in chosen]


def _of_other(other: _Found, settings: Settings, noise: float | None) -> list[Choice]:
    """What is drawn of another collection: it has components of its own names, of which none was chosen."""
    training, select = settings.choice.training, BY_VOTES if settings.choice.by_votes else None
    wanted = [other.trainings[training]] if training in other.trainings else list(other.trainings.values())
    runs = [run for e in wanted for run in e.runs]
    core = {run.name: next(iter(other.cores_for(run).values())) for run in runs}
    made = combinations(wanted, list(other.cores.values()), [select], noise, settings.smoothing.norm, other.study.name)
    return [choice for choice in made if choice.core_run == core[choice.certify_run.name]]


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
        linkbar.show(defaults, data.fingerprints(settings), put)
        kept.menu(lambda: link(settings, data.fingerprints(settings)))


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


def _others(
    title: str, key: str, of: Mapping[str, Component], current: str, about: str, called: Mapping[str, str] | None = None
) -> list[Component]:
    """The current component and those chosen beside it, in the order of the catalog."""
    if len(of) == 1:
        return list(of.values())
    chosen = st.multiselect(
        title, list(of), key=key, bind=URL, placeholder="only the current one", help=about,
        format_func=lambda name: (called or {}).get(name, name),
    )  # fmt: skip
    return [value for name, value in of.items() if name == current or name in chosen]


def _kept(key: str) -> str:
    """A text in the URL that buttons write and nobody types: its box is hidden (style.css)."""
    return st.text_input(key, key=key, bind=URL, label_visibility="collapsed") or ""


def _paper(dataset: str) -> tuple[str, ...]:
    chosen = st.multiselect(
        "The paper's tables",
        overlay.matching(dataset),
        key="paper",
        bind=URL,
        placeholder="none",
        help="Tables 2 to 17 of Horváth et al. 2022 as hollow marks: other networks and images, the same axes.",
    )
    return tuple(chosen)
