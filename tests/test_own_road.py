"""docs/own.md, walked as it is written: every command of it, in order, and what it promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cache.catalog import Catalog
from engine import System, datasets
from engine.errors import AcesError
from engine.records.runs import SmoothedRun, from_bytes, to_bytes
from tests import ROOT

TEXT = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^    (.*)$", TEXT, re.MULTILINE)]
SERVER = "python -m engine app --trust --configs ."


@pytest.fixture
def walked(call, tmp_path, monkeypatch):
    """The folder in which every command was called, and what each of them said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACES_DATA", str(tmp_path / "data"))
    said = {}
    for line in COMMANDS:
        words = shlex.split(line)
        if line == SERVER:
            continue
        if words[0] == "cp":
            shutil.copytree(ROOT / words[2], words[3])
        elif words[0] == "cd":
            monkeypatch.chdir(words[1])
        elif words[:3] == ["python", "-m", "engine"]:
            status, said[line], err = call(*words[3:])
            assert status == 0, f"{line}: {err}"
        else:
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, *words[1:]], check=True, env=environment)
    return Path.cwd(), said


def test_the_road_is_walked_to_its_end(walked, call, open_app, monkeypatch):
    folder, said = walked
    told = {line.split()[3]: text for line, text in said.items()}
    assert "parameters   5187" in told["inspect"]
    assert "Certified" in next(text for line, text in said.items() if "theta 1 --trust" in line)
    assert "draws again, no votes otherwise than recorded" in told["check"]
    assert "every count the same" in told["verify"]
    _a_moved_system(folder, monkeypatch)
    run = Catalog().load("shapes-net")
    assert run.meta.classes == ("circle", "square", "stripes")
    assert run.meta.origin is not None
    assert run.meta.origin.architecture == f"{folder / 'net.py'}:make"
    _checks_of_files(run, call, folder)
    _pages(open_app, monkeypatch)
    _moved_pictures(call, folder)


def _checks_of_files(run: SmoothedRun, call, folder: Path) -> None:
    """A run file has the classes and nothing of this machine; code that a run names runs with trust alone."""
    assert str(folder).encode() not in to_bytes(run)
    away = from_bytes(to_bytes(run)).meta
    assert (away.classes, away.origin) == (run.meta.classes, None)
    assert from_bytes(to_bytes(run, local=True), local=True).meta == run.meta
    assert from_bytes(to_bytes(run, local=True)).meta.origin is None
    networks = ("--certify", "shapes-net", "--core", "shapes-core")
    status, _, err = call("certify", "shapes/circle/00.png", *networks)
    assert status == 2
    assert "code that runs with your rights: if you trust it, say --trust" in err
    certificate = json.loads((folder / "certificates" / "00.png.json").read_text())
    assert certificate["answer"] == "square"
    assert certificate["networks"]["classes"] == ["circle", "square", "stripes"]


def _a_moved_system(folder: Path, monkeypatch) -> None:
    """What was put aside answers without the store, and runs its code with trust alone."""
    (folder / "system").rename(folder / "elsewhere-system")
    path, picture = folder / "elsewhere-system" / "system.yaml", folder / "shapes" / "circle" / "00.png"
    with monkeypatch.context() as patch:
        patch.setenv("ACES_CACHE", str(folder / "no-store"))
        with pytest.raises(AcesError, match="code that runs with your rights: if you trust it"):
            System.load(path).predict([picture])
        (prediction,) = System.load(path, trust=True).predict([picture])
    assert prediction.name in ("circle", "square", "stripes")


def _pages(open_app, monkeypatch) -> None:
    """Certify asks for trust and works with it; Images shows the pictures and the names of the classes."""
    query = {"dataset": "shapes"}
    page = open_app("images", **query, image="0")
    text = " ".join(one.value for one in page.markdown)
    assert "label circle" in text
    assert not page.error
    assert not [one for one in page.caption if "do not ship" in one.value]
    page = open_app("certify", **query)
    assert "code that runs with your rights" in " ".join(one.value for one in page.error)
    monkeypatch.setenv("ACES_TRUST", "1")
    page = open_app("certify", **query)
    assert not page.error


def _moved_pictures(call, folder: Path) -> None:
    """Where a config finds them now is noted, and nothing is drawn again; an exchanged picture is not shown."""
    (folder / "shapes").rename(folder / "elsewhere")
    config = folder / "shapes.yaml"
    config.write_text(config.read_text().replace("path: shapes", "path: elsewhere"))
    before = Catalog().load("shapes-net")
    status, _, err = call("precompute", config)
    assert status == 0, err
    after = Catalog().load("shapes-net")
    assert after.meta.origin is not None
    assert after.meta.origin.pictures == str(folder / "elsewhere")
    assert after.meta.created == before.meta.created
    shutil.copy(folder / "elsewhere" / "circle" / "01.png", folder / "elsewhere" / "circle" / "00.png")
    status, _, err = call("pictures", "shapes-net")
    assert status == 2
    assert "were exchanged since it was sampled" in err


def test_the_dashboards_line_is_one_that_it_takes(call, monkeypatch):
    started = {}
    monkeypatch.setattr(os, "execve", lambda _, command, environment: started.update(environment))
    assert SERVER in COMMANDS
    call(*shlex.split(SERVER)[3:])
    assert (started["ACES_TRUST"], started["ACES_CONFIGS"]) == ("1", str(Path.cwd()))


def test_own_pictures_of_a_run_from_elsewhere_are_not_looked_for(tmp_path):
    card = datasets.own_images("shapes", ("a", "b"), 8)
    assert card.shape == (3, 8, 8)
    assert card.reader is None
