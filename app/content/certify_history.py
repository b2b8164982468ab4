"""What a session has certified so far: a table with pictures, each result to open again, all files in one archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from functools import partial
from zlib import crc32

import streamlit as st

from app.services import pictures
from app.services.certify_queue import Server, View
from app.services.limits import PICTURES
from app.services.question import readable, slug
from engine.single_image.certificate import to_json
from engine.single_image.certificate_page import to_html
from engine.single_image.picture import to_png
from engine.statistics.bounds import round_down

MOST = PICTURES  # results that a session keeps
RADIUS = "radius"
JOBS, ROWS, STATE = "certified", "certified_rows", "state"


def remember(server: Server, session: str, *ids: str) -> None:
    """Keep jobs among this session's results; beyond ``MOST`` the oldest go."""
    kept = [*st.session_state.get(JOBS, ()), *ids]
    for old in kept[:-MOST]:
        server.release(session, old)
    st.session_state[JOBS] = kept[-MOST:]
    rows = st.session_state.get(ROWS, {})
    st.session_state[ROWS] = {id: rows[id] for id in kept[-MOST:] if id in rows}


def show(server: Server, session: str, parameter: str) -> None:
    """The results, newest first; a click on a row opens it by the address's ``parameter``."""
    found = [server.view(session, id) for id in reversed(st.session_state.get(JOBS, ()))]
    views = [view for view in found if view is not None and not view.state.active]
    if not views:
        return
    st.header("Certified in this session", anchor=False)
    rows = [row(view) for view in views]
    key = f"history-{crc32(repr([view.id for view in views]).encode()):x}"  # other rows: nothing is chosen
    st.dataframe(
        rows, hide_index=True, key=key, selection_mode="single-row", row_height=44,
        on_select=partial(open_row, [view.id for view in views], key, parameter), placeholder="—",
        alt="One row per picture: class, outcome, radius, draws and settings",
        column_config={"picture": st.column_config.ImageColumn(width=60)},
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if any(one[RADIUS] is not None for one in rows):
            st.download_button(
                "All certificates", partial(archive, views), "aces-certificates.zip", "application/zip",
                key="get_all", icon=":material/folder_zip:", on_click="ignore",
                help="Of every result: the certificate, the page for people and the exact tensor.",
            )  # fmt: skip
        st.caption(f"A click on a row opens it. The last {MOST} are kept until this session ends; nothing is stored.")


def open_row(ids: Sequence[str], key: str, parameter: str) -> None:
    """Callback: the address's ``parameter`` names the job whose row was clicked."""
    rows = st.session_state[key].selection.rows
    if rows and rows[0] < len(ids):
        st.query_params[parameter] = ids[rows[0]]


def row(view: View) -> dict[str, object]:
    """A job as a table shows it. Made once of a job that has ended, which does not change."""
    rows = st.session_state.setdefault(ROWS, {})
    if view.id not in rows or (not view.state.active and rows[view.id][STATE].active):
        rows[view.id] = {STATE: view.state, **_row(view)}
    known = {name: value for name, value in rows[view.id].items() if name != STATE}
    return known | ({"outcome": view.state.value, "draws": view.drawn} if view.state.active else {})


def _row(view: View) -> dict[str, object]:
    made, plan = view.certificate, view.task.plan
    return {
        "picture": pictures.small(to_png(view.task.tensor)),
        "name": readable(view.task.name),
        "class": None if made is None else made.answer,
        "outcome": view.state.value if made is None else str(made.outcome),
        RADIUS: None if made is None else f"{round_down(made.radius, 3):f}",
        "draws": view.drawn,
        "σ": plan.sigma,
        "threshold": f"{'p₀' if plan.by_votes else 'θ'} {plan.threshold:.3f}",
        "α": plan.alpha,
        "network": view.task.asked.certify.name,
        "said": view.message or view.said or None,
    }


def archive(views: Sequence[View]) -> bytes:
    """The files of all results: certificate, page and tensor, each under a number and its picture's name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for k, view in enumerate(views, 1):
            made = view.certificate
            if made is None:
                continue
            name = f"{k:02}-{slug(view.task.name)}"
            packed.writestr(f"{name}-certificate.json", to_json(made))
            packed.writestr(f"{name}-certificate.html", to_html(made, view.task.tensor))
            packed.writestr(f"{name}-tensor.png", to_png(view.task.tensor))
    return buffer.getvalue()
