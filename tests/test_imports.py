"""Imports go one way, and looking at results never loads torch."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
    draws = {"plotly", "matplotlib"} if path.parent.name == "figures" else set()
    above = {"app", "streamlit", "plotly", "matplotlib"} - draws
    assert not {name for name in imported(path) if name.split(".")[0] in above}


@pytest.mark.parametrize("path", files("cache"), ids=lambda p: p.name)
def test_the_store_knows_records_only(path):
    allowed = (
        "engine.records.",
        "engine.errors",
        "engine.files",
        "engine.folders",
        "engine.names",
        "engine.npz",
        "engine.smoothing",
    )
    engine = {name for name in imported(path) if name.split(".")[0] == "engine"}
    assert all(f"{name}.".startswith(allowed) or name == "engine" for name in engine)


@pytest.mark.parametrize("path", files("engine"), ids=lambda p: str(p.relative_to(ROOT)))
def test_only_what_samples_or_commands_touches_the_store(path):
    users = {"work.py", "decide.py", "precompute.py", "estimate.py"}
    assert (
        path.name in users
        or path.parent.name == "cli"
        or not {name for name in imported(path) if name.split(".")[0] == "cache"}
    )


@pytest.mark.parametrize("path", files("engine/statistics") + files("engine/records"), ids=lambda p: p.name)
def test_records_and_statistics_need_numpy_and_scipy_only(path):
    names = imported(path)
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) <= {"numpy", "scipy", "engine"}
    above = r"engine\.(models|datasets|training|sampling|single_image|published|cli)\b"
    assert not {name for name in names if re.match(above, name)}
    if path.parent.name == "records":
        assert not {name for name in names if name.startswith("engine.statistics")}


# Rooms and the modules beside them, from what needs nothing to what needs everything: each imports from before it.
ENGINE = (
    *(
        "errors",
        "arrays",
        "escape",
        "files",
        "names",
        "folders",
        "npz",
        "output",
        "processes",
        "smoothing",
        "strict_yaml",
        "units",
    ),
    *("records", "mechanisms", "weights", "statistics", "tables", "latex", "datasets", "models", "sampling"),
    *(
        "single_image",
        "serving",
        "training",
        "published",
        "figures",
        "deposits",
        "aces",
        "bounds",
        "compose",
        "runs",
        "cli",
        "__main__",
    ),
)
APP = (
    *("public", "escape", "proofs", "documents", "glossary", "settings", "keys", "links", "tables"),
    "services",
    *(
        "catalog",
        "compositions",
        "headlines",
        "run_pictures",
        "data",
        "followed",
        "components",
        "state",
        "actions",
        "kept",
        "studies",
        "requested",
        "beside",
        "sidebar",
        "widgets",
        "content",
        "pages",
        "dashboard",
        "guard",
        "server",
    ),
    "main",
)


def ordered(package: str, order: tuple[str, ...]) -> list[tuple[str, tuple[str, ...], Path]]:
    """The package, what stands above the file in its order, and the file."""
    found = []
    for path in files(package):
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if room != "__init__":
            found.append((package, order[order.index(room) + 1 :], path))
    return found


@pytest.mark.parametrize(
    ("package", "above", "path"),
    ordered("engine", ENGINE) + ordered("app", APP),
    ids=lambda value: str(value.relative_to(ROOT)) if isinstance(value, Path) else "",
)
def test_a_room_imports_from_those_before_it_only(package, above, path):
    names = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.")}
    assert not names & set(above)


@pytest.mark.parametrize(
    "module",
    [
        "engine.cli",
        "engine.statistics.metrics",
        "cache.catalog",
        "app.content.tradeoff",
        "app.data",
        "app.content.certify",
    ],
)
def test_looking_at_results_never_loads_torch(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'torchvision', 'statsmodels') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_two_classes_share_a_name():
    names = Counter(
        node.name
        for package in ("engine", "cache", "app", "benchmarks")
        for path in files(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert names
    assert {name for name, count in names.items() if count > 1} == set()
