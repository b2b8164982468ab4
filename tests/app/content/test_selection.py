from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.records.compose import compose
from engine.records.runs import write_run
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import IMAGES, IMAGES_PAGE, SELECTION, captions, said, specs, tiles


def test_a_selection_networks_scores_are_nowhere_called_entropies(open_page, demo):
    own = synthetic.selection(0.25, IMAGES)
    write_run(own, demo / "own.npz")
    for page, query in ((IMAGES_PAGE, {"image": "40"}), (SELECTION, {})):
        by_entropy, by_network = (
            said(open_page(page, sigma="0.25", select=name, **query)) for name in ("entropy", own.meta.name)
        )
        assert "entrop" in by_entropy.lower()
        assert "selection score" in by_network
        assert "entrop" not in by_network.lower()


def test_the_selection_page_states_each_area_with_its_interval(open_page):
    table = open_page(SELECTION).dataframe[0].value
    assert table["composition"].tolist() == ["σ 0.25", "σ 0.5", "σ 1"]
    assert ((table["low"] <= table["area"]) & (table["area"] <= table["high"])).all()


def test_a_selection_network_replaces_the_entropy(open_page, demo):
    run = synthetic.selection(0.25, IMAGES)
    write_run(run, demo / f"{run.meta.name}.npz")
    page = open_page(theta="0.3", select=run.meta.name)
    m = evaluate(compose(synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES), run), [0.3], bound="margin")
    assert tiles(page)["ACR"] == f"{m.acr[0]:.3f}"
    assert run.meta.name in captions(page)


def test_what_a_run_does_not_record_is_missing_and_not_0(open_page, demo):
    run = synthetic.smoothed(0.25, IMAGES)
    write_run(replace(run, entropy_median=np.full(IMAGES, np.nan, np.float32)), demo / f"{run.meta.name}.npz")
    table = open_page(IMAGES_PAGE, view="Table").dataframe[0]
    assert table.value["score"].isna().all()
    assert table.proto.placeholder == "missing"
    assert "This run records no scores" in specs(open_page(SELECTION))[0]
