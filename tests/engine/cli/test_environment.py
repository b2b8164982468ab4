"""What the machine around a command may lack: a package, letters, a home folder, somewhere to print to."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from tests import ROOT

PAIR = ("--certify", "fashion_mnist-gaussian-0.5", "--core", "fashion_mnist-core")
WITHOUT = """
import contextlib, importlib.abc, io, json, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from engine import cli

said = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["engine", *arguments]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as ended:
            said.append((ended.code or 0, err.getvalue()))
print(json.dumps(said))
"""


def test_without_torch_what_needs_it_says_so_and_the_rest_works(tmp_path):
    working = [
        ["runs"],
        ["table", *PAIR, "--theta", "0.3"],
        ["smoothed", *PAIR[:2]],
        ["export", PAIR[3], "-o", str(tmp_path / "core.npz")],
        ["app", "--help"],
    ]
    needing = [
        ["certify", str(ROOT / "app/photographs/cat.jpg"), *PAIR],
        ["inspect", str(ROOT / "cache/demo/fashion_mnist-core.safetensors")],
        ["models"],
        ["precompute", str(ROOT / "engine/configs/demo.yaml")],
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(working + needing)],
        cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"ACES_CACHE": str(tmp_path / "store")},
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said[: len(working)] == [[0, ""]] * len(working)
    for status, line in said[len(working) :]:
        assert status == 2
        assert "this command needs torch, which is not installed: pip install torch" in line
        assert line.count("\n") == 1


def test_a_user_who_has_no_home_is_named_in_one_line(call, monkeypatch):
    status, _, err = call("runs", "--cache", "~nobody-at-all/x")
    assert (status, err.count("\n")) == (2, 1)
    assert "'~nobody-at-all/x', and there is no such home folder" in err
    monkeypatch.setenv("ACES_CACHE", "~nobody-at-all/x")
    status, _, err = call("runs")
    assert (status, err.count("\n")) == (2, 1)


def test_a_closed_output_is_no_fault(call, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    status, _, err = call("smoothed", *PAIR[:2])
    sys.stdout.close()  # which the command has opened
    assert (status, err) == (0, "")


@pytest.mark.parametrize("arguments", [("runs",), ("table", *PAIR, "--theta", "0.3")], ids=lambda value: value[0])
def test_a_full_output_is_said_in_one_line(arguments, tmp_path):
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        done = subprocess.run(
            [sys.executable, "-m", "engine", *arguments],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env=os.environ | {"ACES_CACHE": str(tmp_path)},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


def test_letters_that_an_output_does_not_know_are_written_as_python_writes_them(call, monkeypatch):
    held = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(held, encoding="ascii", write_through=True))
    assert call("smoothed", *PAIR[:2])[0] == 0
    print("ℓ2, σ")
    assert held.getvalue().endswith(b"\\u21132, \\u03c3\n")


@pytest.mark.parametrize("command", [("table", *PAIR, "--theta", "0.3"), ("runs",)], ids=lambda value: value[0])
def test_a_terminal_of_ascii_letters_is_enough(command, tmp_path):
    poor = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "ACES_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "engine", *command], cwd=ROOT, capture_output=True, check=False, env=os.environ | poor
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii")
