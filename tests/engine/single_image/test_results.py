"""Results in a folder: what stands there is gone on with, and nothing is mixed, lost or written twice."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import AcesError
from engine.single_image.certificate import Certificate, from_json
from engine.single_image.picture import CENTRED, Framing
from engine.single_image.results import FAILED, LINES, TABLE, Result, Results, digest, places, summary

OF, OTHER = "a" * 64, "b" * 64


def filled(folder: Path, issued: Certificate, *names: str) -> None:
    with Results.open(folder, OF) as results:
        for name in names:
            results.add(Result.of(name, issued, 0.5), issued)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / TABLE).open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_result_stands_in_both_files_beside_its_certificate(issued, tmp_path):
    filled(tmp_path, issued, "a.png", "deep/er/b.png")
    assert from_json((tmp_path / "deep/er/b.png.json").read_text()) == issued
    lines = [json.loads(line) for line in (tmp_path / LINES).read_text().splitlines()]
    assert [line["file"] for line in lines] == [row["file"] for row in rows(tmp_path)] == ["a.png", "deep/er/b.png"]
    assert lines[0]["outcome"] == issued.outcome
    assert lines[0]["radius"] == issued.radius == float(rows(tmp_path)[0]["radius"])
    assert lines[0]["draws"] == issued.draws == issued.plan.n0 + issued.plan.n


def test_what_stands_there_is_not_done_again_unless_its_file_changed(issued, tmp_path):
    filled(tmp_path, issued, "a.png", "b.png", "c.png")
    (tmp_path / "b.png.json").unlink()
    with Results.open(tmp_path, OF) as results:
        sha256 = issued.image.file_sha256
        assert [results.has(f"{name}.png", sha256) for name in "abcd"] == [True, False, True, False]
        assert not results.has("a.png", "0" * 64)
        results.add(Result.of("b.png", issued, 0.5), issued)
    assert sorted(row["file"] for row in rows(tmp_path)) == ["a.png", "b.png", "c.png"]


def test_a_line_that_was_cut_off_is_done_again(issued, tmp_path):
    filled(tmp_path, issued, "a.png", "b.png")
    lines = tmp_path / LINES
    lines.write_bytes(lines.read_bytes()[:-20])
    with Results.open(tmp_path, OF) as results:
        assert list(results.done) == ["a.png"]
    assert [row["file"] for row in rows(tmp_path)] == ["a.png"]
    assert lines.read_text().count("\n") == 1


def test_failures_are_tried_again(issued, tmp_path):
    with Results.open(tmp_path, OF) as results:
        results.add(Result("a.png", None, FAILED, error="no picture"))
    assert rows(tmp_path)[0]["error"] == "no picture"
    with Results.open(tmp_path, OF) as results:
        assert results.done == {}


def test_results_of_another_system_are_not_mixed_with_these(issued, tmp_path):
    filled(tmp_path, issued, "a.png")
    before = (tmp_path / LINES).read_bytes()
    with pytest.raises(AcesError, match="another system, plan or crop"), Results.open(tmp_path, OTHER):
        pass
    assert (tmp_path / LINES).read_bytes() == before


LINE = {"file": "x", "file_sha256": None, "outcome": "core", "of": OF}


@pytest.mark.parametrize(
    "text",
    ["no json", "{}", "[]", "null", json.dumps({"of": OF}), "[" * 5000, json.dumps(LINE | {"certificate": "/etc/x"}),
     json.dumps(LINE | {"file": 3}), json.dumps(LINE | {"more": 1})],
)  # fmt: skip
def test_what_is_no_file_of_results_is_left_as_it_is(text, tmp_path):
    (tmp_path / LINES).write_text(text + "\n")
    with pytest.raises(AcesError, match="line 1: no result"), Results.open(tmp_path, OF):
        pass
    assert (tmp_path / LINES).read_text() == text + "\n"


def test_two_commands_do_not_write_into_one_folder(tmp_path):
    with (
        Results.open(tmp_path, OF),
        pytest.raises(AcesError, match="another command writes"),
        Results.open(tmp_path, OF),
    ):
        pass
    with Results.open(tmp_path, OF):
        pass


def test_names_that_are_formulas_or_no_text_harm_nobody(issued, tmp_path):
    with Results.open(tmp_path, OF) as results:
        for name in ("=1+1.png", "a\udcff.png", 'a"\n,b.png'):
            results.add(Result(name, None, FAILED, error="=cmd()"))
    assert len(rows(tmp_path)) == 3
    assert rows(tmp_path)[0]["file"] != "=1+1.png"
    with Results.open(tmp_path, OF) as results:
        assert results.done == {}


def test_the_digest_says_plan_networks_and_crop_and_no_machine(issued):
    of = digest(issued.plan, issued.networks, CENTRED, "")
    elsewhere = replace(issued.networks, as_run=replace(issued.networks.as_run, torch="9.9"), device="cuda")
    assert digest(issued.plan, elsewhere, CENTRED, "") == of
    others = [
        digest(replace(issued.plan, theta=0.1), issued.networks, CENTRED, ""),
        digest(issued.plan, replace(issued.networks, core=issued.networks.certify), CENTRED, ""),
        digest(issued.plan, issued.networks, Framing(x=0.1), ""),
        digest(issued.plan, issued.networks, CENTRED, "until"),
    ]
    assert len({of, *others}) == 5


def test_the_summary_counts_outcomes_and_radii():
    found = [
        Result("a", "", "certified", 1, "x", 0.3, 100), Result("b", "", "certified", 1, "x", 0.6, 300),
        Result("c", "", "core", 1, "x", 0.0, 200), Result("d", "", "abstain", -1, None, 0.0, 1000),
        Result("e", None, FAILED, error="no picture"),
    ]  # fmt: skip
    assert summary(found, (0.25, 0.5, 1.0)) == [
        "5 images: 2 certified, 1 answered by the core network, 1 abstained, 1 failed",
        "certified at r: 0.25: 2, 0.5: 1",
        "draws: 1,600, 400 an image",
    ]
    assert summary([], (0.25,)) == ["0 images: none"]


def test_names_tell_pictures_apart_or_their_folders_do(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    assert places([(a / "x.png", "x.png"), (a / "y/x.png", "y/x.png")]) == {
        "x.png": a / "x.png", "y/x.png": a / "y/x.png"
    }  # fmt: skip
    both = places([(a / "y/x.png", "y/x.png"), (b / "y/x.png", "y/x.png")])
    assert both == {"a/y/x.png": a / "y/x.png", "b/y/x.png": b / "y/x.png"}
    with pytest.raises(AcesError, match=r"would stand at a/x\.png\.json"):
        places([(a / "x.png", "x.png"), (b / "a" / "x.png", "x.png")])
