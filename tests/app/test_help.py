"""Every control says what it is for."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Element

from app.pages import PAGES
from tests.app_pages import A_PIN

HIDDEN = {"pin", "pick"}  # texts of the address, which nobody sees
ASKED = {
    "images": {"image": "40", "view": "Gallery"},
    "certify": {"source": "Upload"},
    "compare": {"pin": A_PIN, "select": "entropy", "then": "gaussian · 0.5"},
}


def controls(page: AppTest) -> Iterator[tuple[str, str]]:
    """The label and the help of every widget of Streamlit's on the page and in its sidebar; tables have no label."""
    for part in (page.sidebar, page.main):
        for one in part:
            proto = getattr(one, "proto", None)
            if isinstance(one, Element) and getattr(proto, "id", "") and getattr(proto, "label", ""):
                yield proto.label, proto.help


def dials(page: AppTest) -> Iterator[tuple[str, str]]:
    said = [json.loads(one.proto.bytes) for one in page.get("bidi_component") if b'"stops"' in one.proto.bytes]
    yield from ((one["label"], one["about"]) for one in said)


@pytest.mark.parametrize("path", PAGES)
def test_every_control_of_a_page_and_of_the_sidebar_has_a_help_text(open_page, path):
    page = open_page(path, **{**ASKED.get(path, {}), "with_training": "gaussian"})
    assert not page.exception
    found = [*controls(page), *dials(page)]
    assert len(found) > 8
    assert not {label for label, about in found if not about.strip()} - HIDDEN
