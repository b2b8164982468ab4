from __future__ import annotations

from dataclasses import replace

import pytest

from engine.records.runs import write_run
from tests import random_runs, synthetic
from tests.app_pages import (
    IMAGES,
    captions,
    specs,
)


def test_an_empty_catalog_names_the_commands_that_fill_it(open_app, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    page = open_app()
    assert "python -m engine precompute" in page.code[0].value
    assert not specs(page)


def test_a_file_that_is_no_run_is_named_and_the_rest_lives_on(open_page, demo):
    (demo / "fashion_mnist-gaussian-1.0.npz").write_bytes(b"no npz")
    page = open_page()
    assert "fashion_mnist-gaussian-1.0.npz" in page.error[0].value
    assert len(specs(page)) == 2


def test_another_noise_than_the_trainings_wears_a_badge(open_page, demo):
    write_run(synthetic.smoothed(0.5, IMAGES, sigma_train=0.25), demo / "fashion_mnist-gaussian-0.5.npz")
    assert "differs from the training noise 0.25" in captions(open_page(sigma="0.5 (net 0.25)"))
    assert "differs" not in captions(open_page())


def test_says_what_the_numbers_rest_on_and_what_they_do_not_promise(open_page):
    said = captions(open_page())
    for fact in (
        "40 images, one in 20 of fashion_mnist test",
        "100 draws per image",
        "10,000 others",
        "σ 0.25",
        "α 0.001",
    ):
        assert fact in said
    for caveat in ("ℓ2", "at least 1 − α per image and per θ fixed in advance", "carry no certificate", "from 0 to 1"):
        assert caveat in said


def test_a_run_whose_draws_differ_says_so_on_every_page(open_page, demo):
    """Thinned draws, as a budget gives them."""
    run = random_runs.uneven(synthetic.smoothed(0.25, IMAGES), ns=(300, 4000, 10_000))
    write_run(run, demo / "fashion_mnist-gaussian-0.25.npz")
    for page in ("tradeoff", "accuracy", "selection", "images", "compare", "bounds"):
        shown = open_page(page)
        assert not shown.exception
        assert not shown.error
        assert "300 to 10,000 others" in captions(shown) or page == "compare"


def test_a_run_that_was_decided_says_for_what(open_page, demo):
    run = random_runs.uneven(synthetic.smoothed(0.25, IMAGES), ns=(300, 4000, 10_000), parts=(18, 18, 2))
    write_run(run, demo / "fashion_mnist-gaussian-0.25.npz")
    shown = open_page()
    assert "decided, not measured, at r 0.25, θ" in captions(shown)
    assert not shown.exception


@pytest.mark.parametrize("told", [{"r": 7}, {"r": ["far", None]}, {}, {"theta": {"a": [1]}, "alpha": "<b>x</b>"}])
def test_what_another_program_says_it_decided_is_text(open_page, demo, told):
    run = random_runs.uneven(synthetic.smoothed(0.25, IMAGES), ns=(300, 4000, 10_000), parts=(18, 18, 2))
    write_run(replace(run, meta=replace(run.meta, decided=told)), demo / "fashion_mnist-gaussian-0.25.npz")
    shown = open_page()
    assert not shown.exception
    assert "decided, not measured, at r ?" in captions(shown)


def test_a_decided_run_beside_the_readers_is_not_taken_for_a_measured_one(open_page, demo):
    run = random_runs.uneven(synthetic.smoothed(0.5, IMAGES), ns=(300, 4000, 10_000), parts=(18, 18, 2))
    write_run(run, demo / "fashion_mnist-gaussian-0.5.npz")
    assert "of the other compositions drawn 1 was decided, not measured" in captions(open_page())
