"""Hostile texts where they are shown: in a terminal, a CSV file, LaTeX, Markdown, on a page and in a figure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import assume, example, given

from cache.store import Store
from engine import escape
from engine.cli.progress import DrawsBar, SamplingBar
from engine.figures import Sketch, export
from engine.sampling.work import Progress
from engine.tables import Format, render
from tests import toy
from tests.hostile import HOSTILE, any_text, hostile

# --- terminal ----------------------------------------------------------------------------------------------------


@given(any_text)
def test_a_terminal_gets_one_line_that_it_only_prints(text):
    shown = escape.terminal(text)
    assert shown == "" or shown.isprintable()
    assert shown == text or not text.isprintable()


@hostile
def test_runs_of_any_name_are_listed_as_they_are_called(call, tmp_path, text):
    name = escape.terminal(text).strip()
    with Store(tmp_path) as store:
        run = toy.smoothed_run(name)
        network = replace(run.meta.network, training=name)
        store.put(replace(run, meta=replace(run.meta, precision=name, network=network)))
    status, out, err = call("runs", "--cache", tmp_path)
    assert (status, err) == (0, "")
    assert out.count(name) == 3
    status, out, err = call("table", f"--certify={name}", "--core", "none", "--cache", tmp_path)
    assert (status, out, err.count("\n")) == (2, "", 1)


def test_errors_are_one_line_that_a_terminal_only_prints(call, tmp_path):
    for text in HOSTILE:
        for command in (
            ("export", f"--output={tmp_path / 'o'}", "--", text),
            ("import", "--", text),
            ("inspect", "--", text),
        ):
            status, out, err = call(*command, *(("--cache", tmp_path) if command[0] == "none" else ()))
            assert (status, out, err.count("\n")) == (2, "", 1)
            assert err.rstrip("\n").isprintable()


@pytest.mark.parametrize(
    "command", [("import",), ("inspect",), ("precompute",), ("certify", "--certify=a", "--core=b")]
)
def test_a_path_that_no_file_system_takes_is_one_line(call, command):
    status, out, err = call(*command, "x" * 300)
    assert (status, out, err.count("\n")) == (2, "", 1)


@hostile
def test_progress_shows_names_as_they_are(capsys, text):
    with SamplingBar() as bar:
        bar(Progress(text, 1, 2, 100, 0, 200, 1.0))
        bar(Progress(text, 2, 2, 200, 0, 200, 2.0))
        assert len(bar.progress.tasks) == 1
    with DrawsBar(f"{text}.png", 10) as bar:
        bar(5, 1.0)
    err = capsys.readouterr().err
    assert "\x9b" not in err
    assert "\u202e" not in err


@pytest.mark.usefixtures("toy_dataset")
def test_a_warning_about_a_file_is_one_line_that_a_terminal_only_prints(tmp_path):
    import subprocess
    import sys

    code = "import logging; from engine import cli; import sys; sys.argv = ['x', 'models', '--format', 'json']\n"
    code += "try: cli.main()\nexcept SystemExit: logging.getLogger('engine').warning('left out %s', 'a\\x1b[31m\\nb')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "left out a\\x1b[31m\\nb\n"


# --- CSV ---------------------------------------------------------------------------------------------------------

FIRST = "=+-@\t\r＝＋－＠"


def cells(text: str) -> Iterator[str]:
    """What a spreadsheet finds in a file, whichever separator its country has."""
    for separator in ",;\t":
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            yield from row


@given(any_text)
@example("a\n=1")
def test_no_cell_of_a_csv_begins_as_a_formula_does(text):
    assume(not escape.is_number(text))
    written = render([{"name": text, "value": 1.5}], Format.CSV)
    assert not [
        cell for cell in cells(written) if cell.strip() and cell.strip(" ")[0] in FIRST and not escape.is_number(cell)
    ]
    assert len(list(csv.reader(io.StringIO(written, newline="")))) == 2


@pytest.mark.parametrize("number", ["-0.5", "+1", "1e-5", "-1", "0.25", "-3.5E+7"])
def test_numbers_stay_numbers(number):
    assert escape.csv(number) == number
    assert render([{"x": float(number)}], Format.CSV).splitlines()[1] == f"{float(number):.9g}"


@pytest.mark.parametrize("name", ["net-0.5", "a=b", "toy_gaussian@0.5", "3-4"])
def test_honest_names_are_written_as_they_are(name):
    assert escape.csv(name) == name


ORIGIN = {"address": "http://here/?x=,=cmd|' /C calc'!A0\n\\input{x}", "runs": [{"name": "a,=cmd()", "kind": "core"}]}


def test_no_comment_holds_a_formula_or_ends_early():
    """An address is what somebody sent."""
    rows = [{"name": "x", "value": 1.0}]
    for text in (export.table(rows, Format.CSV, ORIGIN), export.figure_csv(Sketch({}), ORIGIN)):
        assert not [cell for cell in cells(text) if cell.strip() and cell.strip(" ")[0] in FIRST]
    latex = export.table(rows, Format.LATEX, ORIGIN)
    assert all(line.startswith("% ") for line in latex.split("\\begin")[0].splitlines())


@hostile
def test_a_figures_csv_has_names_as_they_are_but_for_formulas(text):
    figure = Sketch({})
    figure.add_scatter(x=[0.5], y=[escape.plot(text)], name=escape.plot(text))
    figure.add_scatter(x=[0.5], y=[1], name=f"<b>{escape.plot(text)}</b>")
    written = export.figure_csv(figure, {"runs": []})
    rows = list(csv.reader(io.StringIO(written, newline="")))
    expected = escape.csv(text)
    assert rows[1:] == [[expected, "0.5", expected], [expected, "0.5", "1"]]


# --- LaTeX -------------------------------------------------------------------------------------------------------

SET = re.compile(r"\\text[a-z]+\{\}|\\[_%&#${}]|\{[\[\]*]\}|\$\\(?:sigma|theta|cdot)\$|\$-\$")


@given(any_text)
def test_latex_finds_nothing_to_obey(text):
    rest = SET.sub("", escape.latex(text))
    assert not set(rest) & set("\\{}$%&#_^~[]*\n\r")


@hostile
def test_a_table_for_latex_keeps_its_columns_and_rows(text):
    written = render([{"name": text, "value": "x"}, {"name": text, "value": "y"}], Format.LATEX)
    body = written.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == 2
    assert all(len(re.findall(r"(?<!\\)&", line)) == 1 for line in body)
    assert all(line.endswith(r" \\") for line in body)
