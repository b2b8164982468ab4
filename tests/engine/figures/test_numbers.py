"""Without a dashboard figures have the numbers that the pages have, and of the right runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app import data
from cache.catalog import Catalog
from engine.errors import AcesError
from engine.figures.numbers import Numbers
from engine.figures.settings import Settings
from engine.figures.views import Axis
from engine.statistics import metrics
from engine.statistics.chains import Later
from tests import synthetic

THETAS = (0.1, 0.5)


@pytest.fixture
def numbers(demo) -> Numbers:
    return Numbers(Catalog())


@pytest.fixture
def view(numbers) -> Settings:
    runs = [meta.name for meta in Catalog().metas() if meta.kind == "smoothed"]
    choices = tuple(numbers.choice(run, synthetic.CORE) for run in runs)
    return Settings(choices[0], theta=0.4, drawn=choices)


def same(a, b) -> None:
    """Two dataclasses of arrays and numbers."""
    assert type(a) is type(b)
    for name, value in vars(a).items():
        np.testing.assert_array_equal(value, vars(b)[name], err_msg=name)


@pytest.mark.parametrize("measure", [*Axis])
@pytest.mark.parametrize("best_t", [False, True])
def test_fronts_are_those_of_the_page(numbers, view, measure, best_t):
    ours, theirs = (source.fronts(view, measure, best_t)[0] for source in (numbers, data))
    assert len(ours) == len(view.drawn) > 1
    for a, b in zip(ours, theirs, strict=True):
        if best_t:
            same(a.plain, b.plain)
        same(replace(a, plain=None), replace(b, plain=None))


def test_curves_histograms_and_radii_are_those_of_the_page(numbers, view):
    curves = numbers.radius_curves(view)
    same(curves, data.radius_curves(view))
    for ours, theirs in zip(numbers.fan(view, THETAS, curves.radii), data.fan(view, THETAS, curves.radii), strict=True):
        same(ours, theirs)
    histogram, page = numbers.entropy_histogram(view), data.entropy_histogram(view)
    np.testing.assert_array_equal(histogram.certifiable, page.certifiable)
    np.testing.assert_array_equal(histogram.other, page.other)
    np.testing.assert_array_equal(numbers.signed_radii(view, THETAS), data.signed_radii(view, THETAS))
    same(numbers.over_theta(view), data.over_theta(view))
    same(numbers.image_rows(view), data.image_rows(view))
    assert numbers.separation(view).area == data.separations(view, [view.choice])[0].area


def test_networks_alone_are_those_of_the_page(numbers, view):
    ours, theirs = numbers.networks_alone(view, (0.25,)), data.networks_alone(view, (0.25,))
    assert [meta.name for meta, _ in ours] == [meta.name for meta, _ in theirs]
    for (_, a), (_, b) in zip(ours, theirs, strict=True):
        same(a, b)


def test_steps_and_single_images_are_those_of_the_page(numbers, view):
    found, _ = data.steps_at(view, 60.0)
    assert [(one.step.key, one.acr) for one in numbers.steps_at(view, 60.0)] == [
        (key, one.acr) for key, one in found.items()
    ]
    index = int(numbers.composition(view).index[3])
    same(numbers.over_thetas_of(view, index), data.over_thetas_of(view, index))
    assert numbers.explanation(view, index).radius == data.explanation(view, index).radius


def test_a_chain_and_votes_are_composed_as_they_are_named(numbers, view):
    first, second = view.drawn[0].certify_run.name, view.drawn[1].certify_run.name
    chain = Settings(numbers.choice(first, synthetic.CORE, then=Later(second, 0.2, 0.4)))
    c = numbers.composition(chain)
    assert (c.stages, c.then[0].theta, c.then[0].t) == (2, 0.2, 0.4)
    votes = Settings(numbers.choice(first, synthetic.CORE, by_votes=True), theta=0.7)
    assert numbers.composition(votes).by_votes
    expected = metrics.evaluate(numbers.composition(votes), [0.7], **votes.terms.named)
    assert numbers.fronts(votes, Axis.ACR)[0][0].standing(0.7) == (expected.nac[0], expected.acr[0])


def test_what_is_no_run_is_refused_and_what_does_not_fit_is_named(numbers, view):
    with pytest.raises(AcesError, match="no core run"):
        numbers.choice(view.certify_run.name, "nothing")
