from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.escape import JOINER
from engine.records.runs import read_run, write_run
from engine.tables import Format, render
from tests.app_pages import A_PIN, IMAGES, IMAGES_PAGE, specs


def test_cards_come_first_and_say_what_the_table_says(open_page):
    page = open_page(IMAGES_PAGE, theta="0.3")
    assert not page.dataframe
    cards = cards_of(page)
    table = open_page(IMAGES_PAGE, theta="0.3", view="Table").dataframe[0].value
    assert 0 < len(cards) < IMAGES  # a page of them
    for card, row in zip(cards, table.itertuples(), strict=False):
        assert f"![]({row.picture}) **{row.index}: {row.label}**" in card
        assert f"-badge[{row.outcome}]" in card
        assert (f" r {row.radius:.4f}" in card) == (row.outcome == "certified")


def test_with_something_pinned_both_answers_stand_beside_each_other(open_page):
    alone = open_page(IMAGES_PAGE, theta="0.3", sigma="0.5", view="Table").dataframe[0].value
    now = open_page(IMAGES_PAGE, theta="0.3", view="Table").dataframe[0].value
    both = open_page(IMAGES_PAGE, theta="0.3", view="Table", pin=A_PIN).dataframe[0].value
    assert "answer" not in both
    for name in ("answer", "answer is", "outcome", "radius"):
        assert both[f"A {name}"].tolist() == alone[name].tolist()
        assert both[f"B {name}"].tolist() == now[name].tolist()
    assert both["A radius"].tolist() != both["B radius"].tolist()
    assert all(card.count("-badge[") == 2 for card in cards_of(open_page(IMAGES_PAGE, theta="0.3", pin=A_PIN)))


def cards_of(page: AppTest) -> list[str]:
    gallery = next(group.proto for group in page.get("button_group") if group.proto.id.endswith("-gallery"))
    return [option.content for option in gallery.options]


def test_the_table_lists_certifys_answers_with_pictures(open_page):
    table = open_page(IMAGES_PAGE, theta="0.3", view="Table").dataframe[0].value
    assert len(table) == IMAGES
    assert table["index"].tolist() == list(range(0, 20 * IMAGES, 20))
    assert table["picture"].str.startswith("data:image/png;base64,").all()
    assert (table["radius"] > 0).equals(table["outcome"] == "certified")
    assert (table["answer is"] == "correct").equals(table["label"] == table["answer"])


def test_pictures_may_be_missing(open_page, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("ACES_DATA", str(tmp_path))  # a checkout may hold the dataset, whose pictures are not these
    (demo / "fashion_mnist_images.npz").unlink()
    page = open_page(IMAGES_PAGE, image="40")
    assert not page.error
    assert "picture" not in page.dataframe[0].value


def test_damaged_pictures_are_named_and_missed(open_page, demo):
    np.savez(demo / "fashion_mnist_images.npz", index=np.arange(3))
    page = open_page(IMAGES_PAGE, image="40")
    assert ["no readable image file" in error.value for error in page.error] == [True]
    assert len(specs(page)) == 4


def test_radius_and_entropy_filter_the_images(open_page):
    page = open_page(IMAGES_PAGE, theta="0.3", view="Table")
    page.slider(key="radii").set_value((0.2, 0.5)).run()
    page.slider(key="scores").set_value((0.0, 0.2)).run()
    table = page.dataframe[0].value
    assert 0 < len(table) < IMAGES
    assert table["radius"].between(0.1999, 0.5).all()
    assert table["score"].between(0, 0.2).all()


CLASSES = (
    "![x](http://127.0.0.1/l.png)", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", ":material/delete:",
    ":red[red]", "$\\sqrt{2}$", "**bold**", "`code`", "<b>b</b> 5%{x}", "=cmd|' /C calc'!A0",
)  # fmt: skip


@pytest.mark.parametrize("query", [{"image": "40"}, {}], ids=str)
def test_names_of_classes_are_letters_wherever_markdown_is_read(open_page, demo, query):
    for path in demo.glob("*.npz"):
        if path.name.endswith("_images.npz"):
            path.rename(demo / "own_images.npz")
        else:
            run = read_run(path)
            write_run(replace(run, meta=replace(run.meta, dataset="own", classes=CLASSES)), path)
    page = open_page(IMAGES_PAGE, theta="0.3", **query)
    assert not page.exception
    bodies = [one.value for kind in ("markdown", "caption", "header", "latex") for one in page.get(kind)]
    bodies += [] if query else cards_of(page)
    assert any(JOINER in body or "bold" in body for body in bodies)
    for name in CLASSES[:-1]:
        assert not [body for body in bodies if name in body], name
    assert not [spec for spec in specs(page) if "<img" in spec or "%{x}" in spec]


def test_classes_in_an_export_are_no_formulas():
    rows = [{"class": name, "images": 1} for name in CLASSES]
    cells = [line.rpartition(",")[0].strip('"') for line in render(rows, Format.CSV).splitlines()[1:]]
    assert cells[-1].startswith("'=")
    assert not [cell for cell in cells if cell[0] in "=+-@"]
