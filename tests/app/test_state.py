from __future__ import annotations

import pytest

from tests import synthetic
from tests.app_pages import A_PIN, IMAGES, IMAGES_PAGE, captions, shown, specs, tiles


def test_every_control_is_read_from_the_url(open_page):
    page = open_page(
        theta="0.42", sigma="0.5", alpha="0.01", radius="0.5", correction="bonferroni", core=synthetic.OTHER_CORE,
        votes="0.2",
    )  # fmt: skip
    said = captions(page)
    assert (shown(page, "theta"), shown(page, "votes")) == (0.42, 0.2)
    assert "Selected by a share t = 0.2 of the votes" in said
    assert "a t fixed in advance" in said
    assert "Certified, r 0.5" in tiles(page)
    for fact in ("σ 0.5", "α 0.01, bonferroni", f"fashion_mnist-gaussian-0.5 with {synthetic.OTHER_CORE}"):
        assert fact in said


def test_a_mangled_url_falls_back_to_the_defaults(open_page):
    mangled = open_page(
        theta="9", votes="0", sigma="x", alpha="2", radius="-1", correction="no", core="?", dataset="", image="x"
    )
    assert specs(mangled) == specs(open_page())
    assert not mangled.error
    assert "at its default: dataset, sigma, core, theta, votes, alpha, radius, correction" in captions(mangled)
    assert "Not understood" not in captions(mangled.run())


@pytest.mark.parametrize("value", ["inf", "-inf", "1e400", "nan", "-1", 5000 * "9", "²"])
@pytest.mark.parametrize(("path", "control"), [(IMAGES_PAGE, "image"), (IMAGES_PAGE, "pick"), ("runs", "draws")])
def test_a_number_that_is_none_leaves_its_control_as_it_was(open_page, path, control, value):
    page = open_page(path, view="Table", **{control: value})
    assert not page.error
    assert page.session_state[control] in (None, "", value)
    if path == IMAGES_PAGE:
        assert len(page.dataframe[0].value) == IMAGES


def test_an_address_that_is_understood_needs_no_word(open_page):
    page = open_page(
        theta="0.42", sigma="0.5", alpha="0.03", correction="bonferroni", core=synthetic.OTHER_CORE,
        with_core=synthetic.CORE, pin=A_PIN, noises="all",
    )  # fmt: skip
    assert "Not understood" not in captions(page)
    assert "pinned view" not in captions(page)


def test_a_pin_that_is_not_there_is_said(open_page):
    assert "pinned view of this address is not in this catalog" in captions(open_page(pin="nobody~0.5~x~entropy~0.3"))
