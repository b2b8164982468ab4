"""What the browser does for the guide: it remembers that the introduction is hidden, and scrolls to a part of it."""

from __future__ import annotations

import json
from pathlib import Path

import streamlit as st

COOKIE, HIDDEN = "aces_intro", "hidden"
_mount = st.components.v2.component(
    "aces_reminder", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"), isolate_styles=False
)


def is_hidden() -> bool:
    """Whether this browser was told to hide the introduction."""
    return st.context.cookies.get(COOKIE) == HIDDEN


def remember(hidden: bool | None, scroll_to: str = "") -> None:
    """``hidden``: what the browser is to remember, None for what it does; ``scroll_to``: a CSS selector."""
    said = {"cookie": COOKIE, "hidden": hidden, "value": HIDDEN, "scroll": scroll_to}
    _mount(key="reminder", data=json.dumps(said).encode())
