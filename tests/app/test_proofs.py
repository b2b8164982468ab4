"""Every step's proof is found and shown; where the document is not, nothing breaks."""

from __future__ import annotations

import pytest

from app.proofs import DOCUMENT, proof
from engine.statistics.steps import STEPS


@pytest.mark.parametrize("section", sorted({step.section for step in STEPS.values()}))
def test_every_step_has_a_proof_that_ends(section):
    found = proof(section)
    assert found is not None
    assert found.title.startswith(f"{section}. ")
    assert "∎" in found.text or "outside of both every branch is right" in found.text
    assert "\n## " not in f"\n{found.text}"
    assert "](" not in found.text


@pytest.mark.parametrize("section", ["", "99", "1.", ".*", "References"])
def test_no_such_section_is_none(section):
    assert proof(section) is None


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"## 6. Cut"])
def test_a_document_that_is_missing_or_damaged_is_none(content, tmp_path):
    if content is not None:
        (tmp_path / "docs").mkdir()
        (tmp_path / DOCUMENT).write_bytes(content)
    assert proof("6", tmp_path) is None


def test_the_last_section_goes_to_the_end_and_links_to_documents_are_plain(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / DOCUMENT).write_text("## 6. A\nsee [b](b.md), [c](https://c.invalid)\n", encoding="utf-8")
    found = proof("6", tmp_path)
    assert found is not None
    assert (found.title, found.text) == ("6. A", "see b, [c](https://c.invalid)")
