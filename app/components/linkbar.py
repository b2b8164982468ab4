"""Reset and Copy link, at the head of the sidebar (linkbar.js)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from app.links import run_texts, texts

_mount = st.components.v2.component(
    "aces_links", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"), isolate_styles=False
)


def show(defaults: Mapping[str, object], digests: Mapping[str, str], put: Mapping[str, object]) -> None:
    """``defaults``: by control, what the view shows where the address says nothing; ``digests`` of its runs by name.

    ``put``: what those controls show that a click has set. Their way into the address is lost where a run of the
    script is cut short, so it is seen to here.
    """
    controls, clicked = ({key: texts(value) for key, value in of.items()} for of in (defaults, put))
    said = {"controls": controls, "runs": run_texts(digests), "put": clicked}
    _mount(key="links", data=json.dumps(said).encode(), width="content")
