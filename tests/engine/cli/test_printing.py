from __future__ import annotations

from engine.cli.printing import print_table, say, warn


def test_a_line_is_one_line_whatever_it_holds(capsys):
    say("a\nb \x1b[31mred\r")
    warn("a\nb")
    out, err = capsys.readouterr()
    assert out.count("\n") == err.count("\n") == 1
    assert "\x1b" not in out
    assert "\r" not in out
    assert err.startswith("warning: a")


def test_a_table_that_nobody_looks_at_keeps_names_whole_and_reads_no_markup(capsys):
    name = "a-name-" + 40 * "long-" + "[red]"
    print_table(["name", "n"], [(name, 1), ("b", None)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["name", "n"], [name, "1"], ["b"]]
