from __future__ import annotations

import pytest

from app.documents import DOCUMENTS, read
from tests import ROOT


def test_every_document_of_the_project_for_readers_is_offered():
    inside = {"coverage", "cluster", "index"}  # a table of measurements, a guide for clusters, the site's first page
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} - set(DOCUMENTS) <= inside


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_without_links_to_what_no_page_serves(name):
    text = read(name)
    assert text is not None
    assert text.startswith("# ")
    assert "](" not in text.replace("](http", "")


@pytest.mark.parametrize("name", ["", "nothing", "../README", "/etc/passwd"])
def test_only_documents_are_read(name):
    assert read(name) is None


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_document_that_is_missing_or_damaged_is_none(content, tmp_path):
    (tmp_path / "docs").mkdir()
    if content is not None:
        (tmp_path / "docs/explorer.md").write_bytes(content)
    assert read("explorer", tmp_path) is None
