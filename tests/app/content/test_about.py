from __future__ import annotations

import re

from app import documents
from engine import __version__


def test_says_version_licence_paper_and_demo(open_page):
    page = open_page("about")
    said = "\n".join(one.value for one in page.main.markdown)
    for fact in (__version__, "MIT License", "2204.00487", "Fashion-MNIST", "500 test images"):
        assert fact in said
    (bibtex,) = [one.value for one in page.main.code]
    assert bibtex.count("{") == bibtex.count("}")
    assert set(re.findall(r"^  (\w+) +=", bibtex, re.MULTILINE)) == {"title", "author", "journal", "year"}


def test_a_document_is_read_where_it_lies_and_missed_aloud(open_page, monkeypatch):
    page = open_page("about")
    page.selectbox(key="document").set_value("glossary").run()
    assert any(one.value.startswith("# Glossary") for one in page.main.markdown)
    monkeypatch.setattr(documents, "read", lambda name: None)
    page.run()
    assert "not among the files here" in page.main.info[0].value
