"""Imports go one way, and looking at results never loads torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIGHT = ("bounds", "runs", "compose", "aces", "metrics")


def imported(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", files("engine") + files("cache"), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_below_the_dashboard_knows_it(path):
    assert not {name for name in imported(path) if name.split(".")[0] in ("app", "streamlit", "plotly")}


@pytest.mark.parametrize("path", files("cache"), ids=lambda p: p.name)
def test_the_store_knows_records_only(path):
    allowed = ("engine", "engine.runs", "engine.draws", "engine.errors")
    engine = {name for name in imported(path) if name.split(".")[0] == "engine"}
    assert all(name.startswith(allowed[1:]) or name == "engine" for name in engine)


@pytest.mark.parametrize("path", files("engine"), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_what_samples_or_commands_touches_the_store(path):
    users = {"precompute.py", "estimate.py"}
    assert (
        path.name in users
        or path.parent.name == "cli"
        or not {name for name in imported(path) if name.split(".")[0] == "cache"}
    )


@pytest.mark.parametrize("module", LIGHT)
def test_the_statistics_need_numpy_and_scipy_only(module):
    outside = {name.split(".")[0] for name in imported(ROOT / "engine" / f"{module}.py")}
    assert outside - set(sys.stdlib_module_names) <= {"numpy", "scipy", "engine"}


@pytest.mark.parametrize(
    "module", ["engine.cli", "engine.metrics", "cache.shelf", "app.tradeoff", "app.data", "app.certify"]
)
def test_looking_at_results_never_loads_torch(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'torchvision', 'statsmodels') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
