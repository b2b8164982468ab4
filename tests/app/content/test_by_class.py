from __future__ import annotations

import json

from engine.records.compose import compose
from engine.statistics.by_class import by_class
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from tests import synthetic
from tests.app_pages import CERTIFIED, IMAGES, captions, specs

TITLES = {"Accuracy by class", "Who answers, by class", "Answers by class", "Certified radii", "Shares of the class"}


def titles(page) -> set[str]:
    return {
        json.loads(spec)["layout"]["title"]["text"].removeprefix("<b>").removesuffix("</b>") for spec in specs(page)
    }


def test_by_class_waits_until_it_is_asked_for(open_page):
    assert not titles(open_page(CERTIFIED)) & TITLES
    assert titles(open_page(CERTIFIED, by_class="true")) >= TITLES


def test_the_table_has_the_engines_numbers_with_images_and_intervals(open_page):
    page = open_page(CERTIFIED, by_class="true", theta="0.4", radius="0.1")
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    expected = by_class(c, 0.4, [0.1], 0.001, Correction.INTERSECTION_UNION, bound=Bound.MARGIN)
    table = next(frame.value for frame in page.dataframe if "certified r 0.1 %" in frame.value.columns)
    assert table["images"].tolist() == expected.images.tolist()
    assert table["NAC %"].tolist() == expected.natural.value.tolist()
    assert table["certified r 0.1 %"].tolist() == expected.certified.value[:, 0].tolist()
    assert table["NAC, 95 %"][0] == f"{expected.natural.low[0]:.1f} to {expected.natural.high[0]:.1f}"
    answers = next(frame.value for frame in page.dataframe if "none" in frame.value.columns)
    assert answers.iloc[:, 2:].sum().sum() == IMAGES
    assert "each for itself" in captions(page)


def test_a_chain_and_votes_have_classes_too(open_page):
    assert titles(open_page(CERTIFIED, by_class="true", select="votes")) >= TITLES
