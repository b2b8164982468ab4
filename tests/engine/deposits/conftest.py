from __future__ import annotations

from pathlib import Path

import pytest

from engine.deposits import AloneTerms, DepositedSystem, make_deposit
from engine.statistics.margin import Bound
from engine.statistics.metrics import Convention
from tests import synthetic

TERMS = {"alpha": 0.001, "bound": Bound.MARGIN, "convention": Convention.ALGORITHM, "radii": ("0", "0.25")}
RUNS = [synthetic.smoothed(0.25, 20), synthetic.smoothed(0.5, 20), synthetic.core(20)]


def system(name: str = "system-1", **changes) -> DepositedSystem:
    own = {
        "name": name, "certify": RUNS[1].meta.name, "core": RUNS[2].meta.name, "correction": "intersection-union",
        "t": 0.5, "thetas": (0.2, 0.4),
    }  # fmt: skip
    return DepositedSystem(**(own | TERMS | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A deposit of three runs and two systems, one of them a chain."""
    place = tmp_path / "deposit"
    chain = system("system-2", then=(f"{RUNS[0].meta.name},0.3",), t=0.4)
    make_deposit(place, RUNS, [system(), chain], AloneTerms(**TERMS))
    return place
