from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from app import data
from app.services.limits import Limits
from app.services.work import PLACES, Kind
from app.settings import Choice, Settings
from cache import Store
from engine.errors import AcesError
from engine.figures.headlines import best_point
from engine.figures.views import Axis
from engine.records.compose import compose
from engine.records.runs import write_run
from engine.statistics.aces import certify, predict
from engine.statistics.metrics import evaluate
from tests import synthetic
from tests.app_pages import (
    A_PIN,
    CERTIFIED,
    COMPARE,
    IMAGES,
    IMAGES_PAGE,
    SELECTION,
    captions,
    damage,
    write_photographs,
)


def test_pictures_that_do_not_ship_come_from_the_datasets_files(open_page, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_CACHE", str(tmp_path / "store"))
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    renamed = {}
    for run in (synthetic.smoothed(0.25, IMAGES), synthetic.core(IMAGES)):
        renamed[run.meta.kind] = replace(
            run, meta=replace(run.meta, name=f"photographs-{run.meta.kind}", dataset="cifar10")
        )
    with Store(tmp_path / "store") as store:
        for run in renamed.values():
            store.put(run)
    page = open_page(IMAGES_PAGE, dataset="cifar10", view="Table")
    assert "picture" not in page.dataframe[0].value
    write_photographs(tmp_path / "data" / "cifar10" / "test.parquet", renamed["core"])
    page = open_page(IMAGES_PAGE, dataset="cifar10", view="Table")
    assert page.dataframe[0].value["picture"].str.startswith("data:image/png").all()


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, "runs"])
def test_a_run_that_is_deleted_while_it_is_shown_leaves_a_page_of_the_others(path, open_page, demo):
    page = open_page(path, sigma="0.5", pin=A_PIN)
    (demo / "fashion_mnist-gaussian-0.5.npz").unlink()
    data.look_again()
    page.run()
    assert not page.exception
    assert page.select_slider(key="sigma").options == ["0.25", "1"]
    assert "pinned view of this address is not in this catalog" in captions(page)


def test_pictures_that_a_killed_process_did_not_take_are_said(monkeypatch):
    monkeypatch.setattr("app.data.processes.command", lambda *_: [shutil.which("sh") or "sh", "-c", "kill -9 $$"])
    data.take_pictures.clear()
    assert "signal 9" in data.take_pictures(data.RunKey("a", "b"))
    data.take_pictures.clear()


def test_the_pictures_of_one_run_are_taken_at_a_time_and_a_refusal_is_not_kept(monkeypatch):
    monkeypatch.setattr("app.data.processes.command", lambda *_: [shutil.which("true") or "true"])
    data.take_pictures.clear()
    with PLACES.held(Kind.PICTURES, "", Limits()), pytest.raises(AcesError, match="being taken already"):
        data.take_pictures(data.RunKey("a", "b"))
    assert data.take_pictures(data.RunKey("a", "b")) == ""
    data.take_pictures.clear()


def settings(**changes) -> Settings:
    certify, core = synthetic.smoothed(0.25, IMAGES).meta, synthetic.core(IMAGES).meta
    return replace(Settings(Choice("gaussian", "0.25", certify, core)), **changes)


def test_what_pages_show_is_what_the_engine_computes(demo):
    data.look_again()
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
    data.look_again()
    damage(demo, synthetic.certify_name(0.25))
    fronts, problems = data.fronts(settings(), Axis.ACR)
    assert fronts == []
    ((label, problem),) = problems.items()
    assert label == "σ 0.25"
    assert "row" in problem


def test_a_run_is_another_one_as_soon_as_its_content_is(demo):
    data.look_again()
    meta = synthetic.smoothed(0.25, IMAGES).meta
    before = data.fingerprint(meta)
    write_run(synthetic.smoothed(0.25, IMAGES - 1), demo / f"{meta.name}.npz")
    data.look_again()
    assert data.fingerprint(meta) != before
    assert len(data.composition(settings())) == IMAGES - 1


def test_a_dataset_that_is_not_known_has_numbers_for_classes_and_no_size(demo):
    meta = replace(synthetic.smoothed(0.25, IMAGES).meta, dataset="pets", num_classes=3)
    assert data.class_names(meta) == ("0", "1", "2")
    assert data.values_of(meta) is None
    assert data.values_of(replace(meta, dataset="cifar10")) == 3072


def test_a_best_point_is_computed_once_for_the_content_of_both_runs(demo, monkeypatch):
    made = []

    def counted(run, core):
        made.append((run.meta.name, core.meta.name))
        return best_point(run, core)

    monkeypatch.setattr("app.data.best_point", counted)
    data.look_again()
    metas = [meta for meta in data.listing().metas if meta.kind == "smoothed"]
    assert data.best_points(metas, 0.0).keys() <= {meta.name for meta in metas}
    first = data.best_points(metas, 60.0)
    made.clear()
    assert data.best_points(metas, 0.0) == first
    write_run(synthetic.core(IMAGES, "weaker", 0.1), demo / "weaker.npz")
    data.look_again()
    assert data.best_points(metas, 60.0) == first
    assert made == []
    write_run(synthetic.core(IMAGES, "stronger", 1.0), demo / "stronger.npz")
    data.look_again()
    found = data.best_points(metas, 60.0)
    assert {point.core for point in found.values() if point is not None} == {"stronger"}
    assert sorted(made) == sorted((meta.name, "stronger") for meta in metas)


def test_a_hidden_core_network_makes_no_best_point(demo):
    data.note(["fashion_mnist-core"], hidden=True)
    metas = data.listing().metas
    cores = {point.core for point in data.best_points(metas, 60.0).values() if point is not None}
    assert "fashion_mnist-core" not in cores
