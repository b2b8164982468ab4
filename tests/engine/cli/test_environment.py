"""What the machine around a command may lack: a package, letters, a home folder, somewhere to print to."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

PAIR = ("--certify", "fashion_mnist-gaussian-0.5", "--core", "fashion_mnist-core")
ISSUED = ROOT / "tests" / "certificates" / "version2-certified.json"
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


def without_torch(store: Path, *commands: list[str]) -> list[list[object]]:
    """Exit status and stderr of each command, in one process that cannot import torch."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, json.dumps(commands)],
        cwd=ROOT, capture_output=True, text=True, check=True, env=os.environ | {"ACES_CACHE": str(store)},
    )  # fmt: skip
    return json.loads(done.stdout)


def test_without_torch_what_needs_it_says_so_and_the_rest_works(tmp_path):
    working = [
        ["runs"],
        ["table", *PAIR, "--theta", "0.3"],
        ["smoothed", *PAIR[:2]],
        ["export", PAIR[3], "-o", str(tmp_path / "core.npz")],
        ["app", "--help"],
        ["deposit", "--system", f"{PAIR[1]},{PAIR[3]}", "-o", str(tmp_path / "deposit")],
        ["verify", str(tmp_path / "deposit")],
    ]
    needing = [
        ["certify", str(ROOT / "app/photographs/cat.jpg"), *PAIR],
        ["inspect", str(ROOT / "cache/demo/fashion_mnist-core.safetensors")],
        ["models"],
        ["precompute", str(ROOT / "engine/configs/demo.yaml")],
    ]
    said = without_torch(tmp_path / "store", *working, *needing)
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
    done = under_ascii(tmp_path, *command)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("ascii")


def under_ascii(store: Path, *command: str) -> subprocess.CompletedProcess[bytes]:
    poor = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "ACES_CACHE": str(store)}
    return subprocess.run(
        [sys.executable, "-m", "engine", *command], cwd=ROOT, capture_output=True, check=False, env=os.environ | poor
    )


def test_a_picture_is_certified_on_a_terminal_of_ascii_letters_and_checked_there_and_without_torch(tmp_path):
    picture = tmp_path / "bild-σ.png"
    shutil.copy(ROOT / "app/photographs/cat.jpg", picture)
    made = under_ascii(
        tmp_path, *("certify", str(picture), *PAIR, "--theta", "1", "--n0", "20", "--n", "200", "--seed", "1"),
        *("-o", str(tmp_path / "certificates")),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    (certificate,) = (tmp_path / "certificates").glob("*.json")
    for command in (
        ["certify", str(picture), *PAIR, "--n", "200", "--json"],
        ["check", str(certificate), str(picture)],
    ):
        done = under_ascii(tmp_path, *command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode("ascii")
        assert b"Traceback" not in done.stderr
    assert without_torch(tmp_path, ["check", str(certificate), str(picture)]) == [[0, ""]]


@pytest.mark.parametrize(
    "command",
    [("table", *PAIR, "--theta", "0.3"), ("runs",), ("check", str(ISSUED), str(ROOT / "app/photographs/coffee.jpg"))],
    ids=lambda value: value[0],
)
def test_a_reader_that_goes_away_is_no_fault(command, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-m", "engine", *command],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"ACES_CACHE": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
