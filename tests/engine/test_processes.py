from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from engine import processes
from engine.folders import PACKAGES


def test_a_process_imports_these_packages_whatever_lies_where_it_starts(tmp_path):
    (tmp_path / "engine.py").write_text("raise SystemExit('somebody else')")
    (tmp_path / "app.py").write_text("raise SystemExit('somebody else')")
    code = "import app, engine; print(engine.__file__); print(app.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=processes.environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [str(PACKAGES / name / "__init__.py") for name in ("engine", "app")]


def test_a_module_runs_by_this_python_with_more_variables(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/one/of/the/users")
    assert processes.command("engine", "runs") == [sys.executable, "-m", "engine", "runs"]
    given = processes.environment(ACES_CACHE="/store")
    assert given["ACES_CACHE"] == "/store"
    assert given["PYTHONPATH"].split(":")[-1] == "/one/of/the/users"


@pytest.mark.parametrize(
    ("status", "complaints", "said"),
    [
        (2, "warning: old\nerror: no such run\n", "no such run"),
        (1, "", "the process ended with status 1"),
        (0, "warning: old\n", "the process ended before it had made anything"),
        (None, "", "the process ended before it had made anything"),
        (None, "error: no room\n", "no room"),
        (-signal.SIGKILL, "", "the process was ended by signal 9, SIGKILL (out of memory?)"),
        (-signal.SIGTERM, "error: late", "the process was ended by signal 15, SIGTERM"),
        (-99, "", "the process was ended by signal 99, unknown"),
    ],
)
def test_what_made_a_process_fail_is_one_sentence(status, complaints, said):
    assert processes.why(status, complaints) == said
