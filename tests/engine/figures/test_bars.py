from __future__ import annotations

import json
import zlib

import pytest

from engine.figures import bars
from engine.statistics import steps
from engine.statistics.steps import Measured
from tests import synthetic


@pytest.fixture(scope="module")
def found() -> list[Measured]:
    what = steps.ways(synthetic.smoothed(0.25, 40), synthetic.core(40))
    keys = (steps.PAPER, steps.UNION, steps.MARGIN, steps.VOTES)
    return [steps.measure(what, steps.STEPS[key], [10.0], 0.25)[0] for key in keys]


def test_every_step_has_one_bar_of_its_kind(found):
    made = bars.bars(found)
    kinds = {name: kind for kind, bar in made.items() for name in bar["x"]}
    assert sorted(kinds) == sorted(bars.names(found))
    by_key = {m.step.key: m for m in found}
    for m in found:
        before = by_key.get(m.step.before or "")
        over = 0.0 if before is None else m.over(before).value
        expected = bars.FIRST if before is None else bars.GAINED if over >= 0 else bars.LOST
        assert kinds[m.step.name] == expected


def test_whiskers_are_the_interval_of_what_is_gained(found):
    bar = bars.bars(found)[bars.GAINED]
    at = bar["x"].index("intersection-union")
    gain = found[1].over(found[0])
    ends = bar["y"][at] - bar["low"][at], bar["y"][at] + bar["high"][at]
    assert ends == pytest.approx((gain.low, gain.high))
    assert f"[{gain.low:+.4f}, {gain.high:+.4f}] over {found[0].step.name}" in bar["text"][at]


def test_the_browser_gets_what_the_figure_shows(found):
    read = json.loads(zlib.decompress(bars.packed(found)))
    assert read == {"names": bars.names(found), "bars": bars.bars(found)}
