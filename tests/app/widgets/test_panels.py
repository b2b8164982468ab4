from __future__ import annotations

import math
from dataclasses import replace

from app.settings import Choice
from app.widgets import panels
from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import (
    IMAGES,
    captions,
)


def test_every_tile_has_its_interval_and_the_number_of_images(open_page):
    for metric in open_page().metric:
        low, high = (float(end) for end in metric.delta.split("–"))
        assert low <= float(metric.value.removesuffix(" %")) <= high
        assert metric.proto.delta_description == "n 40"


def test_different_images_wear_a_badge(open_page, demo):
    run = synthetic.smoothed(1.0, IMAGES // 2)
    label = synthetic.labels(IMAGES)[: IMAGES // 2]
    write_run(replace(run, label=label), demo / "fashion_mnist-gaussian-1.0.npz")
    assert "rest on different images" in captions(open_page())


def test_a_number_that_is_none_is_missing():
    assert (panels.number(math.nan, ".1f"), panels.number(0.25, "+.1f")) == ("missing", "+0.2")


def test_runs_of_one_seed_share_their_noise_and_others_do_not():
    def choice(seed):
        run = synthetic.smoothed(0.25, IMAGES).meta
        return Choice("gaussian", "0.25", replace(run, seed=seed), synthetic.core(IMAGES).meta)

    assert "seed 3, under the same noise" in panels.same_noise([choice(3), choice(3)])
    assert panels.same_noise([choice(3), choice(4)]) == panels.same_noise([choice(None), choice(None)]) == ""
