"""Files dropped onto the Runs page: what to take them for, the button that stores them, and what came of each."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app import catalog
from app.escape import markdown, message
from app.services.bring import FILES, Brought, bring
from app.services.limits import Limits
from app.widgets.notices import errors_in_place
from engine.datasets import DATASETS

BROUGHT = "brought"
ROUND = "bring_round"  # a new uploader after each import: an empty one


def show() -> None:
    """The place where files are dropped, unless this server is read-only, which its caller asks."""
    with errors_in_place():
        limits = Limits.from_environment()
        with st.expander("Bring in files", icon=":material/upload_file:", expanded=bool(st.session_state.get(BROUGHT))):
            _form(limits)
            for one in st.session_state.get(BROUGHT, ()):
                _said(one)


def _form(limits: Limits) -> None:
    key = f"bring-{st.session_state.get(ROUND, 0)}"
    files = st.file_uploader(
        "Run files, logs, class counts", key=key, accept_multiple_files=True,
        max_upload_size=limits.upload_mb,
        help=f"Up to {FILES}: `.npz` run files, logs in the form of Cohen et al., and class counts. They are read in "
        "this server's memory, and checked as `python -m engine import` checks them.",
    )  # fmt: skip
    left, middle, right = st.columns([3, 2, 2], vertical_alignment="bottom")
    left.selectbox(
        "Dataset of logs", list(DATASETS), index=None, key="bring_dataset", placeholder="as their names say",
        format_func=lambda name: DATASETS[name].title, help="Of logs whose file names do not say it.",
    )  # fmt: skip
    middle.number_input(
        "σ of logs", 0.0, None, None, 0.05, key="bring_sigma", placeholder="as their names say", format="%g",
        help="Noise, where a pixel runs from 0 to 1, of logs whose file names do not say it.",
    )  # fmt: skip
    right.button(
        "Import", key="bring_in", on_click=_bring, args=(key, limits.upload_mb),
        disabled=not files, width="stretch", help="Checks the files and stores their runs; none is replaced.",
    )  # fmt: skip


def _bring(key: str, most_mb: int) -> None:
    said = st.session_state
    files: list[UploadedFile] = said.get(key) or []
    contents = [(file.name, file.getvalue()) for file in files]
    said[BROUGHT] = bring(contents, most_mb, dataset=said.get("bring_dataset"), sigma=said.get("bring_sigma") or None)
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1
    catalog.look_again()


def _said(one: Brought) -> None:
    if one.run is None:
        st.error(f"{markdown(one.file)}: {message(one.said)}", icon=":material/error:")
    else:
        st.markdown(f":material/check: {markdown(one.file)}: **{markdown(one.run)}**, {markdown(one.said)}")
