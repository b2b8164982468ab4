from __future__ import annotations

import pytest

from app.services.limits import Limits
from engine.errors import AcesError


def test_limits_are_read_from_the_environment_and_have_defaults(monkeypatch):
    for name in ("ACES_MAX_N", "ACES_MAX_SECONDS", "ACES_MAX_JOBS", "ACES_MAX_UPLOAD_MB"):
        monkeypatch.delenv(name, raising=False)
    assert Limits.from_environment() == Limits()
    monkeypatch.setenv("ACES_MAX_SECONDS", "20")
    monkeypatch.setenv("ACES_MAX_UPLOAD_MB", "3")
    assert Limits.from_environment() == Limits(seconds=20, upload_mb=3)


@pytest.mark.parametrize("value", ["lots", "0", "-1", "1.5", "", "9" * 13, "²"])
def test_a_limit_that_is_no_positive_whole_number_is_named(monkeypatch, value):
    monkeypatch.setenv("ACES_MAX_JOBS", value)
    with pytest.raises(AcesError, match=r"^ACES_MAX_JOBS is '.*'; expected a positive whole number, for example 8$"):
        Limits.from_environment()


def test_limits_that_make_no_sense_are_said(open_app, monkeypatch):
    monkeypatch.setenv("ACES_MAX_N", "lots")
    assert any("ACES_MAX_N is 'lots'" in error.value for error in open_app("certify").error)
