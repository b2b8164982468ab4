"""What pip installs: every file of the packages and nothing else, and that it works far from the checkout."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "cache", "engine")
PAGES = ("", "certify")
DRAW = """
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash
import app, engine, sys

for path in {pages!r}:
    page = AppTest.from_file(app.__path__[0] + "/main.py", default_timeout=120)
    page._page_hash = calc_hash(path) if path else ""
    page.run()
    assert not page.exception, page.exception
    assert not page.error, page.error
print(engine.__file__)
"""


def tracked() -> list[str]:
    """The files of the checkout, new ones included, ignored ones not."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project, git knows")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built from a copy: a build leaves traces."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / "source" / name)
    for kind in ("wheel", "sdist"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=folder / "source", capture_output=True, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path) -> Path:
    """The wheel, unpacked where nothing of the checkout is near."""
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(built / "site")
    return built / "site"


def test_the_wheel_has_every_file_of_the_packages_and_no_other(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == {name for name in tracked() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}


def test_the_source_archive_has_what_the_wheel_is_built_from_and_no_half_of_the_tests(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        names = {member.name.partition("/")[2] for member in file.getmembers() if member.isfile()}
    wanted = {name for name in tracked() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert wanted <= names
    assert not [name for name in names - wanted if "/" in name and not name.startswith("aces_explorer.egg-info/")]


@pytest.fixture
def away(installed: Path, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder of somebody else's, whose files have the names of ours, and an environment that knows no checkout."""
    for name in ("app.py", "cache.py", "engine.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong one')")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ACES_", "XDG_"))}
    return tmp_path, clean | {"PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1", "HOME": str(tmp_path / "home")}


def run(away: tuple[Path, dict[str, str]], *arguments: str) -> str:
    folder, environment = away
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_engine_knows_the_demo_and_keeps_runs_in_the_users_folder(installed, away):
    assert len(json.loads(run(away, "-m", "engine", "runs", "--format", "json"))) >= 20
    assert not (away[0] / "home").exists()  # looking writes nothing
    run(away, "-m", "engine", "import", str(installed / "cache" / "demo" / "cifar10-core.npz"), "--replace")
    assert (away[0] / "home" / ".local" / "share" / "aces-explorer" / "store" / "runs" / "cache.db").is_file()
    assert not (installed / "cache" / "store").exists()


@pytest.mark.slow
def test_an_installed_engine_certifies_the_example(installed, away):
    photograph = str(installed / "app" / "photographs" / "cat.jpg")
    names = ("--certify", "cifar10-gaussian-0.25", "--core", "cifar10-core", "--n", "500", "--json")
    certificate = json.loads(run(away, "-m", "engine", "certify", photograph, *names))
    assert certificate["format"] == "aces-certificate"


def test_an_installed_dashboard_draws_its_pages(installed, away):
    assert Path(run(away, "-c", DRAW.format(pages=PAGES)).strip()).is_relative_to(installed)


@pytest.fixture
def dashboard(away: tuple[Path, dict[str, str]]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``app`` as people start it: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "engine", "app", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=away[0], env=away[1], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield f"http://127.0.0.1:{port}", process
        process.terminate()


def test_the_command_starts_the_dashboard_on_this_machine_only(dashboard):
    address, process = dashboard
    wait_until(lambda: process.poll() is not None or _answers(address), "an answer of the dashboard")
    assert process.poll() is None, process.stdout.read()
    process.terminate()
    said = process.stdout.read()
    assert address in said
    assert "0.0.0.0" not in said


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health") as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        ((), ["--server.address", "127.0.0.1", "--server.headless", "true"]),
        (
            ("--port", 8600, "--address", "::1", "--no-headless"),
            ["--server.address", "::1", "--server.headless", "false", "--server.port", "8600"],
        ),
    ],
)
def test_the_command_passes_its_options_on(call, monkeypatch, tmp_path, options, passed):
    started = []

    def record(path: str, command: list[str], environment: dict[str, str]) -> None:
        started.append((command, environment))

    monkeypatch.setattr(os, "execve", record)
    call("app", "--cache", tmp_path, *options)
    ((command, environment),) = started
    assert command[1:5] == ["-m", "streamlit", "run", str(ROOT / "app" / "main.py")]
    assert command[5:] == passed
    assert environment["ACES_CACHE"] == str(tmp_path)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x"])
def test_a_port_that_is_none_is_refused(call, port):
    status, _, error = call("app", "--port", port)
    assert (status, error.count("\n")) == (2, 1)
