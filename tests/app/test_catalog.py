"""What the catalog has is what is shown, also while it changes."""

from __future__ import annotations

import pytest

from app import catalog
from engine.records.runs import write_run
from tests import synthetic
from tests.app_pages import (
    A_PIN,
    CERTIFIED,
    COMPARE,
    IMAGES,
    IMAGES_PAGE,
    SELECTION,
    captions,
)


@pytest.mark.parametrize("path", ["", CERTIFIED, SELECTION, IMAGES_PAGE, COMPARE, "runs"])
def test_a_run_that_is_deleted_while_it_is_shown_leaves_a_page_of_the_others(path, open_page, demo):
    page = open_page(path, sigma="0.5", pin=A_PIN)
    (demo / "fashion_mnist-gaussian-0.5.npz").unlink()
    catalog.look_again()
    page.run()
    assert not page.exception
    assert page.select_slider(key="sigma").options == ["0.25", "1"]
    assert "pinned view of this address is not in this catalog" in captions(page)


def test_a_run_is_another_one_as_soon_as_its_content_is(demo):
    catalog.look_again()
    meta = synthetic.smoothed(0.25, IMAGES).meta
    before = catalog.fingerprint(meta)
    write_run(synthetic.smoothed(0.25, IMAGES - 1), demo / f"{meta.name}.npz")
    catalog.look_again()
    assert catalog.fingerprint(meta) != before
    assert len(catalog.load(catalog.run_key(meta)).index) == IMAGES - 1
