from __future__ import annotations

import sys

import pytest

from engine.cli import dashboard


@pytest.fixture
def started(monkeypatch) -> list:
    """What would have taken this process's place."""
    found: list = []

    def execve(path, arguments, environment):
        found.append((path, arguments, environment))
        raise SystemExit(0)

    monkeypatch.setattr(dashboard.os, "execve", execve)
    return found


def test_the_dashboard_listens_to_this_machine_alone_unless_told_otherwise(call, started, tmp_path):
    assert call("app")[0] == 0
    ((path, command, _),) = started
    assert path == sys.executable
    assert command[1:5] == ["-m", "streamlit", "run", str(dashboard.MAIN)]
    assert command[5:] == ["--server.address", "127.0.0.1", "--server.headless", "true"]
    call("app", "--port", "8600", "--address", "0.0.0.0", "--no-headless", "--cache", tmp_path / "runs")
    _, command, environment = started[1]
    assert command[5:] == [
        "--server.address", "0.0.0.0", "--server.headless", "false", "--server.port", "8600",
    ]  # fmt: skip
    assert environment["ACES_CACHE"] == str(tmp_path / "runs")


def test_it_answers_under_the_names_that_it_is_given(call, started):
    call("app", "--allow-host", "aces.example.com", "--allow-host", "*.lab.example")
    command = started[0][1]
    assert command[9:] == ["--server.allowedHosts", "aces.example.com", "--server.allowedHosts", "*.lab.example"]


def test_a_dashboard_that_is_not_installed_is_one_line(call, started, monkeypatch, tmp_path):
    monkeypatch.setattr(dashboard, "MAIN", tmp_path / "main.py")
    status, out, err = call("app")
    assert (status, out, started) == (2, "", [])
    assert err.startswith("error: the dashboard is not installed")
