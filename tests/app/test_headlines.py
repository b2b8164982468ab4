"""The numbers beside runs are computed once."""

from __future__ import annotations

from app import catalog, headlines
from engine.figures.headlines import best_point
from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import (
    IMAGES,
)


def test_a_best_point_is_computed_once_for_the_content_of_both_runs(demo, monkeypatch):
    made = []

    def counted(run, core):
        made.append((run.meta.name, core.meta.name))
        return best_point(run, core)

    monkeypatch.setattr("app.headlines.best_point", counted)
    catalog.look_again()
    metas = [meta for meta in catalog.listing().metas if meta.kind == "smoothed"]
    assert headlines.best_points(metas, 0.0).keys() <= {meta.name for meta in metas}
    first = headlines.best_points(metas, 60.0)
    made.clear()
    assert headlines.best_points(metas, 0.0) == first
    write_run(synthetic.core(IMAGES, "weaker", 0.1), demo / "weaker.npz")
    catalog.look_again()
    assert headlines.best_points(metas, 60.0) == first
    assert made == []
    write_run(synthetic.core(IMAGES, "stronger", 1.0), demo / "stronger.npz")
    catalog.look_again()
    found = headlines.best_points(metas, 60.0)
    assert {point.core for point in found.values() if point is not None} == {"stronger"}
    assert sorted(made) == sorted((meta.name, "stronger") for meta in metas)


def test_a_hidden_core_network_makes_no_best_point(demo):
    catalog.note(["fashion_mnist-core"], hidden=True)
    metas = catalog.listing().metas
    cores = {point.core for point in headlines.best_points(metas, 60.0).values() if point is not None}
    assert "fashion_mnist-core" not in cores
