from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.figures.headlines import BestPoint, Headline, best_point, headline, most_accurate
from engine.records.compose import compose
from engine.records.runs import CoreRun, SmoothedRun
from engine.statistics.metrics import evaluate, standalone
from tests import synthetic, toy


def test_a_certification_network_has_what_it_does_alone():
    run = synthetic.smoothed(0.25, 40)
    alone = standalone(run, 0.001, (), bound="margin")
    assert headline(run) == Headline(alone.nac, alone.acr)
    assert headline(run).acr > 0


def test_a_core_network_has_its_accuracy_and_no_radius():
    run = toy.core_run()
    right = sum(int(a == b) for a, b in zip(run.prediction, run.label, strict=True))
    assert headline(run) == (pytest.approx(100 * right / len(run.label)), None)


def expected(certify: SmoothedRun, core: CoreRun) -> BestPoint | None:
    """The definition, threshold by threshold."""
    alone = standalone(certify, 0.001, (), bound="margin").nac
    c = compose(certify, core)
    floor = (alone + 100 * np.mean(c.core == c.label)) / 2
    m = evaluate(c, c.thetas, alpha=0.001, radii=(), bound="margin")
    best = None
    for theta, nac, acr in zip(m.thetas.tolist(), m.nac.tolist(), m.acr.tolist(), strict=True):
        if nac >= floor - 1e-9 and (best is None or acr > best.acr):
            best = BestPoint(core.meta.name, theta, nac, acr)
    return best


@pytest.mark.parametrize("accuracy", [0.97, 0.5])
def test_the_best_point_is_the_largest_acr_from_halfway_on(accuracy):
    run, core = synthetic.smoothed(0.5, 60), synthetic.core(60, accuracy=accuracy)
    found, wanted = best_point(run, core), expected(run, core)
    assert found is not None
    assert wanted is not None
    assert found == pytest.approx(wanted)
    assert found.theta in run.thetas


def test_the_best_point_rests_on_the_images_that_both_know():
    run, core = synthetic.smoothed(0.5, 60), synthetic.core(60)
    fewer = replace(core, index=core.index[:30], label=core.label[:30], prediction=core.prediction[:30])
    half = {name: getattr(run, name)[:30] for name in ("index", "label", "class_counts0", "class_counts")}
    half |= {name: getattr(run, name)[:30] for name in ("select_counts0", "select_counts", "entropy_median")}
    assert best_point(run, fewer) == best_point(replace(run, **half), fewer)


def test_where_no_threshold_comes_halfway_there_is_no_best_point():
    run, core = synthetic.smoothed(0.5, 60), synthetic.core(60, accuracy=0.97)
    certified = {name: getattr(run, name)[:, -1:] for name in ("select_counts0", "select_counts")}
    assert best_point(replace(run, thetas=run.thetas[-1:], **certified), core) is None


def test_the_core_network_is_the_most_accurate_of_those_that_know_most_of_the_images():
    run = synthetic.smoothed(0.5, 40)
    weak, strong = synthetic.core(40, "weak", 0.6), synthetic.core(40, "strong", 0.95)
    few = replace(strong, prediction=strong.label.copy())
    few = replace(few, index=few.index[:3], label=few.label[:3], prediction=few.prediction[:3])
    foreign = replace(strong, meta=replace(strong.meta, dataset="cifar10"))
    relabelled = replace(strong, label=(strong.label + 1) % 10)
    assert most_accurate(run, [few, weak, foreign, relabelled, strong]) is strong
    assert most_accurate(run, [few, foreign]) is few
    assert most_accurate(run, [strong, replace(strong)]) is strong
    assert most_accurate(run, [foreign, relabelled]) is None
    assert most_accurate(run, []) is None
