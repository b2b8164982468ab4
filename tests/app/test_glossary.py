from __future__ import annotations

from pathlib import Path

import pytest

from app.glossary import GLOSSARY, document
from app.pages import PAGES
from engine.statistics.corrections import Correction
from tests import ROOT

SYMBOLS = (
    "σ",
    "θ",
    "t",
    "α",
    "n",
    "n0",
    "p_A",
    "p₀",
    "R",
    "NAC",
    "ACR",
    "entropy",
    "selection",
    "core network",
    "margin",
)


def test_the_document_is_the_table():
    assert (ROOT / "docs/glossary.md").read_text(encoding="utf-8") == document()


def test_every_symbol_has_one_row_of_one_or_two_sentences():
    found = [entry.symbol for entry in GLOSSARY]
    assert len(found) == len(set(found))
    assert set(SYMBOLS) | {str(correction) for correction in Correction} <= set(found)
    assert all(entry.meaning.endswith(".") and "|" not in entry.meaning for entry in GLOSSARY)


@pytest.mark.parametrize("entry", GLOSSARY, ids=lambda entry: entry.symbol)
def test_a_row_names_a_page_and_a_section_that_are_there(entry):
    assert entry.page in PAGES
    text = Path(ROOT / entry.docs).read_text(encoding="utf-8")
    assert not entry.section or f"\n## {entry.section}. " in text


def test_the_columns_are_those_of_tables_and_files():
    sources = ("engine/tables.py", "app/widgets/downloads.py", "engine/figures/export.py", "docs/formats.md")
    told = "".join((ROOT / name).read_text(encoding="utf-8") for name in sources)
    named = {name for entry in GLOSSARY for name in entry.column.split(", ") if name}
    known = {name for name in named if f'"{name}"' in told or f"`{name}`" in told}
    assert named - known == {"cert_0.25", "select_0.25"}  # which have a radius in their names
    assert 'f"cert_{r}"' in told
    assert 'f"select_{r}"' in told
