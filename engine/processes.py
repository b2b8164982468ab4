"""Python processes of our own, started beside this one: what they import, and what made them fail."""

from __future__ import annotations

import os
import signal
import sys
import sysconfig
from pathlib import Path

from engine.folders import PACKAGES


def command(module: str, *arguments: str) -> list[str]:
    """Runs a module by this Python. Give it ``environment()``."""
    return [sys.executable, "-m", module, *arguments]


def environment(**variables: str) -> dict[str, str]:
    """This process's, and that these packages are imported, whatever lies in the folder where the new one starts.

    Without it ``python -m`` looks there first, where an ``app.py`` of somebody else's would be taken for ours.
    """
    paths = [os.environ.get("PYTHONPATH", "")]
    if Path(sysconfig.get_path("purelib")).resolve() != PACKAGES:  # there everything is found, in its order
        paths.insert(0, str(PACKAGES))
    found = os.pathsep.join(filter(None, paths))
    return os.environ | {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": found} if found else {}) | variables


def why(status: int | None, complaints: str) -> str:
    """What made a process fail, in a sentence; ``status`` as ``subprocess`` gives it, None where nobody saw it."""
    if status is not None and status < 0:
        hint = " (out of memory?)" if status == -signal.SIGKILL else ""
        return f"the process was ended by signal {-status}, {_name(-status)}{hint}"
    said = complaints.strip().rpartition("\n")[2].removeprefix("error: ")  # warnings stand before it
    if said and status != 0:
        return said
    return f"the process ended with status {status}" if status else "the process ended before it had made anything"


def _name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else "unknown"
