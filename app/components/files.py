"""Folders whose files browsers ask for: a small build of plotly.js, the whole one for WebGL, and packs (live.py)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from streamlit.components.v1 import declare_component

from app.services import packs

_PACKAGE = find_spec("plotly")  # which takes half a second to import
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
# Without maps, 3d and WebGL, a third of the bytes; the name changes with the content, so that browsers may keep it.
LIBRARY = Path(__file__).with_name("plotly") / "plotly-cartesian-4.1.1.min.js"
WHOLE = Path(_PACKAGE.origin).parent / "package_data" / "plotly.min.js"
FOLDERS = {"plotly": LIBRARY.parent, "whole": WHOLE.parent, "packs": packs.FOLDER}


def declare() -> None:
    """Have Streamlit serve the folders, which it does for components that were declared in a run of a session's script.

    They are never mounted.
    """
    for name, folder in FOLDERS.items():
        declare_component(name, path=folder)


def address(folder: str, file: str = "") -> str:
    """Where a browser finds a file of one of ``FOLDERS``, from the place of the dashboard."""
    return f"component/{__name__}.{folder}/{file}"


PATH, PATH_OF_WHOLE = address("plotly", LIBRARY.name), address("whole", WHOLE.name)
