"""The proofs that pages name: sections of docs/statistics.md, read when one is asked for. No Streamlit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = "docs/statistics.md"
CHECKOUT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\[([^\]]*)\]\((?!https?://)[^)]*\)")  # to another document, which no page serves


@dataclass(frozen=True)
class Proof:
    """A section of the document: its ``title``, with its number, and its ``text``, Markdown."""

    title: str
    text: str


def proof(section: str, checkout: Path = CHECKOUT) -> Proof | None:
    """The section of this number; None where there is no document, as in an installed package, or no such section."""
    try:
        text = (checkout / DOCUMENT).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    found = re.search(rf"^## ({re.escape(section)}\. [^\n]*)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return None if found is None else Proof(found[1], LINK.sub(r"\1", found[2]).strip())
