"""Votes that a log tells, on pages: offered where its most votes are held, and the engine's numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.records.compose import compose
from engine.records.runs import SmoothedRun, write_run
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import CERTIFIED, COMPARE, IMAGES, IMAGES_PAGE, SELECTION, captions, tiles

SHARED = "A log keeps no votes that guess, so to answer and to hand on share α"


def of_a_log(demo, *, most: bool) -> SmoothedRun:
    """The certification run of σ 0.25 as a log's, imported now or by an earlier version."""
    run = synthetic.smoothed(0.25, IMAGES)
    fewest = run.class_counts[np.arange(IMAGES), run.class_counts0.argmax(1)]
    extra = {"source": "Cohen log", **({"most_votes": True} if most else {})}
    logged = replace(
        run, meta=replace(run.meta, extra=extra), class_count_high=np.minimum(fewest + 9, run.meta.n) if most else None
    )
    write_run(logged, demo / f"{run.meta.name}.npz")
    return logged


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE])
def test_votes_of_a_log_select_on_every_page(demo, open_page, path):
    run = of_a_log(demo, most=True)
    page = open_page(path, select="votes", sigma="0.25", p0="0.7")
    assert not page.error
    assert not page.exception
    assert page.selectbox(key="select").value == "votes"
    assert (SHARED in captions(page)) == (path != COMPARE)  # which tells of no one composition what it rests on
    if path == "":
        m = evaluate(compose(run, synthetic.core(IMAGES), by_votes=True), [0.7])
        assert tiles(page)["ACR"] == f"{m.acr[0]:.3f}"
        counted = evaluate(compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES), by_votes=True), [0.7])
        assert m.acr[0] < counted.acr[0]


def test_a_log_that_was_imported_before_is_not_offered_for_its_votes(demo, open_page):
    of_a_log(demo, most=False)
    page = open_page(select="votes", sigma="0.25")
    assert not page.error
    assert "votes" not in [box.value for box in page.selectbox if box.key == "select"]
    assert SHARED not in captions(page)


def test_votes_of_a_log_select_in_a_second_stage(demo, open_page):
    of_a_log(demo, most=True)
    page = open_page(sigma="0.5", then="gaussian · 0.25")
    assert "votes" in page.selectbox(key="select2").options
    assert SHARED not in captions(page)
    page.selectbox(key="select2").set_value("votes").run()
    assert not page.error
    assert SHARED in captions(page)
