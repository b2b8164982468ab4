"""Figures that follow the dials while these are turned: live.js, to which the packs are served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app.components import files

HERE = Path(__file__)
_mount = st.components.v2.component(
    "aces_live",
    js=HERE.with_name("model.js").read_text(encoding="utf-8") + HERE.with_suffix(".js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show(said: Mapping[str, Any]) -> None:
    """``said``: the ``compositions`` on the page, null for one that cannot be followed, by their packs' names; which is
    ``current``; the ``levels`` alpha that there are packs for; which ``tiles`` follow; the ``image`` that is open; and
    of a waterfall the name of its packs, ``steps``, with the levels ``near`` that have some.
    """
    _mount(key="live", data=json.dumps({"folder": files.address("packs"), **said}).encode(), width="content")
