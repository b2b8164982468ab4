"""``plot``: the file is the figure that was asked for, and what cannot be drawn is one line and status 2."""

from __future__ import annotations

import csv

import pytest

from engine.figures.drawing import FIGURES

RUNS = ("--certify", "toy-noisy", "--core", "toy-core")


def points(path) -> list[dict[str, str]]:
    return list(csv.DictReader(line for line in path.read_text().splitlines() if not line.startswith("#")))


def test_a_front_has_the_numbers_of_the_table_and_says_how_it_was_made(call, store, tmp_path):
    path = tmp_path / "front.csv"
    status, out, err = call("plot", "front", *RUNS, "--theta", "0.4", "-o", path, "--cache", store)
    assert (status, out, err) == (0, "", "")
    assert "# theta: 0.4" in path.read_text()
    assert "# command: aces" in path.read_text()
    _, out, _ = call("table", *RUNS, "--theta", "0.4", "--format", "csv", "--cache", store)
    (row,) = csv.DictReader(out.splitlines())
    seen = {(round(float(p[nac]), 4), round(float(p[acr]), 5)) for p in points(path) for nac, acr in [list(p)[1:]]}
    assert (round(float(row["nac"]), 4), round(float(row["acr"]), 5)) in seen


def test_the_list_names_every_figure(call):
    status, out, _ = call("plot", "list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [*FIGURES]


def test_all_of_them_go_into_a_folder(call, store, tmp_path):
    folder = tmp_path / "figures"
    status, _, err = call("plot", "all", *RUNS, "--form", "csv", "-o", folder, "--cache", store)
    assert status == 0
    drawn = {path.stem for path in folder.iterdir()}
    missed = {line.split()[1] for line in err.splitlines() if "is not drawn" in line}
    assert drawn | missed == {name for name, card in FIGURES.items() if "image" not in card.takes}
    assert {"front", "accuracy", "figure-1", "figure-6"} <= drawn


def test_what_is_named_twice_is_drawn_once_and_votes_may_select(call, store, tmp_path):
    path = tmp_path / "front.csv"
    beside = "--with", "toy-noisy,toy-core"
    status, _, err = call("plot", "front", *RUNS, *beside, "-o", path, "--cache", store)
    assert (status, err) == (0, "")
    status, _, _ = call("plot", "front", *RUNS, "--p0", "0.7", "-o", path, "--cache", store)
    assert (status, "# p0: 0.7" in path.read_text()) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "no figure is called 'nothing'"),
        (("front", "-o", "x.svg"), "plot front needs --certify, --core"),
        (("front", *RUNS), "plot front needs -o"),
        (("front", *RUNS, "-o", "x.doc"), "end it in .svg"),
        (("front", *RUNS, "-o", "nowhere/x.svg"), "there is no folder"),
        (("front", *RUNS, "-o", "x.svg", "--form", "svg"), "--form"),
        (("all", *RUNS, "-o", "figures", "--form", "doc"), "--form is 'doc'"),
        (("front", *RUNS, "-o", "x.svg", "--image", "0"), "has no use for image"),
        (("front", *RUNS, "-o", "x.svg", "--theta", "2"), "theta is 2"),
        (("front", *RUNS, "-o", "x.svg", "--theta", "0.3", "--p0", "0.7"), "two ways to select"),
        (("front", *RUNS, "-o", "x.svg", "--p0", "0.3"), "p0 is 0.3"),
        (("figure-6", *RUNS, "-o", "x.svg", "--thetas", "0.1,3"), "theta is 3"),
        (("front", *RUNS, "-o", "x.svg", "--then", "toy-noisy,0.2"), "name another"),
        (("front", *RUNS, "-o", "x.svg", "--with", ","), "--with"),
        (("front", *RUNS, "-o", "x.svg", "--with", "no-run"), "no smoothed run"),
        (("front", *RUNS, "-o", "x.svg", "--measure", "height"), "--measure is 'height'"),
        (("front", *RUNS, "-o", "x.svg", "--paper", "x"), "the paper has no series"),
        (("votes", *RUNS, "-o", "x.svg", "--image", "987654"), "not among"),
        (("front", *RUNS, "-o", "x.svg", "--width", "1e9"), "--width"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_no_file(call, store, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    status, out, err = call("plot", *words, "--cache", store)
    assert (status, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("x.*"))
