from __future__ import annotations

from dataclasses import replace

from app import catalog, data
from app.settings import Choice, Settings
from engine.figures.views import Axis
from engine.records.compose import compose
from engine.statistics.aces import certify, predict
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import (
    IMAGES,
    damage,
)


def settings(**changes) -> Settings:
    certify, core = synthetic.smoothed(0.25, IMAGES).meta, synthetic.core(IMAGES).meta
    return replace(Settings(Choice("gaussian", "0.25", certify, core)), **changes)


def test_what_pages_show_is_what_the_engine_computes(demo):
    catalog.look_again()
    view = settings(theta=0.3)
    c = compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES))
    assert data.composition(view).class_counts.tolist() == c.class_counts.tolist()
    assert data.answer(view).radius.tolist() == certify(c, [0.3], **view.terms.named).radius.tolist()
    assert data.natural_predictions(view).tolist() == predict(c, [0.3], view.alpha).prediction()[:, 0].tolist()
    m = evaluate(c, c.thetas, radii=(view.radius,), **view.terms.named)
    assert data.over_theta(view).nac.tolist() == m.nac.tolist()
    (front,), problems = data.fronts(view, Axis.ACR)
    assert front.robustness.tolist() == m.acr.tolist()
    assert problems == {}


def test_a_front_that_cannot_be_drawn_is_a_problem_by_its_label(demo):
    catalog.look_again()
    damage(demo, synthetic.certify_name(0.25))
    fronts, problems = data.fronts(settings(), Axis.ACR)
    assert fronts == []
    ((label, problem),) = problems.items()
    assert label == "σ 0.25"
    assert "row" in problem


def test_a_dataset_that_is_not_known_has_numbers_for_classes_and_no_size(demo):
    meta = replace(synthetic.smoothed(0.25, IMAGES).meta, dataset="pets", num_classes=3)
    assert data.class_names(meta) == ("0", "1", "2")
    assert data.values_of(meta) is None
    assert data.values_of(replace(meta, dataset="cifar10")) == 3072
