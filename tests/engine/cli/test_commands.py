from __future__ import annotations

import re
import subprocess
import sys

import pytest

from engine.cli import app
from tests import ROOT

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(call, command):
    status, out, _ = call(command, "--help")
    assert status == 0
    assert f"python -m engine {command}" in re.sub(r"\s+", " ", out)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command):
    assert f"`{command}`" in (ROOT / "README.md").read_text()


def test_the_module_runs_as_a_program(store):
    command = [sys.executable, "-m", "engine", "table", "--certify", "nothing", "--core", "x", "--cache", str(store)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
