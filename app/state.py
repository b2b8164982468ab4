"""Widgets <-> URL. The only module that touches ``st.session_state``; every control is bound to the URL by its key.

A control's key is its name in the URL. A value that a control does not offer is dropped from the URL by Streamlit,
and the control shows its default.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal, TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from app import data, overlay
from app.settings import (
    ALPHAS,
    DEFAULT_RADIUS,
    DEFAULT_THETA,
    MAX_FRONTS,
    OWN_SELECTION,
    PROMISES,
    RADIUS_STEP,
    Choice,
    Experiment,
    Settings,
    alpha_text,
    combinations,
    cores,
    experiments,
    pin_text,
    pinned,
    selections,
)
from app.views import ImageRows
from engine.aces import DEFAULT_ALPHA, Correction, Outcome
from engine.metrics import Convention
from engine.runs import Array, Meta

URL: Literal["query-params"] = "query-params"
FRONT, MAP, ROWS = "figure_front", "figure_images", "rows"  # keys of the figures and the table that are clicked on
ENTROPIES, SIGNED = "figure_entropy", "figure_signed"
GALLERY, MATRIX, SHELF = "gallery", "matrix", "shelf"
PICKED, PICK_SEPARATOR = "pick", "."
CONTROLS = (
    *("dataset", "training", "sigma", "core", "select", "theta", "alpha", "radius", "correction", "convention"),
    *("with_training", "with_core", "with_select", "noises", "paper", "pin", "pick"),
)
PAGE, PLAN = "page", "plan"
THETA_STEP = 0.001
SMALLEST_ALPHA, LARGEST_ALPHA = 1e-9, 0.5
NOISES = ("all", "only this σ")
CHOICE_KEYS = ("training", "sigma", "core", "select")  # the controls of a composition's address
LINKS = """<div id="address-links"><a href="?" target="_self" title="Every control back to its default">Reset</a>
<button title="The address holds the whole view">Copy link</button></div><script>
document.querySelector("#address-links button").onclick = async event => {
  await navigator.clipboard.writeText(location.href);
  event.target.textContent = "Copied";
  setTimeout(() => { event.target.textContent = "Copy link" }, 2000);
};
</script>"""
PAGES = "pages"
OTHERS_KEYS = ("with_training", None, "with_core", "with_select")  # what else is drawn; noise levels all are
RIGHT_OR_WRONG = ("right", "wrong", "abstained")


@dataclass(frozen=True)
class Filters:
    """Which images to list; an empty choice lets everything through. ``verdicts`` are of ``RIGHT_OR_WRONG``.

    ``radius`` and ``score``: least and largest value; images without a score pass only the full range.
    """

    outcomes: tuple[Outcome, ...]
    classes: tuple[int, ...]
    verdicts: tuple[str, ...]
    radius: tuple[float, float]
    score: tuple[float, float]
    picked: tuple[int, ...]

    def keep(self, rows: ImageRows) -> Array:
        """The rows that pass, bool [N]."""
        wanted = (
            (rows.outcome, self.outcomes),
            (rows.label, self.classes),
            (rows.verdict, self.verdicts),
            (rows.index, self.picked),
        )
        passed = [np.isin(values, choice) for values, choice in wanted if choice]
        passed.append((rows.radius >= self.radius[0]) & (rows.radius <= self.radius[1]))
        if self.score != (0.0, 1.0):
            passed.append((rows.score_median >= self.score[0]) & (rows.score_median <= self.score[1]))
        kept: Array = np.logical_and.reduce([np.ones(len(rows), bool), *passed])
        return kept


def controls(metas: Sequence[Meta], *, of_many: bool = True) -> Settings | None:
    """The sidebar; without ``of_many``, only what one image needs as well.

    None if the runs hold no certification network with a core network of its dataset.
    """
    usable = [experiment for experiment in experiments(metas) if cores(metas, experiment.dataset)]
    if not usable:
        return None
    with st.sidebar:
        whole_view = st.container()
        found, choice = _components(metas, usable)
        settings = Settings(choice, _theta(), _alpha())
        if of_many:
            settings = replace(settings, radius=_radius(found.largest_radius))
        settings = replace(settings, correction=_correction())
        if of_many:
            settings = _beside(settings, found)
            with whole_view:  # on top, where nothing has to be scrolled to
                _links(settings)
        return settings


@dataclass(frozen=True)
class _Found:
    """What there is of the chosen dataset."""

    dataset: str
    trainings: dict[str, Experiment]
    cores: dict[str, Meta]
    selections: dict[str, Meta | None]

    def cores_for(self, certify: Meta) -> dict[str, Meta]:
        """The core networks that can be composed with it; all of them where none can, which pages then say."""
        return {name: core for name, core in self.cores.items() if data.fits(certify, core)} or self.cores

    def selections_for(self, certify: Meta, core: Meta) -> dict[str, Meta | None]:
        """The selections that can be composed with the two; the certification network's own is always among them."""
        return {
            name: select
            for name, select in self.selections.items()
            if select is None or data.fits(certify, core, select)
        }

    @property
    def largest_radius(self) -> float:
        return max(experiment.largest_radius for experiment in self.trainings.values())

    @property
    def every(self) -> tuple[Choice, ...]:
        """All compositions of the dataset, also those of a selection run under another noise."""
        return tuple(
            Choice(e.training, label, run, core, select)
            for e in self.trainings.values()
            for label, run in e.labels.items()
            for core, select in product(self.cores.values(), self.selections.values())
        )


def keep_in_url(page: str) -> None:
    """Write the controls into the URL again after a change of pages, which empties it."""
    if st.session_state.get(PAGE, page) != page:
        for key in st.session_state:
            if key in CONTROLS:
                st.session_state[key] = st.session_state[key]
    st.session_state[PAGE] = page


def _components(metas: Sequence[Meta], usable: Sequence[Experiment]) -> tuple[_Found, Choice]:
    dataset = st.selectbox("Dataset", list(dict.fromkeys(e.dataset for e in usable)), key="dataset", bind=URL)
    trainings = {e.training: e for e in usable if e.dataset == dataset}
    found = _Found(dataset, trainings, cores(metas, dataset), selections(metas, dataset))
    training = trainings[st.selectbox("Training", list(trainings), key="training", bind=URL)]
    noise = st.select_slider(
        "Noise σ", list(training.labels), training.first, key="sigma", bind=URL,
        help="Standard deviation, where a pixel runs from 0 to 1; (net 0.5): of a network trained at another, 0.5.",
    )  # fmt: skip
    certify = training.labels[noise]
    core = found.cores[st.selectbox("Core network", list(found.cores_for(certify)), key="core", bind=URL)]
    selects = found.selections_for(certify, core)
    select = OWN_SELECTION
    if len(selects) > 1:
        select = st.selectbox(
            "Selection", list(selects), key="select", bind=URL,
            help="The certification network's entropy, or a selection network of its own.",
        )  # fmt: skip
    return found, Choice(training.training, noise, certify, core, selects[select])


def _theta() -> float:
    """Slider and number box show one value. The slider is the one bound to the URL; the box follows it."""
    slider, box = _slider_and_box()
    theta = slider.slider(
        "Selection threshold θ",
        0.0,
        1.0,
        DEFAULT_THETA,
        THETA_STEP,
        format="%.3f",
        key="theta",
        bind=URL,
        help="An image goes to the certification network where its entropy is at most θ. Also: click on a front.",
    )
    st.session_state["theta_box"] = theta
    box.number_input(
        "θ", 0.0, 1.0, step=THETA_STEP, format="%.3f", key="theta_box", on_change=_box_moves_slider, args=("theta",),
        label_visibility="collapsed",
    )  # fmt: skip
    return round(theta, 3)


def _slider_and_box() -> list[DeltaGenerator]:
    return st.columns([5, 3], vertical_alignment="bottom", gap="small")


def _box_moves_slider(key: str) -> None:
    st.session_state[key] = st.session_state[f"{key}_box"]


def _alpha() -> float:
    """The slider snaps to 1-2-5; a value that was typed, or came with the URL, joins its stops for the session."""
    slider, box = _slider_and_box()
    typed = st.session_state.setdefault("alphas_typed", [])
    for wanted in (_number(st.query_params.get("alpha")), st.session_state.get("alpha")):
        if wanted is not None and SMALLEST_ALPHA <= wanted <= LARGEST_ALPHA and wanted not in (*ALPHAS, *typed):
            typed.append(wanted)
    alpha = slider.select_slider(
        "Failure probability α", sorted((*ALPHAS, *typed)), DEFAULT_ALPHA, format_func=alpha_text, key="alpha", bind=URL
    )
    st.session_state["alpha_box"] = alpha
    box.number_input(
        "α", SMALLEST_ALPHA, LARGEST_ALPHA, step=None, format="%.4g", key="alpha_box", on_change=_box_moves_slider,
        args=("alpha",), label_visibility="collapsed",
    )  # fmt: skip
    return float(alpha)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _radius(largest: float) -> float:
    slider, box = _slider_and_box()
    radius = slider.slider(
        "Radius r",
        0.0,
        largest,
        DEFAULT_RADIUS,
        RADIUS_STEP,
        key="radius",
        bind=URL,
        help="ℓ2, in the unit of σ. Certified accuracy, selection rate and the histogram refer to it.",
    )
    st.session_state["radius_box"] = radius
    box.number_input(
        "r", 0.0, largest, step=RADIUS_STEP, format="%.2f", key="radius_box", on_change=_box_moves_slider,
        args=("radius",), label_visibility="collapsed",
    )  # fmt: skip
    return round(radius, 6)


def _correction() -> Correction:
    chosen = st.selectbox("Correction", list(PROMISES), format_func=str, key="correction", bind=URL)
    st.caption(PROMISES[chosen])
    return Correction(chosen)


def _beside(settings: Settings, found: _Found) -> Settings:
    """What is drawn beside the current composition: other components, the paper, what is pinned."""
    with st.expander("Beside it", icon=":material/stacked_line_chart:"):
        trainings = _others("Trainings", "with_training", found.trainings, settings.choice.training)
        networks = _others("Core networks", "with_core", found.cores_for(settings.certify), settings.core.name)
        selects = found.selections_for(settings.certify, settings.core)
        mechanisms = _others("Selections", "with_select", selects, settings.choice.selection)
        noises = st.segmented_control("Noise levels", NOISES, key="noises", bind=URL, default=NOISES[0], required=True)
        paper = _paper(found.dataset)
        convention = st.selectbox(
            "Convention", list(Convention), format_func=str, key="convention", bind=URL,
            help="How abstentions count at r = 0: as in Algorithm 1, or as in the paper's printed tables.",
        )  # fmt: skip
    noise = settings.certify.noise if noises == NOISES[1] else None
    asked = combinations(trainings, networks, mechanisms, noise)
    every = tuple(choice for choice in asked if data.fits(choice.certify, choice.core, choice.select))
    if len(every) < len(asked):
        st.caption(
            f"{len(asked) - len(every)} of {len(asked)} compositions are not drawn: their runs were asked about other "
            "images, or number them differently."
        )
    drawn = every[:MAX_FRONTS] if settings.choice in every[:MAX_FRONTS] else (*every[: MAX_FRONTS - 1], settings.choice)
    if len(every) > MAX_FRONTS:
        st.caption(f"{MAX_FRONTS} of {len(every)} compositions are drawn: choose fewer components.")
    text = _kept("pin")
    pin = pinned(text, found.every)
    _kept(PICKED)
    rule = Convention(convention or Convention.ALGORITHM)
    return replace(settings, drawn=drawn, paper=paper, convention=rule, pin=pin, pin_lost=bool(text) and pin is None)


def _links(settings: Settings) -> None:
    """Pin, reset, copy the address."""
    with st.container(horizontal=True, gap="small"):
        if settings.pin is None:
            about = "Then every tile shows the difference to it, and Compare what changed."
            st.button(
                "Pin as A",
                key="pin_here",
                icon=":material/keep:",
                on_click=pin_here,
                args=(settings,),
                type="tertiary",
                help=about,
            )
        else:
            st.button("Unpin A", key="unpin", icon=":material/keep_off:", on_click=unpin, type="tertiary")
        st.html(LINKS, unsafe_allow_javascript=True, width="content")


Component = TypeVar("Component")


def _others(title: str, key: str, of: Mapping[str, Component], current: str) -> list[Component]:
    """The current component and those chosen beside it, in the order of the shelf."""
    if len(of) == 1:
        return list(of.values())
    chosen = st.multiselect(title, list(of), key=key, bind=URL, placeholder="only the current one")
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


def pin_here(settings: Settings) -> None:
    """Callback: pin the current composition and threshold."""
    st.session_state["pin"] = pin_text(settings.choice, settings.theta)


def unpin() -> None:
    """Callback: compare with nothing."""
    st.session_state["pin"] = ""


def address() -> dict[str, list[str]]:
    """What the address asked for when the session began; afterwards nothing, as the controls write it themselves."""
    if st.session_state.get(PAGE) is not None:
        return {}
    return {key: st.query_params.get_all(key) for key in st.query_params}


def not_understood(asked: Mapping[str, Sequence[str]]) -> list[str]:
    """The controls that the address gave a value they do not know, so that they show their default."""
    shown = {key: st.session_state[key] for key in CONTROLS if key in asked and key in st.session_state}
    return [key for key, value in shown.items() if not all(_reads_as(text, value) for text in asked[key])]


def _reads_as(text: str, value: object) -> bool:
    if isinstance(value, list):
        return text in map(str, value)
    if isinstance(value, float):
        return _number(text) == value
    return text == str(value)


def remember(pages: dict[str, StreamlitPage]) -> None:
    """Keep the pages by their paths, for links between them."""
    st.session_state[PAGES] = pages


def page(path: str) -> StreamlitPage:
    """The page of this path."""
    found: StreamlitPage = st.session_state[PAGES][path]
    return found


def go_to(address: Sequence[str], theta: float) -> None:
    """Callback: choose a composition by its address, and a threshold; the one left behind stays drawn."""
    for key, others, wanted in zip(CHOICE_KEYS, OTHERS_KEYS, address, strict=True):
        left = st.session_state.get(key)
        if others is not None and left is not None and left != wanted:
            st.session_state[others] = [*{*st.session_state.get(others, []), left}]
        if key in st.session_state:
            st.session_state[key] = wanted
    st.session_state["theta"] = theta


def go_to_clicked_point() -> None:
    """A click on a front: ``customdata`` (theta, *address) of its mark moves the controls; other marks move none."""
    mark = next(iter(_marks(FRONT)), None)
    if isinstance(mark, list) and len(mark) == 1 + len(CHOICE_KEYS):
        go_to(mark[1:], mark[0])


def filters(names: Sequence[str], largest: float) -> Filters:
    """The filters of the images, in rows; ``largest`` ends the slider of radii."""
    outcome, verdict, of_class = st.columns([3, 2, 2])
    outcomes = outcome.pills(
        "Outcome", [kind.label for kind in Outcome], selection_mode="multi", key="outcome", bind=URL
    )
    verdicts = verdict.pills("Answer is", RIGHT_OR_WRONG, selection_mode="multi", key="answer", bind=URL)
    classes = of_class.multiselect("Class", names, key="class", bind=URL, placeholder="all classes")
    of_radius, of_score = st.columns(2)
    radius = of_radius.slider("Certified radius", 0.0, largest, (0.0, largest), RADIUS_STEP, key="radii", bind=URL)
    score = of_score.slider("Median score", 0.0, 1.0, (0.0, 1.0), 0.01, key="scores", bind=URL)
    return Filters(
        tuple(kind for kind in Outcome if kind.label in outcomes),
        tuple(k for k, name in enumerate(names) if name in classes),
        tuple(verdicts),
        radius,
        score,
        picked(),
    )


def picked() -> tuple[int, ...]:
    """The images that a lasso or a cell of a comparison has picked; none means all."""
    parts = st.session_state.get(PICKED, "").split(PICK_SEPARATOR)
    return tuple(int(part) for part in parts if part.isdecimal())


def pick(index: Sequence[int]) -> None:
    """Callback: pick these images, or with none let all through."""
    st.session_state[PICKED] = PICK_SEPARATOR.join(str(i) for i in index)


def pick_marked(key: str, groups: Mapping[int, Sequence[int]] | None = None) -> None:
    """Callback: a click, lasso or box on the figure ``key`` picks its marks' images; a double click lets all through.

    A mark's ``customdata`` is an image or, with ``groups``, the group of images that it stands for.
    """
    marks = [mark for mark in _marks(key) if isinstance(mark, int)]
    pick(sorted({i for mark in marks for i in ([mark] if groups is None else groups[mark])}))


def _marks(key: str) -> list[object]:
    """The ``customdata`` of the marks that the reader has chosen on a figure."""
    return st.session_state[key].marks or []


def open_clicked_row(rows: ImageRows) -> None:
    """A click on a row of the table opens its image."""
    chosen = st.session_state[ROWS].selection.rows
    if chosen:
        open_image(int(rows.index[chosen[0]]))


def open_clicked_picture() -> None:
    """A click on a picture of the gallery opens its image."""
    if st.session_state[GALLERY] is not None:
        open_image(st.session_state[GALLERY])


def open_image(index: int | None) -> None:
    """Callback: open this image, or with None close the one that is open."""
    st.session_state["image"] = index


def clicked_cell() -> tuple[int, str] | None:
    """The row and column of the matrix that was clicked on."""
    cells = st.session_state[MATRIX].selection.cells
    return cells[0] if cells else None


def clicked_run() -> int | None:
    """The row of the run that was clicked on."""
    shelf = st.session_state.get(SHELF)
    rows = shelf.selection.rows if shelf is not None else []
    return rows[0] if rows else None


def keep_plan(question: Hashable, plan: object) -> None:
    """Remember the answer to the last question of what sampling would take; other questions have none."""
    st.session_state[PLAN] = (question, plan)


def plan(question: Hashable) -> Any:
    """The answer to this question, None unless it was the last one."""
    asked, found = st.session_state.get(PLAN, (None, None))
    return found if asked == question else None


def image() -> int | None:
    """The image that is open, by its position in the split; None if none is."""
    return st.number_input(
        "Image",
        min_value=0,
        value=None,
        step=1,
        key="image",
        bind=URL,
        placeholder="index",
        width=140,
        label_visibility="collapsed",
    )
