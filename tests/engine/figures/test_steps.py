from __future__ import annotations

from itertools import pairwise

from engine.figures import LIGHT, waterfall
from engine.statistics import steps
from tests import synthetic


def test_a_bar_a_step_that_begins_where_the_one_before_ends():
    what = steps.ways(synthetic.smoothed(0.25, 40), synthetic.core(40))
    keys = (steps.PAPER, steps.UNION, steps.MARGIN)
    found = [steps.measure(what, steps.STEPS[key], [10.0], 0.25)[0] for key in keys]
    figure = waterfall(found, 10.0, LIGHT)
    figure.finish()
    assert [part.get("kind") for part in figure.live] == ["the first step", "gained", "lost", None]
    bars = {x: (base, y) for t in figure.traces for x, base, y in zip(t["x"], t["base"], t["y"], strict=True)}
    assert list(figure.layout["xaxis"]["categoryarray"]) == [m.step.name for m in found]
    for before, m in pairwise(found):
        base, size = bars[m.step.name]
        assert abs(base - before.acr.value) < 1e-12
        assert abs(base + size - m.acr.value) < 1e-9
