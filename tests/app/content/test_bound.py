"""The bound of the certification network's class, on every page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app import catalog, data
from app.settings import Choice, Settings
from engine.figures.views import Axis
from engine.records.compose import compose
from engine.records.runs import write_run
from engine.statistics.aces import certify
from engine.statistics.corrections import Correction
from engine.statistics.margin import Bound
from engine.statistics.metrics import evaluate, standalone
from tests import synthetic
from tests.app_pages import A_PIN, CERTIFIED, COMPARE, IMAGES, IMAGES_PAGE, SELECTION, captions, shown, specs, tiles

RUN, CORE = synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)
C = compose(RUN, CORE)
FALLEN_BACK = "the log tells of the top class alone"


def of_a_log(demo, sigma):
    """Let the certification run of this noise be one that a log told of."""
    run = synthetic.smoothed(sigma, IMAGES)
    logged = replace(run, meta=replace(run.meta, extra={"source": "Cohen log"}))
    assert logged.meta.from_log
    write_run(logged, demo / f"{run.meta.name}.npz")


def acr(run=RUN, **options):
    return f"{evaluate(compose(run, CORE), [0.3], **options).acr[0]:.3f}"


@pytest.mark.parametrize("bound", Bound)
def test_the_tiles_are_the_engines_numbers_by_the_bound(open_page, bound):
    page = open_page(bound=bound, theta="0.3")
    assert tiles(page)["ACR"] == acr(bound=bound)
    assert (f"Class bounded by its {bound}" in captions(page)) == (bound != "margin")
    assert acr(bound="margin") != acr(bound="complement")


@pytest.mark.parametrize("bound", Bound)
def test_everything_that_a_page_asks_for_is_by_its_bound(demo, bound):
    catalog.look_again()
    view = Settings(Choice("gaussian", "0.25", RUN.meta, CORE.meta), theta=0.3, bound=bound)
    radius = certify(C, [0.3], bound=bound).radius
    assert data.answer(view).radius.tolist() == radius.tolist()
    for axis, column in ((Axis.ACR, "acr"), (Axis.CERTIFIED, "certified_accuracy")):
        (front,), _ = data.fronts(view, axis)
        expected = getattr(evaluate(C, C.thetas, radii=[0.25], bound=bound), column)
        assert front.robustness.tolist() == expected.ravel().tolist()
    alone = standalone(RUN, radii=[0.25], bound=bound)
    assert front.alone == (alone.nac, alone.certified_accuracy[0])
    assert data.alone(view, (0.25,)).acr == alone.acr
    assert data.answers(view).radius.max() <= data.answers(view).ceiling
    assert data.summary(view).acr.value == evaluate(C, [0.3], bound=bound).acr[0]
    assert data.over_theta(view).acr.tolist() == evaluate(C, C.thetas, bound=bound).acr.tolist()
    assert data.at_thetas(view, (0.3,), (0.25,)).acr[0] == data.summary(view).acr.value
    certifiable = (alone.correct & (alone.radius >= 0.25)).sum()
    assert data.entropy_histogram(view).certifiable.sum() == certifiable
    assert data.separations(view, [view.choice])[0].positives == certifiable


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE])
def test_the_margin_is_what_a_page_begins_with(open_page, path):
    assert specs(open_page(path, bound="margin")) == specs(open_page(path))
    assert not open_page(path, bound="complement").error


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE])
def test_a_run_of_a_log_has_the_complement_and_says_so(demo, open_page, path):
    of_a_log(demo, 0.25)
    page = open_page(path, theta="0.3")
    assert not page.error
    assert f"its class has the complement, no margin: {FALLEN_BACK}" in captions(page)
    assert f"Here it is the complement: {FALLEN_BACK}" in captions(page)
    assert FALLEN_BACK not in captions(open_page(path, bound="complement"))
    if path == "":
        assert tiles(page)["ACR"] == acr(bound="complement")


def test_each_front_and_what_is_pinned_fall_back_on_their_own(demo, open_page):
    of_a_log(demo, 0.5)
    catalog.look_again()
    page = open_page(noises="all", theta="0.3", pin=A_PIN)
    assert not page.error
    assert "compositions have the complement, no margin" in captions(page)
    assert f"the class of A has the complement, no margin: {FALLEN_BACK}" in captions(page)
    assert tiles(page)["ACR"] == acr(bound="margin")
    metas = {meta.name: meta for meta in catalog.listing().metas}
    choices = tuple(Choice("gaussian", s, metas[f"fashion_mnist-gaussian-{s}"], CORE.meta) for s in ("0.25", "0.5"))
    fronts, problems = data.fronts(Settings(choices[0], drawn=choices), Axis.ACR)
    assert problems == {}
    for front, sigma, bound in zip(fronts, (0.25, 0.5), ("margin", "complement"), strict=True):
        c = compose(synthetic.smoothed(sigma, IMAGES), CORE)
        assert front.robustness.tolist() == evaluate(c, c.thetas, bound=bound).acr.tolist()
    assert not open_page(COMPARE, pin=A_PIN).error


def test_the_papers_convention_has_the_complement_and_says_so(open_page):
    page = open_page(convention="paper")
    assert "knows no margin: the bound is the complement while it is chosen" in captions(page)
    assert specs(page) == specs(open_page(convention="paper", bound="complement"))
    assert not page.error
    page.selectbox(key="convention").set_value("algorithm").run()
    assert page.selectbox(key="bound").value == Bound.MARGIN
    assert "knows no margin" not in captions(page)


@pytest.mark.parametrize("path", ["", "certify"])
def test_one_click_sets_the_papers_terms(open_page, path):
    page = open_page(path, votes="0.2", theta="0.3")
    page.button(key="as_in_the_paper").click().run()
    assert shown(page, "votes") == 0.5
    assert page.selectbox(key="bound").value == Bound.COMPLEMENT
    assert page.selectbox(key="correction").value == Correction.BONFERRONI
    assert page.button(key="as_in_the_paper").disabled
    if path == "":
        assert tiles(page)["ACR"] == acr(correction=Correction.BONFERRONI)
