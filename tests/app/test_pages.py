"""The pages, driven without a browser, on small synthetic runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from app.pages import PAGES
from cache.store import Store
from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import (
    A_PIN,
    CERTIFIED,
    COMPARE,
    IMAGES,
    IMAGES_PAGE,
    PAPER,
    SELECTION,
    core_of_other_images_alone,
    said,
    specs,
    turn,
)
from tests.conftest import MAIN

MOVES = {
    "theta": lambda page: turn(page, "theta", 0.123),
    "sigma": lambda page: page.select_slider(key="sigma").set_value("1"),
    "votes": lambda page: turn(page, "votes", 0.2),
    "radius": lambda page: turn(page, "radius", 0.4),
    "alpha": lambda page: turn(page, "alpha", 0.1),
    "correction": lambda page: page.selectbox(key="correction").set_value("simultaneous"),
    "core": lambda page: page.selectbox(key="core").set_value(synthetic.OTHER_CORE),
}
# Which of a page's figures, by their order on it, each control redraws.
REDRAWN = {
    "": {"theta": {0, 1}, "votes": {0, 1}, "sigma": {0, 1}, "radius": {1}, "alpha": {0, 1}, "core": {0, 1}},
    CERTIFIED: {key: {0, 1} for key in ("theta", "votes", "sigma", "radius", "alpha", "correction")},
    SELECTION: {
        **{key: {0, 1, 2} for key in ("theta", "sigma")},
        "votes": {1, 2},
        "radius": {0, 2},
        "alpha": {1},
        "correction": {1},
    },
    IMAGES_PAGE: {key: {0} for key in ("theta", "votes", "sigma", "alpha")},
}


@pytest.mark.parametrize(("path", "control"), [(path, control) for path in REDRAWN for control in REDRAWN[path]])
def test_a_control_redraws_the_figures_that_depend_on_it_and_no_other(open_page, path, control):
    page = open_page(path, theta="0.3")
    before = specs(page)
    MOVES[control](page).run()
    changed = {i for i, (old, new) in enumerate(zip(before, specs(page), strict=True)) if old != new}
    assert changed >= REDRAWN[path][control]
    if control == "radius":
        assert changed == REDRAWN[path][control]


@pytest.mark.parametrize("path", REDRAWN)
def test_an_untouched_page_sends_identical_figures(open_page, path):
    page = open_page(path, theta="0.3")
    before = specs(page)
    assert specs(page.run()) == before


def test_components_without_common_images_are_an_error_in_place(open_page, demo):
    core_of_other_images_alone(demo)
    page = open_page()
    assert page.error
    assert all("share no images" in error.value for error in page.error)
    assert len(specs(page)) == 1


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, PAPER])
def test_every_page_opens_on_an_empty_catalog(path, open_page, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    assert "python -m engine" in open_page(path).code[0].value


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, PAPER])
def test_runs_without_common_images_are_named_on_every_page(path, open_page, demo):
    core_of_other_images_alone(demo)
    page = open_page(path, pin=A_PIN)
    assert any("share no images" in error.value for error in page.error)


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, PAPER, "runs"])
def test_no_page_calls_a_missing_number_by_a_programmers_name(open_page, demo, path):
    run = synthetic.smoothed(0.25, IMAGES)
    write_run(replace(run, entropy_median=np.full(IMAGES, np.nan, np.float32)), demo / f"{run.meta.name}.npz")
    query = {"sigma": "0.25", "radius": "3.9", "pin": A_PIN} | ({"image": "40"} if path == IMAGES_PAGE else {})
    text = said(open_page(path, **query))
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r"\"(bdata|uid)\": \"[^\"]*\"", "", text))


def test_looking_loads_no_torch(demo):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(MAIN)!r}, default_timeout=60).run(); "
        "assert len([1 for one in page.get('bidi_component') if one.proto.component_name == 'aces_figure']) == 2; "
        "print([name for name in ('torch', 'torchvision', 'statsmodels', 'scipy.stats') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(MAIN.parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.strip().replace("'", '"')) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_store_that_is_cut_in_half_is_a_sentence_beside_the_demo(open_page, tmp_path, path):
    with Store(tmp_path / "store") as store:
        for k in range(4):
            run = synthetic.core(IMAGES, f"core {k}", 0.9)
            store.put(run)
    database = tmp_path / "store" / "runs" / "cache.db"
    os.truncate(database, database.stat().st_size // 2)
    page = open_page(path)
    assert not page.exception
    assert "is damaged" in page.error[0].value
    assert "store repair" in page.error[0].value
    assert page.sidebar.selectbox  # the demo's networks
