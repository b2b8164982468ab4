"""The documents of the project that a page shows, read when one is asked for. No Streamlit."""

from __future__ import annotations

import re
from pathlib import Path

from app.proofs import CHECKOUT, LINK

DOCUMENTS = {
    "explorer": "what each figure shows",
    "glossary": "every symbol, and its control here",
    "statistics": "why every certificate holds, with proofs",
    "bounds": "what each step from the paper's certificate brings",
    "certify": "certifying pictures",
    "own": "a network and pictures of one's own, in ten minutes",
    "deploy": "a system as a file, in Python, over a folder, over HTTP",
    "hosting": "the dashboard for others: limits, proxies, a container",
    "trust": "what was tried and survived",
    "deposits": "runs and tables that strangers can check",
    "gallery": "every figure, and the command that draws it",
    "paper": "figures and tables for a paper",
    "demo": "the demo that ships",
    "zoo": "the networks that ship",
    "formats": "run files and imports",
    "models": "other people's networks",
    "datasets": "datasets",
    "training": "training networks",
    "performance": "how fast it is",
}
PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?://)[^)]*\)\n?")  # of a file that no page serves


def read(name: str, checkout: Path = CHECKOUT) -> str | None:
    """The document's Markdown, links to other files as plain words; None where it does not lie here."""
    if name not in DOCUMENTS:
        return None
    try:
        text = (checkout / "docs" / f"{name}.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return LINK.sub(r"\1", PICTURE.sub("", text))
