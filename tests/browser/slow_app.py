"""The dashboard on a server that takes its time: before it reads the controls, after, and when the page is drawn."""

import runpy
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.25  # seconds, three times a run: many keys of a burst arrive while one run is under way

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from app import sidebar  # noqa: E402


def slowly(*arguments, **options):
    time.sleep(PAUSE)
    settings = controls(*arguments, **options)
    time.sleep(PAUSE)
    return settings


controls = getattr(sidebar.controls, "quick", sidebar.controls)
slowly.quick = controls
sidebar.controls = slowly
runpy.run_path(str(ROOT / "app" / "main.py"), run_name="__main__")
time.sleep(PAUSE)
