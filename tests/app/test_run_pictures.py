"""Pictures that do not ship come from the dataset, taken once, by another process."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from app import catalog, run_pictures
from app.services.limits import Limits
from app.services.work import PLACES, Kind
from cache import Store
from engine.errors import AcesError
from tests import synthetic
from tests.app_pages import (
    IMAGES,
    IMAGES_PAGE,
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


def test_pictures_that_a_killed_process_did_not_take_are_said(monkeypatch):
    monkeypatch.setattr(
        "app.run_pictures.processes.command", lambda *_: [shutil.which("sh") or "sh", "-c", "kill -9 $$"]
    )
    run_pictures.take_pictures.clear()
    assert "signal 9" in run_pictures.take_pictures(catalog.RunKey("a", "b"))
    run_pictures.take_pictures.clear()


def test_the_pictures_of_one_run_are_taken_at_a_time_and_a_refusal_is_not_kept(monkeypatch):
    monkeypatch.setattr("app.run_pictures.processes.command", lambda *_: [shutil.which("true") or "true"])
    run_pictures.take_pictures.clear()
    with PLACES.held(Kind.PICTURES, "", Limits()), pytest.raises(AcesError, match="being taken already"):
        run_pictures.take_pictures(catalog.RunKey("a", "b"))
    assert run_pictures.take_pictures(catalog.RunKey("a", "b")) == ""
    run_pictures.take_pictures.clear()
