"""Entry of the dashboard: `streamlit run app/main.py`.

The server imports this file once, for ``app``; every session runs it again and again, to draw its page.
"""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import guard, server

if get_script_run_ctx(suppress_warning=True) is None:
    programs = (guard.Guard, server.Uploads, server.Library, server.Changes)  # the first asked first
    app = st.App(__file__, lifespan=server.ready, middleware=[Middleware(program) for program in programs])
else:
    from app import dashboard

    dashboard.draw()
