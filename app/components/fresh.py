"""Whether the runs are still those that a page shows: the browser asks (fresh.js), the server answers (server.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import streamlit as st

PATH = "aces/catalog"
_mount = st.components.v2.component(
    "aces_fresh", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"), isolate_styles=False
)


def watch(digest: str, on_change: Callable[[], None]) -> None:
    """Have the page drawn anew, after ``on_change``, once the catalog's digest is another than this one."""
    said = json.dumps({"path": PATH, "digest": digest}).encode()
    _mount(key="fresh", data=said, width="content", on_changed_change=on_change)
