"""Whoever changes a module finds its tests by its name: tests/ mirrors the packages, but for what is listed here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import ROOT

ELSEWHERE = {
    "engine/__main__.py": "tests/engine/cli/test_commands.py",
    "engine/aces.py": "tests/engine/test_public_imports.py",
    "engine/bounds.py": "tests/engine/test_public_imports.py",
    "engine/compose.py": "tests/engine/test_public_imports.py",
    "engine/runs.py": "tests/engine/test_public_imports.py",
    "engine/arrays.py": "tests/engine/test_public_imports.py",  # types and one number
    "engine/records/meta.py": "tests/engine/records/test_runs.py",  # what a record says, and what it holds
    "engine/errors.py": "tests/engine/test_output.py",  # one class, raised everywhere
    "cache/errors.py": "tests/cache/test_entries.py",  # one class
    "engine/sampling/work.py": "tests/engine/sampling/test_precompute.py",
    "engine/training/gaussian.py": "tests/engine/training/test_objective.py",  # one loss each
    "engine/training/standard.py": "tests/engine/training/test_objective.py",
    "app/compositions.py": "tests/app/test_data.py",  # keys, and what they are joined to
    "app/followed.py": "tests/app/widgets/test_following.py",
    "app/keys.py": "tests/app/test_links.py",  # names
    "app/dashboard.py": "tests/app/test_pages.py",
    "app/main.py": "tests/app/test_pages.py",
    "app/components/files.py": "tests/app/test_server.py",
    "app/components/chart.py": "tests/browser/test_tradeoff_page.py",  # what a browser does with it
    "app/components/live.py": "tests/browser/test_live.py",
    "app/components/fresh.py": "tests/browser/test_changes.py",
    "app/components/linkbar.py": "tests/browser/test_links.py",
    "app/components/reminder.py": "tests/browser/test_guide.py",
}
MODULES = sorted(
    path.relative_to(ROOT)
    for package in ("engine", "app", "cache")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_its_tests_where_its_name_says(module: Path):
    mirrored = Path("tests") / module.parent / f"test_{module.name}"
    listed = ELSEWHERE.get(str(module))
    assert (ROOT / mirrored).is_file() != bool(listed), f"{mirrored} or a line in {Path(__file__).name}"
    assert (ROOT / (listed or mirrored)).is_file()


def test_what_is_listed_is_there():
    assert set(ELSEWHERE) <= {str(module) for module in MODULES}
