"""What tests do with a page that runs without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def turn(page: AppTest, dial: str, value: float, at: float = 1.0) -> AppTest:
    """Turn a dial as the browser does; ``at`` is when, which grows from one change to the next."""
    state = page.session_state[f"{dial}_dial"]
    state["chosen"] = {"value": value, "at": at, "heard": 0}
    return page
