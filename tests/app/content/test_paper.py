from __future__ import annotations

import pytest

from app.content.paper import file_name, plain
from app.settings import Choice, Settings
from engine.figures.presets import PRESETS
from engine.records.meta import Meta
from tests.app_pages import PAPER, captions, damage
from tests.synthetic import certify_name


@pytest.mark.parametrize("preset", ["Figure 1", "Figure 4", "Figure 6"])
def test_a_preset_shows_its_figure_and_offers_it_as_svg_and_pdf(open_page, preset):
    page = open_page(PAPER, preset=preset)
    assert not page.error
    assert PRESETS[preset].shows in captions(page)
    assert [one.proto.label for one in page.get("download_button")][:2] == ["SVG", "PDF"]
    (image,) = page.get("image")
    assert image.value[0].startswith("data:image/svg+xml;base64,")


def test_the_address_chooses_a_preset(open_page):
    page = open_page(PAPER, preset="Figure 3")
    assert page.selectbox(key="preset").value == "Figure 3"
    page.selectbox(key="preset").set_value("Figure 7").run()
    assert PRESETS["Figure 7"].shows in captions(page)


def test_a_size_is_the_columns_until_another_is_asked_for(open_page):
    page = open_page(PAPER, preset="Figure 1")
    assert "3.25 × 2.6 in" in captions(page)
    page.segmented_control(key="width_Figure 1").set_value("text width").run()
    assert "6.75 × 2.6 in" in captions(page)


def test_no_radius_is_a_sentence(open_page):
    page = open_page(PAPER, preset="Figure 9")
    page.multiselect(key="radii_Figure 9").set_value([]).run()
    assert [error.value for error in page.error] == ["no radius is chosen: each is a panel of this figure"]


@pytest.mark.parametrize("table", ["Table 1", "Table 14"])
def test_a_table_is_shown_as_it_prints_and_offered_as_latex(open_page, table):
    page = open_page(PAPER, preset=table)
    assert not page.error
    assert [one.proto.label for one in page.get("download_button")][:2] == ["LaTeX", "CSV"]
    assert "\\multicolumn" in page.code[0].value
    assert "smoothed alone" in page.dataframe[0].value["θ"].to_list()
    page.multiselect(key=f"thresholds_{table}_θ").set_value([]).run()
    page.multiselect(key=f"alone_{table}").set_value([]).run()
    assert "the table has no row" in page.error[0].value


def test_a_damaged_run_is_a_sentence(open_page, demo):
    damage(demo, certify_name(0.25))
    assert open_page(PAPER).error


def test_a_files_name_says_what_it_is_and_fits_any_disk():
    run = Meta("smoothed", "n", "../CIFAR 10", 10, sigma=0.5, n0=1, n=1)
    settings = Settings(Choice("a/b\\c:*", "0.5", run, Meta("core", "core", "d", 10)))
    assert file_name("Figure 1", settings) == "figure-1-CIFAR-10-a-b-c-sigma0.5"
    assert (plain(".."), plain("名"), plain("a" * 99)) == ("run", "run", "a" * 40)
