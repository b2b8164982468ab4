"""What README, docs and docstrings name is there: files, links, commands with options, runs, modules, variables."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pytest
import requests
import typer
import yaml

from cache.catalog import Catalog
from engine.cli import app as cli

ROOT = Path(__file__).resolve().parents[1]
RUN = sorted((ROOT / "docs" / "site").glob("*.md"))  # whose code is run: tests/test_site.py
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *RUN]
PACKAGES = ("engine", "app", "cache", "benchmarks", "tests", "docs")
MODULES = sorted(
    path for package in ("engine", "app", "cache", "benchmarks") for path in (ROOT / package).rglob("*.py")
)
PLACES = re.compile(
    rf"(?:{'|'.join(PACKAGES)})(?:/[\w.-]+)*(?:/|/[\w.-]+\.(?:py|md|yaml|yml|js|css|json|npz|png|sh|toml))"
)
GENERATED = ("cache/store/",)  # made by the first run
COMMANDS: dict[str, click.Command] = typer.main.get_command(cli).commands  # type: ignore[attr-defined]


def code(text: str) -> Iterator[str]:
    """Lines of fenced and indented blocks, and what stands between backticks, of markdown or a docstring."""
    text = re.sub(r"\\\n\s*", "", text)  # a command over several lines
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    blocks = [line for part in fenced for line in part.splitlines()]
    blocks += [line for line in rest.splitlines() if line.startswith("    ")]
    yield from (line.strip() for line in blocks)
    yield from (" ".join(found.split()) for found in re.findall(r"`{1,2}([^`]+)`{1,2}", rest))


def docstrings(path: Path) -> Iterator[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    yield from filter(
        None, (ast.get_docstring(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))
    )


EVERY = [(path, path.read_text()) for path in TEXTS] + [(path, text) for path in MODULES for text in docstrings(path)]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(text: str) -> Iterator[list[str]]:
    """Every ``python -m engine ...`` of a text, as its words."""
    said = [*code(text), *re.findall(r"Example: (python -m engine .*)", text)]
    for line in said:
        for part in re.split(r"&&|[|>]", line.removeprefix("$ ")):
            if "python -m engine " in part:
                words = shlex.split(part.partition("python -m engine ")[2], comments=True)
                yield words


def test_texts_name_files_that_are_there():
    wrong = []
    for path, text in EVERY:
        named = {
            found
            for line in code(text)
            for word in line.split()
            for found in [word.rstrip(".,:;")]
            if PLACES.fullmatch(found)
        }
        wrong += [(name_of(path), one) for one in named if one not in GENERATED and not (ROOT / one).exists()]
        if path.suffix == ".md":
            links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
            wrong += [(name_of(path), one) for one in links if "//" not in one and not (path.parent / one).exists()]
    assert not wrong


def test_docstrings_name_files_of_the_documentation_that_are_there():
    """Also outside of backticks: docs/statistics.md, tests/engine/statistics/test_bounds.py."""
    plain = re.compile(r"\b(?:docs|tests|engine|app|cache|benchmarks)/[\w/-]+\.(?:md|py|yaml)\b")
    wrong = [
        (name_of(path), one) for path in MODULES for one in plain.findall(path.read_text()) if not (ROOT / one).exists()
    ]
    assert not wrong


def parse(words: list[str]) -> None:
    """Read a command line as the program would, and do nothing. Raises ``click.UsageError``."""
    command = COMMANDS[words[0]]
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_commands_and_options_of_texts_are_understood():
    wrong, seen = [], 0
    for path, text in EVERY:
        for words in commands(text):
            options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
            known = (
                {opt for p in COMMANDS[words[0]].params for opt in p.opts} | {"--help"}
                if words[0] in COMMANDS
                else set()
            )
            wrong += [(name_of(path), " ".join(words)) for option in options if option not in known]
            if words[0] not in COMMANDS and re.fullmatch("[a-z]+", words[0]):
                wrong.append((name_of(path), " ".join(words)))
            seen += 1
    assert not wrong
    assert seen > 40


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_example_of_a_command_is_one_that_it_reads(name):
    text = COMMANDS[name].help or ""
    found = [words for words in commands(text) if words[0] == name]
    assert found, f"{name} --help has no example"
    for words in found:
        try:
            parse(words)
        except click.UsageError as error:
            pytest.fail(f"{' '.join(words)}: {error.message}")


def test_whole_command_lines_of_the_documentation_are_read():
    """Those in blocks, which people copy."""
    wrong = []
    for path in TEXTS:
        lines = re.findall(r"^    (?:\$ )?(python -m engine (?:.*\\\n)*.*)$", path.read_text(), re.MULTILINE)
        for words in (w for line in lines for w in commands(f"    {line}")):
            try:
                parse(words)
            except click.UsageError as error:
                wrong.append((name_of(path), " ".join(words), error.message))
    assert not wrong


def test_the_readme_lists_every_command_and_no_other():
    table = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(table) == sorted(COMMANDS)


def test_options_between_backticks_belong_to_some_command():
    known = {opt for command in COMMANDS.values() for p in command.params for opt in (*p.opts, *p.secondary_opts)} | {
        "--help"
    }
    benchmarks = "".join(path.read_text() for path in (ROOT / "benchmarks").rglob("*.py"))
    wrong = []
    for path in TEXTS:
        for span in re.findall(r"`(--[a-z][a-z0-9-]*)[^`]*`", path.read_text()):
            if span not in known and f'"{span}"' not in benchmarks:
                wrong.append((name_of(path), span))
    assert not wrong


def test_runs_of_examples_are_in_the_catalog_that_ships():
    names, wrong = [meta.name for meta in Catalog().metas()], []
    for path, text in EVERY:
        for words in commands(text):
            of_runs = [value for option, value in pairwise(words) if option in ("--certify", "--core", "--select")]
            named = [value for value in of_runs if re.match(r"(fashion_mnist|cifar10)-", value)]
            wrong += [(name_of(path), value) for value in named if not any(n.startswith(value) for n in names)]
    assert not wrong


def test_modules_that_texts_run_or_name_can_be_imported():
    wrong = []
    for path, text in EVERY:
        for line in code(text):
            for module in re.findall(r"python -m ((?:engine|benchmarks)[\w.]*)", line):
                if importlib.util.find_spec(module) is None:
                    wrong.append((name_of(path), module))
            for dotted in re.findall(r"^((?:engine|cache|app|benchmarks)(?:\.\w+)+)(?<!\.py)$", line):
                if not is_there(dotted):
                    wrong.append((name_of(path), dotted))
    assert not wrong


def is_there(dotted: str) -> bool:
    """Whether a dotted name is a module or something in one."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def test_environment_variables_are_read_by_the_program():
    source = "".join(path.read_text() for path in (*MODULES, *(ROOT / "tests").rglob("*.py")))
    named = {one for _, text in EVERY for one in re.findall(r"\bACES_[A-Z_]+\b", text)}
    assert named
    assert not {one for one in named if f'"{one}"' not in source}


DEFINED = {
    name
    for path in (ROOT / package for package in ("engine", "app", "cache"))
    for file in path.rglob("*.py")
    for node in ast.walk(ast.parse(file.read_text()))
    for name in (
        [node.name]
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        else [node.target.id]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        else []
    )
}


def usage(text: str) -> Iterator[ast.stmt]:
    """The lines of a text that are Python with a call or an import: what it shows to write."""
    for line in text.splitlines():
        shown = line.strip().removeprefix(">>> ")
        if re.match(r"(?:\w+(?:, \w+)* = |for \w+ in |from \w+|import )?[\w.]+.*\S$", shown) and (
            "(" in shown or "import " in shown
        ):
            try:
                (statement,) = ast.parse(shown).body
            except (SyntaxError, ValueError):
                continue
            if isinstance(statement, ast.Assign | ast.For | ast.Expr | ast.Import | ast.ImportFrom):
                yield statement


def test_lines_of_code_in_texts_call_what_there_is():
    known = DEFINED | set(dir(builtins)) | set(dir(np)) | set(dir(np.ndarray)) | set(dir(str)) | set(dir(dict))
    known |= set(dir(requests)) | set(dir(requests.Response))  # of the HTTP example
    wrong, seen = [], 0
    for path, text in (one for one in EVERY if one[0] not in RUN):
        for statement in usage(text):
            for node in ast.walk(statement):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("engine", "cache", "app"):
                    wrong += [(name_of(path), n.name) for n in node.names if not is_there(f"{node.module}.{n.name}")]
                elif isinstance(node, ast.Call):
                    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
                    if called is not None and called not in known:
                        wrong.append((name_of(path), called))
                    seen += 1
    assert not wrong
    assert seen > 50


def test_yaml_of_the_documentation_is_yaml():
    for path in TEXTS:
        for block in re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
            assert isinstance(yaml.safe_load(block), dict), name_of(path)


def loaded_by(modules: list[str]) -> set[str]:
    """Which of the two heavy packages a fresh process has loaded after these modules."""
    imports = "".join(f"import {name}\n" for name in modules)
    code = f"import sys\n{imports}print([m for m in ('streamlit', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(ast.literal_eval(done.stdout.splitlines()[-1]))


def test_the_dashboards_modules_load_what_they_say():
    text = ast.get_docstring(ast.parse((ROOT / "app/__init__.py").read_text())) or ""
    quiet = re.search(r"^What computes(.*?) know no\s+Streamlit", text, re.DOTALL | re.MULTILINE)
    assert quiet is not None
    named = [name for said in re.findall(r"``([\w.]+)``", quiet[1]) for name in modules_of(said)]
    assert {"app.settings", "app.tables.looks", "app.services.precompute"} <= set(named)
    assert loaded_by(named) == set()
    every = [name for path in (ROOT / "app").iterdir() for name in modules_of(path.stem) if name != "app.main"]
    assert "app.content.tradeoff" in every
    assert loaded_by(every) == {"streamlit"}


def modules_of(name: str) -> list[str]:
    """A module of the dashboard, or every module of one of its rooms."""
    room = ROOT / "app" / name
    if not room.is_dir():
        return [f"app.{name}"] if (ROOT / "app" / f"{name.replace('.', '/')}.py").exists() else []
    return [f"app.{name}.{path.stem}" for path in sorted(room.glob("*.py")) if path.stem != "__init__"]
