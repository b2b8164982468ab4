"""The filters of the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app import state
from app.keys import URL
from app.settings import RADIUS_STEP
from engine.arrays import Array
from engine.figures.views import ImageRows
from engine.statistics.aces import Outcome

CORRECT_OR_WRONG = ("correct", "wrong", "abstained")


@dataclass(frozen=True)
class Filters:
    """Which images to list; an empty choice lets everything through. ``verdicts`` are of ``CORRECT_OR_WRONG``.

    ``radius`` and ``score``: least and largest value; images without a score pass only the full range.
    """

    outcomes: tuple[Outcome, ...]
    classes: tuple[int, ...]
    verdicts: tuple[str, ...]
    radius: tuple[float, float]
    score: tuple[float, float]
    picked: tuple[int, ...]
    largest: float  # to which radii reach

    @property
    def stay(self) -> bool:
        """Whether the same images pass whatever they are answered."""
        return not self.outcomes and not self.verdicts and self.radius == (0.0, self.largest)

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


def filters(names: Sequence[str], largest: float) -> Filters:
    """The filters of the images, in rows; ``largest`` ends the slider of radii."""
    with st.expander("Filters", icon=":material/filter_list:"):
        return _drawn(names, largest)


def _drawn(names: Sequence[str], largest: float) -> Filters:
    outcome, verdict, of_class = st.columns([3, 2, 2])
    outcomes = outcome.pills(
        "Outcome",
        [kind.label for kind in Outcome],
        selection_mode="multi",
        key="outcome",
        bind=URL,
        help="certified: answered with a radius; core: by the core network; consensus: both agree; abstain: no answer.",
    )
    verdicts = verdict.pills(
        "Verdict",
        CORRECT_OR_WRONG,
        selection_mode="multi",
        key="answer",
        bind=URL,
        help="Whether the answer is the label.",
    )
    classes = of_class.multiselect("Class", names, key="class", bind=URL, placeholder="all classes", help="The label.")
    of_radius, of_score = st.columns(2)
    radius = of_radius.slider(
        "Certified radius",
        0.0,
        largest,
        (0.0, largest),
        RADIUS_STEP,
        key="radii",
        bind=URL,
        help="Images whose certified radius lies in this range; 0 is without a certificate.",
    )
    score = of_score.slider(
        "Median score",
        0.0,
        1.0,
        (0.0, 1.0),
        0.01,
        key="scores",
        bind=URL,
        help="Images for which the median of what selects, over the draws, lies in this range.",
    )
    return Filters(
        tuple(kind for kind in Outcome if kind.label in outcomes),
        tuple(k for k, name in enumerate(names) if name in classes),
        tuple(verdicts),
        radius,
        score,
        state.picked(),
        largest,
    )
