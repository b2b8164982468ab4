"""Waiting for what another process or thread does: never without a deadline, and told what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = 60.0  # seconds: other work may share the machine


def wait_until(condition: Callable[[], Found | None], what: str, seconds: float = PATIENCE) -> Found:
    """What ``condition`` gives as soon as that is true. Raises ``AssertionError`` that names ``what`` did not come."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return found
