"""Tests speak to what a module promises: no private name of the project's own is reached for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

OWN = ("engine", "app", "cache", "benchmarks")
PATH = re.compile(rf"({'|'.join(OWN)})(\.\w+)*\._\w+(\.\w+)*")
PUBLIC = {"__version__"}
FOREIGN = {"_page_hash", "_sql", "_repr_mimebundle_"}  # of streamlit's AppTest, diskcache, and IPython's protocol


def private_names(tree: ast.AST) -> Iterator[str]:
    """Names that are imported, looked up or patched although they begin with an underscore; not those of ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OWN:
            yield from (
                f"{node.module}.{a.name}" for a in node.names if a.name.startswith("_") and a.name not in PUBLIC
            )
        elif isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr) and node.attr not in FOREIGN:
            if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and PATH.fullmatch(node.value):
            yield node.value
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and len(node.args) > 1:
            name = node.args[1]
            if isinstance(name, ast.Constant) and re.match(r"_[a-z]", str(name.value)):
                yield ast.unparse(node)[:80]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT / "tests"))
)
def test_no_private_name_of_ours_is_reached_for(path: Path):
    assert list(private_names(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "code", ["from engine.x import _y", "x._y", "p.setattr(x, '_y', 1)", "p.setattr('engine.x._y', 1)", "p('app._y.z')"]
)
def test_every_way_to_one_is_seen(code):
    assert len(set(private_names(ast.parse(code)))) == 1
