"""Where things lie: one place reads the environment, for the page and for the command line."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest

from app import catalog
from cache import Catalog, Store
from engine import folders
from engine.errors import AcesError
from engine.weights import weights_of
from tests import ROOT

READERS = {  # who reads the environment, beside ``engine.folders`` for every folder
    "engine/folders.py",
    "engine/processes.py",  # hands it on
    "engine/sampling/executors.py",  # Ray's own
    "engine/sampling/plan_runs.py",  # SOURCE_DATE_EPOCH
    "app/public.py",  # ACES_PUBLIC
    "app/services/limits.py",
}
FOLDERS = {"ACES_CACHE": "store", "ACES_DATA": "data", "ACES_DEMO": "demo", "ACES_MODELS": "models"}


def reads_the_environment(path: Path) -> bool:
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    return bool(names & {"environ", "getenv"})


def test_one_place_reads_where_things_lie():
    found = [path for package in ("app", "cache", "engine") for path in (ROOT / package).rglob("*.py")]
    assert {str(path.relative_to(ROOT)) for path in found if reads_the_environment(path)} <= READERS


@pytest.mark.parametrize("variable", FOLDERS)
def test_an_empty_variable_counts_as_not_set_and_a_tilde_is_ones_home(monkeypatch, tmp_path, variable):
    ask = getattr(folders, FOLDERS[variable])
    monkeypatch.delenv(variable, raising=False)
    default = ask()
    monkeypatch.setenv(variable, "")
    assert ask() == default
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/mine")
    assert ask() == tmp_path / "mine"
    monkeypatch.setenv(variable, "~nobody-of-that-name/mine")
    with pytest.raises(AcesError, match=variable):
        ask()


def test_page_and_command_line_look_at_the_same_demo(monkeypatch, tmp_path, call):
    for file in folders.DEMO.glob("fashion_mnist-core.*"):
        shutil.copy(file, tmp_path)
    monkeypatch.setenv("ACES_DEMO", str(tmp_path))
    catalog.look_again()
    status, out, _ = call("runs", "--format", "json")
    names = [run["name"] for run in json.loads(out)]
    assert (status, names) == (0, ["fashion_mnist-core"])
    assert [meta.name for meta in catalog.listing().metas] == names
    (meta,) = Catalog().metas()
    assert weights_of(meta).parent == tmp_path


def test_page_and_command_line_look_at_the_same_store(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ACES_CACHE", "~/store")
    assert catalog.store() == Store().directory == tmp_path / "store"


def test_in_a_checkout_runs_and_datasets_are_kept_in_it(monkeypatch):
    for variable in FOLDERS:
        monkeypatch.delenv(variable, raising=False)
    assert folders.store() == ROOT / "cache" / "store"
    assert folders.data() == ROOT / "data"


@pytest.mark.parametrize(
    ("named", "expected"), [("/xdg", "/xdg"), ("", "~/.local/share"), ("relative", "~/.local/share")]
)
def test_where_pip_installed_it_they_are_kept_in_the_users_folder(monkeypatch, tmp_path, named, expected):
    for variable in FOLDERS:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(folders, "PACKAGES", tmp_path / "site-packages")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", named)
    place = Path(expected).expanduser() / "aces-explorer"
    assert (folders.store(), folders.data()) == (place / "store", place / "data")
