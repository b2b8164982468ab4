"""Whether the dashboard serves strangers, who may look and certify, and learn nothing of the machine."""

from __future__ import annotations

import os
import re

QUOTED = re.compile(r"(?<=['\"])(?:/|~[^/'\"]*/|[A-Za-z]:\\)[^'\"]*(?=['\"])")  # may hold blanks
BARE = re.compile(r"(?<![\w/.:'\"~])(?:/|~\w*/)[^\s'\",;:)]+")


def is_public() -> bool:
    """Whether ``ACES_PUBLIC`` is set."""
    return os.environ.get("ACES_PUBLIC", "") not in ("", "0")


def without_places(text: str) -> str:
    """Files and folders of this machine by their last names, which is what a stranger may know of them.

    >>> without_places("cannot read '/srv/my runs/cache.db', see /etc/hosts: 1/2 of r/√d")
    "cannot read 'cache.db', see hosts: 1/2 of r/√d"
    """
    return BARE.sub(_last, QUOTED.sub(_last, text))


def _last(place: re.Match[str]) -> str:
    return re.split(r"[/\\]", place[0].rstrip("/\\"))[-1] or place[0]
