from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engine.latex import Block, PrintedRow, PrintedTable, plain_rows, render
from tests.hostile import HOSTILE

LOW = PrintedRow("0.10", 90.0, 0.1, (90.0, 20.04), (40.0, 30.0))
HIGH = PrintedRow("0.90", 80.04, 0.4, (78.0, 20.01), (99.0, 98.0))
ALONE = PrintedRow("smoothed alone", 80.0, 0.41, (78.0, 60.0))
TABLE = PrintedTable(
    ("σ", "Training"), "θ", (0.0, 0.25),
    (Block(("0.25", "a_b"), (LOW, HIGH), "0.25"), Block(("0.25",), (ALONE,), "0.25"), Block(("0.5",), (HIGH,), "0.5")),
    caption="50 % at θ", label="table-1 a_b",
)  # fmt: skip


def body(text: str) -> list[list[str]]:
    """The cells of every row below the head."""
    lines = text.split("\\midrule\n", 1)[1].split("\\bottomrule")[0].splitlines()
    return [line.removesuffix(" \\\\").split(" & ") for line in lines if line.endswith("\\\\")]


def test_the_head_is_grouped_over_the_radii():
    text = render(TABLE)
    assert "\\begin{tabular}{lllrrrrrr}\n" in text
    assert "& & & & & \\multicolumn{2}{c}{Certified accuracy at radius $r$} & \\multicolumn{2}{c}" in text
    assert "\\cmidrule(lr){6-7} \\cmidrule(lr){8-9}\n" in text
    assert "$\\sigma$ & Training & $\\theta$ & NAC & ACR & 0.00 & 0.25 & 0.00 & 0.25 \\\\\n" in text
    assert "\\caption{50 \\% at $\\theta$}\n\\label{tab:table-1-a-b}\n" in text


def test_the_best_of_a_group_is_bold_as_printed_and_a_network_alone_selects_nothing():
    assert body(render(TABLE)) == [
        ["0.25", "a\\_b", "0.10", "\\textbf{90.0}", "0.100", "\\textbf{90.0}", "20.0", "40.0", "30.0"],
        ["", "", "0.90", "80.0", "0.400", "78.0", "20.0", "99.0", "98.0"],
        ["0.25", "", "smoothed alone", "80.0", "\\textbf{0.410}", "78.0", "\\textbf{60.0}", "--", "--"],
        ["0.5", "", "0.90", "80.0", "0.400", "78.0", "20.0", "99.0", "98.0"],
    ]


def test_all_that_print_the_same_best_number_are_bold():
    table = replace(TABLE, blocks=(Block((), (LOW, replace(LOW, acr=0.1004), ALONE)),))
    nac = [row[3] for row in body(render(table))]
    assert nac == ["\\textbf{90.0}", "\\textbf{90.0}", "80.0"]


def test_groups_are_parted_by_rules_and_methods_by_space():
    lines = render(TABLE).splitlines()
    assert (lines.count("\\midrule"), lines.count("\\addlinespace")) == (2, 1)


def test_every_row_has_as_many_cells_as_the_table_has_columns():
    for table in (TABLE, replace(TABLE, with_selection=False), replace(TABLE, heads=(), blocks=(Block((), (LOW,)),))):
        text = render(table)
        (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
        assert {len(row) for row in body(text)} == {len(columns)}


def test_no_radius_is_a_table_of_nac_and_acr():
    row = replace(LOW, accuracy=(), selection=())
    text = render(replace(TABLE, radii=(), blocks=(Block(("0.25",), (row, HIGH.__class__("x", 1.0, 0.0, ()))),)))
    assert "multicolumn" not in text
    assert body(text)[1] == ["", "", "x", "1.0", "0.000"]


@pytest.mark.parametrize("name", [*HOSTILE, "}\\end{table}", "a & b \\\\", "% comment", "$x$"])
def test_names_of_strangers_are_letters_and_end_nothing(name):
    table = replace(TABLE, blocks=(Block((name, name), (replace(LOW, name=name),)),), caption=name, label=name)
    text = render(table)
    assert text.count("\\end{table}") == text.count("\\end{tabular}") == 1
    assert len(text.splitlines()) == len(render(replace(TABLE, blocks=(Block(("a", "a"), (LOW,)),))).splitlines())
    assert re.sub(r"\\.", "", text).count("{") == re.sub(r"\\.", "", text).count("}")


def test_the_same_cells_stand_under_plain_names():
    rows = plain_rows(TABLE)
    assert rows[0]["certified accuracy at r 0.25"] == "20.0"
    assert (rows[2]["θ"], rows[2]["ACR"], rows[2]["selected at r 0.00"]) == ("smoothed alone", "0.410", "")
    assert len({tuple(row) for row in rows}) == 1
    assert list(plain_rows(replace(TABLE, with_selection=False))[0])[-1] == "certified accuracy at r 0.25"
