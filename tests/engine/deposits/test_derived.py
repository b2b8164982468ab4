"""The tables of a deposit are the engine's, of exactly the runs that it names."""

from __future__ import annotations

import pytest

from engine.deposits.derived import alone_rows, composed, runs_of, system_rows
from engine.deposits.manifest import AloneTerms
from engine.errors import AcesError
from engine.records.compose import compose
from engine.statistics.metrics import evaluate, standalone
from tests.engine.deposits.conftest import RUNS, TERMS, system

BY_NAME = {run.meta.name: run for run in RUNS}


def test_a_systems_rows_are_the_engines():
    expected = evaluate(compose(RUNS[1], RUNS[2]), [0.2, 0.4], radii=[0, 0.25], bound="margin")
    rows = system_rows(system(), BY_NAME)
    assert [row["theta"] for row in rows] == [0.2, 0.4]
    assert [row["acr"] for row in rows] == expected.acr.tolist()
    assert [row["cert_0.25"] for row in rows] == expected.certified_accuracy[:, 1].tolist()


def test_votes_and_chains_are_composed_as_they_are_said():
    assert next(iter(system_rows(system(by_votes=True, thetas=(0.7,)), BY_NAME)[0])) == "p0"
    chain = system(then=(f"{RUNS[0].meta.name},0.3",))
    assert composed(chain, BY_NAME).stages == 2
    assert runs_of(chain) == [RUNS[1].meta.name, RUNS[2].meta.name, RUNS[0].meta.name]


def test_networks_alone_stand_by_name():
    rows = alone_rows(AloneTerms(**TERMS), RUNS[::-1])
    assert [row["run"] for row in rows] == [RUNS[0].meta.name, RUNS[1].meta.name]
    assert rows[0]["acr"] == standalone(RUNS[0], 0.001, [0, 0.25], bound="margin").acr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certify": "nothing"}, "no run 'nothing'"),
        ({"core": RUNS[0].meta.name}, "smoothed run, where a core run"),
        ({"radii": ("x",)}, "no radii"),
        ({"radii": ("nan",)}, "radi"),
        ({"alpha": 2.0}, "alpha"),
        ({"thetas": (7.0,)}, "theta is 7"),
        ({"then": ("",)}, "RUN"),
    ],
)
def test_what_cannot_be_had_of_the_runs_is_refused(changes, said):
    with pytest.raises(AcesError, match=said):
        system_rows(system(**changes), BY_NAME)
