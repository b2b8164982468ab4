from __future__ import annotations

import pytest

from tests.app_pages import IMAGES, IMAGES_PAGE, captions


@pytest.mark.parametrize(
    ("query", "column", "allowed"),
    [
        ({"outcome": "certified"}, "outcome", {"certified"}),
        ({"answer": "wrong"}, "answer is", {"wrong"}),
        ({"answer": "correct"}, "answer is", {"correct"}),
        ({"answer": "right"}, "answer is", {"correct"}),  # as addresses said before
        ({"class": "bag"}, "label", {"bag"}),
        ({"pick": "20.60"}, "index", {20, 60}),
    ],
)
def test_filters_stand_in_the_url_and_shorten_the_table(open_page, query, column, allowed):
    page = open_page(IMAGES_PAGE, theta="0.3", view="Table", **query)
    table = page.dataframe[0].value
    assert 0 < len(table) < IMAGES
    assert set(table[column]) == allowed
    assert f"{len(table)} of 40 images pass the filters" in captions(page)


def test_filters_that_let_nothing_through_say_so(open_page):
    page = open_page(IMAGES_PAGE, theta="0", outcome="certified")
    assert not page.dataframe
    assert "No image passes" in page.info[0].value
