"""A deposit is whole or not there, the same for the same runs, and holds them as they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from engine.deposits import MANIFEST, AloneTerms, make_deposit
from engine.deposits.making import missing_runs
from engine.errors import AcesError
from engine.records.runs import read_run, to_bytes
from tests.engine.deposits.conftest import RUNS, TERMS, system


def test_it_holds_the_runs_as_they_are_and_says_how_to_check_them(folder):
    for run in RUNS:
        assert to_bytes(read_run(folder / "runs" / f"{run.meta.name}.npz")) == to_bytes(run)
    text = (folder / "README.md").read_text()
    assert "aces verify deposit" in text
    assert "tables/system-2.csv" in text
    assert "3 runs and 2 systems" in text


def test_the_same_runs_give_the_same_deposit(tmp_path):
    digests = set()
    for name in ("a", "b"):
        place = tmp_path / name / "deposit"
        place.parent.mkdir()
        digests.add(make_deposit(place, RUNS, [system()], AloneTerms(**TERMS)))
        assert hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest() in digests
    assert len(digests) == 1


@pytest.mark.parametrize("changes", [{"certify": "nothing"}, {"thetas": (9.0,)}, {"name": "../x"}])
def test_what_nobody_could_check_is_not_written(tmp_path, changes):
    with pytest.raises(AcesError):
        make_deposit(tmp_path / "deposit", RUNS, [system(**changes)], AloneTerms(**TERMS))
    assert not list(tmp_path.iterdir())


def test_what_stands_there_stays(tmp_path):
    (tmp_path / "deposit").mkdir()
    (tmp_path / "deposit" / "mine").write_text("x")
    with pytest.raises(AcesError, match="something stands there"):
        make_deposit(tmp_path / "deposit", RUNS, [], AloneTerms(**TERMS))
    assert [path.name for path in tmp_path.rglob("*")] == ["deposit", "mine"]


def test_names_of_runs_that_markdown_would_obey_are_letters(tmp_path):
    name = "a|b ![x](y)"
    run = replace(RUNS[2], meta=replace(RUNS[2].meta, name=name))
    make_deposit(tmp_path / "deposit", [RUNS[1], run], [system(core=name)], AloneTerms(**TERMS))
    assert r"a\|b \!\[x\](y)" in (tmp_path / "deposit" / "README.md").read_text()


def test_runs_that_systems_need_are_known():
    assert missing_runs([system(), system()], [RUNS[1].meta.name]) == [RUNS[2].meta.name]
