"""What one visitor may ask of the server: small numbers from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from app.public import is_public
from engine.errors import AcesError

LONGEST = 12  # digits
PICTURES = 20  # that are certified at once, and results that a session keeps: all of it lies in the server's memory


@dataclass(frozen=True)
class Limits:
    """``ACES_MAX_N`` draws and ``ACES_MAX_SECONDS`` of sampling a job, ``ACES_MAX_JOBS`` jobs in all, waiting ones
    included, ``ACES_MAX_UPLOAD_MB`` a file. Every session may have one job at a time; a batch of pictures is one after
    the other. On a public server the numbers are smaller where they are not set; ``attack_seconds`` is not to be set.
    """

    n: int = 100_000
    seconds: int = 300
    jobs: int = 8
    upload_mb: int = 10
    attack_seconds: int = 1_800

    @classmethod
    def from_environment(cls) -> Limits:
        """Raises ``AcesError`` for a value that is no positive integer."""
        names = {"n": "ACES_MAX_N", "seconds": "ACES_MAX_SECONDS", "jobs": "ACES_MAX_JOBS"}
        names["upload_mb"] = "ACES_MAX_UPLOAD_MB"
        usual = PUBLIC if is_public() else cls()
        return replace(usual, **{field: _positive(name, getattr(usual, field)) for field, name in names.items()})


PUBLIC = Limits(n=20_000, seconds=60, jobs=4, upload_mb=5, attack_seconds=60)


def read_only() -> bool:
    """Whether visitors may change nothing in the store and sample nothing into it: ``ACES_READ_ONLY`` is set, or the
    server is public.
    """
    return is_public() or os.environ.get("ACES_READ_ONLY", "") not in ("", "0")


def trusts_own_code() -> bool:
    """Whether networks that are code of the operator's own may be loaded: ``ACES_TRUST``; on no public server."""
    return not is_public() and os.environ.get("ACES_TRUST", "") not in ("", "0")


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or len(text) > LONGEST or int(text) < 1:
        raise AcesError(f"{name} is '{text[:40]}'; expected a positive whole number, for example {default}")
    return int(text)
