"""The share t of the votes by which the selection decides, on every page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import catalog, data
from app.settings import Choice, Settings
from engine.figures.views import Axis
from engine.records.compose import compose
from engine.statistics.aces import certify, predict
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import CERTIFIED, COMPARE, IMAGES, IMAGES_PAGE, SELECTION, captions, shown, specs, tiles, turn

C = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))


def test_the_tiles_are_the_engines_numbers_at_t(open_page):
    page = turn(open_page(theta="0.3"), "votes", 0.1).run()
    m = evaluate(C, [0.3], radii=(0.25,), t=0.1, bound="margin")
    assert tiles(page)["ACR"] == f"{m.acr[0]:.3f}"
    assert tiles(page)["NAC"] == f"{m.nac[0]:.1f} %"
    assert tiles(page)["Abstained"] == f"{m.outcomes[0, 0]:.1f} %"
    assert m.acr[0] > evaluate(C, [0.3], bound="margin").acr[0]


def test_everything_that_a_page_asks_for_is_at_its_t(demo):
    catalog.look_again()
    certify_run, core_run = synthetic.smoothed(0.25, IMAGES).meta, synthetic.core(IMAGES).meta
    view = Settings(Choice("gaussian", "0.25", certify_run, core_run), theta=0.3, t=0.1, bound=Bound.COMPLEMENT)
    answer = certify(C, [0.3], view.alpha, view.correction, t=0.1)
    assert data.answer(view).radius.tolist() == answer.radius.tolist()
    assert data.natural_predictions(view).tolist() == predict(C, [0.3], view.alpha, 0.1).prediction()[:, 0].tolist()
    (front,), _ = data.fronts(view, Axis.ACR)
    assert front.robustness.tolist() == evaluate(C, C.thetas, t=0.1).acr.tolist()
    assert data.answers(view).radius.max() <= data.answers(view).ceiling
    assert data.radius_curves(view).aces.tolist() != data.radius_curves(replace(view, t=0.5)).aces.tolist()
    for i in (0, 5, 11):
        e = data.explanation(view, int(C.index[i]))
        assert (e.radius, e.t) == (answer.radius[i, 0], 0.1)


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE])
def test_half_is_the_page_without_a_word_of_it(open_page, path):
    assert specs(open_page(path, votes="0.5")) == specs(open_page(path))
    assert "share t" not in captions(open_page(path))


def test_the_papers_convention_counts_by_a_majority_and_says_so(open_page):
    page = open_page(votes="0.2", convention="paper")
    assert "a majority: t is 0.5 while it is chosen" in captions(page)
    assert specs(page) == specs(open_page(convention="paper"))
    assert not page.error
    page.selectbox(key="convention").set_value("algorithm").run()
    assert shown(page, "votes") == 0.2
    assert "while it is chosen" not in captions(page)


def test_the_image_page_explains_with_t(open_page):
    page = open_page(IMAGES_PAGE, image="0", votes="0.1", theta="0.5")
    said = " ".join(element.value for element in page.get("latex"))
    assert r"0.9 \cdot" in said


def test_the_certify_page_asks_for_it(server, open_certify):
    page = open_certify(theta="0.42", votes="0.2")
    page.button(key="start").click().run()
    (asked,) = server.submitted
    assert asked.plan.t == 0.2
