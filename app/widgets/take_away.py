"""What *Deploy* found, to take away: system.yaml, and the lines of Python that use it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app.escape import message
from app.services.limits import read_only
from engine.errors import AcesError
from engine.figures.deploy import deployed
from engine.figures.settings import Settings
from engine.single_image.system_file import MeasuredPoint, script, to_yaml

FILE = Path("system.yaml")


def show(settings: Settings, measured: MeasuredPoint) -> None:
    """An expander for the system of ``settings``, a view of the point that was chosen; a sentence where it has no
    networks at hand.
    """
    try:
        # Visitors of a server are told no path of it: they put the networks beside the file.
        found = deployed(settings, measured)
        text = to_yaml(found, FILE, beside=read_only())
    except AcesError as error:
        st.caption(f"Not to be taken away: {message(str(error))}")
        return
    with st.expander("Take it away: system.yaml, Python, a server", icon=":material/deployed_code:"):
        st.download_button(
            "Download system.yaml", text, FILE.name, "application/yaml", key="system_yaml", on_click="ignore",
            help="Networks by place and sha256, settings, both pairs of numbers above with their intervals, and the "
            "runs they are of. `inspect system.yaml` says it again.",
        )  # fmt: skip
        st.code(script(FILE, found.system), language="python")
        trust = " --trust" if found.system.pair.code else ""
        commands = f"aces certify pictures --system {FILE}{trust} --outcome -o results\naces serve {FILE}{trust}"
        st.code(commands, language="bash")
