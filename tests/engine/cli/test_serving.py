"""``serve``: what README shows is what runs, and what cannot be served is one line."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cache.catalog import DEMO, Catalog
from engine import System
from engine.single_image.system_file import Deployed, script, to_yaml
from tests import ROOT
from tests.serving import running


@pytest.fixture
def system_file(tmp_path: Path) -> Path:
    path = tmp_path / "system.yaml"
    names = "cifar10-gaussian-0.25", "cifar10-core"
    path.write_text(to_yaml(Deployed(System.load(*names, 0.5, dataset="cifar10", runs=Catalog(demo=DEMO)), {}), path))
    return path


def test_the_http_example_of_the_readme_runs(system_file):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "requests.post" in block]
    with running(system_file, "--n", "1000") as server:
        shown = block.replace("http://127.0.0.1:8000", server.url)
        assert shown != block
        done = subprocess.run([sys.executable, "-c", shown], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1


def test_the_ten_lines_from_a_file_to_a_certificate_run(system_file):
    """As ``deploy`` prints them: no dashboard, no catalog."""
    shutil.copy(ROOT / "app/photographs/cat.jpg", system_file.parent / "cat.jpg")
    lines = script(Path("system.yaml"), System.load(system_file)).replace("n=10_000", "n=1_000")
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(system_file.parent)}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=system_file.parent, capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert " after " in said[0]


def test_what_cannot_be_served_is_one_line(call, tmp_path, system_file):
    status, _, err = call("serve", tmp_path / "nowhere.yaml")
    assert (status, err.count("\n")) == (2, 1)
    assert "nowhere.yaml: cannot be read" in err
    system_file.write_text(system_file.read_text().replace("dataset: cifar10", "dataset: fashion_mnist"))
    status, _, err = call("serve", system_file)
    assert (status, err.count("\n")) == (2, 1)
    assert "is for cifar10, and not for fashion_mnist" in err
    assert call("serve", system_file, "--port", "70000")[0] == 2


def test_a_port_that_is_taken_is_one_line(call, system_file):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = call("serve", system_file, "--port", port)
    assert (status, err.count("\n")) == (2, 1)
    assert f"cannot listen at 127.0.0.1:{port}" in err
