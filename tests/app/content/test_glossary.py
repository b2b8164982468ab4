from __future__ import annotations

import pytest

from app.glossary import GLOSSARY


def symbols(page):
    return [one.value.strip("*") for one in page.main.markdown if one.value.startswith("**")]


def test_every_symbol_has_its_row_also_without_runs(open_page, tmp_path, monkeypatch):
    assert symbols(open_page("glossary")) == [entry.symbol for entry in GLOSSARY]
    monkeypatch.setenv("ACES_DEMO", str(tmp_path / "nothing"))
    assert len(symbols(open_page("glossary"))) == len(GLOSSARY)


@pytest.mark.parametrize(("word", "some"), [("bonferroni", True), ("  NAC ", True), ("no such word", False)])
def test_a_word_finds_the_rows_that_have_it(open_page, word, some):
    page = open_page("glossary")
    page.text_input(key="find").set_value(word).run()
    found = symbols(page)
    assert bool(found) == some
    assert len(found) < len(GLOSSARY)
    assert bool(page.main.info) != some
