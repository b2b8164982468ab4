"""Figures that follow the dials while these are turned: live.js, to which the packs are served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v1 import declare_component

from app.services import packs

HERE = Path(__file__)
FOLDER = "packs"
# Declared so that its folder is served, and never mounted.
declare_component(FOLDER, path=packs.FOLDER)
_mount = st.components.v2.component(
    "aces_live",
    js=HERE.with_name("model.js").read_text(encoding="utf-8") + HERE.with_suffix(".js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show(said: Mapping[str, Any]) -> None:
    """``said``: the ``compositions`` on the page, null for one that cannot be followed, by their packs' names; which is
    ``current``; the ``levels`` alpha that there are packs for; and which ``tiles`` follow.
    """
    _mount(key="live", data=json.dumps({"folder": f"{__name__}.{FOLDER}", **said}).encode(), width="content")
