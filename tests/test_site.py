"""The documentation site: every block of code of its pages runs, every document stands in its index, and its parts."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

from engine.cli import app
from tests import ROOT

SITE = ROOT / "docs" / "site"
PAGES = sorted(SITE.glob("*.md"))
BLOCK = re.compile(r"(?:^<!-- not run: (.+) -->\n)?^```(bash|python|text)\n([\s\S]*?)^```$", re.MULTILINE)
REASON = re.compile(r"needs|fetches|a server|asks")


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """Why a block is not run (empty: it is), its kind, and what it says."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder in which commands find what they find in a checkout, and leave nothing there."""
    for name in ("app", "cache", "docs", "engine"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(kind: str, code: str, folder: Path) -> str:
    """What a block says on stdout, called where a reader would call it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ACES_", "XDG_"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ACES_CACHE": str(folder / "store"),
        "ACES_DATA": str(folder / "data"),
        "HOME": str(folder / "home"),
    }
    command = ["bash", "-euo", "pipefail", "-c", code] if kind == "bash" else [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda p: p.stem)
def test_the_code_of_a_page_runs_and_says_what_the_page_shows(page, checkout):
    said = ""
    for reason, kind, code in blocks(page):
        if kind == "text":
            assert lines(said) == lines(code)
        elif not reason:
            said = run(kind, code, checkout)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_block_is_of_a_kind_that_runs_or_says_why_it_does_not(page):
    text = page.read_text(encoding="utf-8")
    found = blocks(page)
    for reason, kind, code in found:
        assert not reason or (kind != "text" and REASON.match(reason)), code
    of_sphinx = len(re.findall(r"^```\{[\w-]+\}", text, re.MULTILINE))
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * (len(found) + of_sphinx)
    assert text.count("<!-- not run") == sum(bool(reason) for reason, _, _ in found)


def entries() -> Iterator[str]:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from (line for line in tree.splitlines() if line and not line.startswith(":"))


def test_every_document_stands_in_the_index_once():
    there = [path.relative_to(ROOT / "docs").with_suffix("") for path in (*(ROOT / "docs").glob("*.md"), *PAGES)]
    assert sorted(entries()) == sorted(str(name) for name in there if str(name) != "index")


@pytest.fixture
def part(monkeypatch):
    """A module of what makes the site."""

    def load(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(SITE))
        return importlib.import_module(name)

    return load


def test_the_reference_has_every_command_and_option(part):
    text = part("commands").reference()
    commands = typer.main.get_command(app).commands
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == sorted(commands)
    sections = dict(zip(sorted(commands), re.split(r"^## .*\n", text, flags=re.MULTILINE)[1:], strict=True))
    for name, command in commands.items():
        for option in (opt for p in command.params for opt in p.opts if opt.startswith("--") and not p.hidden):
            assert re.search(rf"^`.*{option}\b.*`$", sections[name], re.MULTILINE), f"{name} {option}"
    assert "(no words)" not in text


def test_words_of_the_terminal_are_no_markup(part):
    assert part("commands").escaped("a_b *c* [d](e) <f> `g_h` |") == r"a\_b \*c\* \[d\](e) \<f\> `g_h` \|"


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/a.css">',
        "<img src='HTTPS://cdn.example/a.png'>",
        '<iframe src="http://cdn.example/"></iframe>',
        "<style>@import 'https://cdn.example/a.css';</style>",
        '<p style="background: url(//cdn.example/a.png)">',
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_found(part, tmp_path, page):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.html").write_text(page)
    (found,) = part("hosts").foreign(tmp_path)
    assert found.startswith("deep/page.html: ")
    assert "cdn.example" in found


def test_links_and_own_files_are_not(part, tmp_path):
    (tmp_path / "page.html").write_text('<a href="https://example.org">x</a><script src="_static/a.js"></script>')
    (tmp_path / "style.css").write_text("a { background: url(data:image/png;base64,AA==) } /* https://example.org */")
    assert part("hosts").foreign(tmp_path) == []
