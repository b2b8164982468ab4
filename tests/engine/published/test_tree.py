"""Whole trees, as projects publish them: what is a log is taken, what is none is named, and nothing keeps the good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import AcesError
from engine.published import import_logs, take
from engine.published.tree import sort_out
from engine.records import runs
from tests import toy
from tests.engine.published.fabricated import AUTHORS, COHEN, cohen_rows, needs_authors, write

PREDICT = "idx|label|predict|correct|time"
ADAPTIVE = "idx|label|predict|radius proved|correct|levels_needed|estimated_pr|time"
DSRS = "\nx disttype gaussian\nx k None\nx std 0.5\nx N 50000\nx alpha 0.0005\n\no 0 0.80 0.81\no 10 0.89 0.91\n"


@pytest.fixture
def tree(tmp_path) -> Path:
    """A project's tree with two good logs, and one file of each kind that is none."""
    top = tmp_path / "project"
    write(top / "cifar10/resnet110/noise_0.25/certify/sigma_0.25", COHEN, cohen_rows())
    write(top / "imagenet/noise_0.50/certify/sigma_0.50", COHEN, imagenet_rows())
    write(top / "cifar10/resnet110/noise_0.25/certify/stopped", COHEN, [])
    write(top / "cifar10/resnet110/noise_0.25/predict/N_100", PREDICT, [(0, 3, 3, 1, "0:00:00.1")])
    write(top / "cifar10/ensembles/noise_0.25/adaptive", ADAPTIVE, [(0, 3, 3, 1, 1, 0, 0.999, "0:00:01")])
    (top / "cifar10/dsrs").mkdir()
    (top / "cifar10/dsrs/gaussian-None-0.5-50000-0.0005.txt").write_text(DSRS)
    (top / "README.md").write_text("idx of nothing")
    (top / "code").mkdir()
    (top / "code/certify.py").write_text("print()")
    (top / "cifar10/._sigma_0.25").write_bytes(b"\0\5\26\7 AppleDouble")
    (top / ".git").mkdir()
    write(top / ".git/sigma_0.25", COHEN, cohen_rows())
    return top


def imagenet_rows() -> list:
    rows = cohen_rows(step=100, sigma=0.5)
    return [(i, i // 50, i // 50 if p >= 0 else p, r, int(p >= 0), t) for i, _, p, r, _, t in rows]


def test_the_logs_of_a_tree_are_taken_and_the_rest_is_named(tree):
    taken = take(tree)
    assert [(run.meta.name, run.meta.dataset, run.meta.sigma) for run in taken.runs] == [
        ("sigma_0.25", "cifar10", 0.25),
        ("sigma_0.50", "imagenet", 0.5),
    ]
    assert not taken.wrong
    reasons = {one.path.name: one.reason for one in taken.passed}
    assert {name: reason.partition(": ")[2][:30] for name, reason in reasons.items()} == {
        "stopped": "a header and no rows: nothing ",
        "N_100": "a PREDICT log: answers without",
        "adaptive": "an adaptive log of smoothing-e",
        "gaussian-None-0.5-50000-0.0005.txt": "a DSRS log, which bounds the s",
    }
    assert all(str(tree) in reason and "\n" not in reason for reason in reasons.values())
    assert taken.notes == ("passed over 2 files that are no logs (1 .md, 1 .py)",)


def test_a_damaged_log_is_named_and_loses_none_of_the_others(tree):
    path = tree / "cifar10/resnet110/noise_0.25/certify/sigma_0.25"
    path.write_text(path.read_text()[:-9])
    taken = take(tree)
    assert [run.meta.dataset for run in taken.runs] == ["imagenet"]
    (wrong,) = taken.wrong
    assert "line 501: the file is cut off" in wrong.reason
    with pytest.raises(AcesError, match="line 501: the file is cut off"):
        import_logs(tree)


def test_logs_that_contradict_each_other_are_named_and_the_first_is_kept(tree):
    rows = [(i, (y + 1) % 10, -1, "0.0", 0, t) if row == 7 else (i, y, p, r, c, t)
            for row, (i, y, p, r, c, t) in enumerate(cohen_rows())]  # fmt: skip
    write(tree / "cifar10/zzz/noise_0.25", COHEN, rows)
    taken = take(tree)
    assert len(taken.runs) == 2
    assert "image 140 has label 8, and 7 in " in taken.wrong[0].reason


def test_a_byte_order_mark_and_windows_line_ends_are_read_and_utf_16_is_named(tmp_path):
    text = write(tmp_path / "cifar10/noise_0.25/plain", COHEN, cohen_rows()).read_text()
    folder = tmp_path / "cifar10/noise_0.25"
    (folder / "edited.txt").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (folder / "wide.txt").write_bytes(text.encode("utf-16"))
    taken = take(tmp_path)
    assert [run.meta.name for run in taken.runs] == ["edited", "plain"]
    assert [one.reason for one in taken.passed] == [f"{folder / 'wide.txt'}: a log saved as UTF-16: save it as UTF-8"]


def test_options_fill_in_what_folders_do_not_say_and_never_override(tmp_path):
    write(tmp_path / "cifar10/noise_0.25/log.txt", COHEN, cohen_rows())
    write(tmp_path / "ablation/certified", COHEN, cohen_rows(sigma=1.0))
    taken = take(tmp_path, dataset="mnist", sigma=1.0)
    assert {(run.meta.name, run.meta.dataset, run.meta.sigma) for run in taken.runs} == {
        ("log", "cifar10", 0.25),
        ("certified", "mnist", 1.0),
    }
    assert taken.notes == (
        "folders say otherwise than --dataset (1 of 2) and --sigma (1 of 2), which fills in where they say nothing",
    )
    assert not take(tmp_path / "ablation", dataset="mnist", sigma=1.0).notes
    with pytest.raises(AcesError, match="unknown dataset 'pets'"):
        take(tmp_path, dataset="pets")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("cifar10/translation/noise_0.25/result.txt", "the folder 'translation' tells of noise on a transformation"),
        ("cifar10/gaussian-blur/noise_0.25/result.txt", "the folder 'gaussian-blur' tells of noise"),
        ("cifar10/noise_10.0/result.txt", "sigma 10 is more than 2, where pixels run from 0 to 1"),
    ],
)
def test_units_that_can_hardly_be_meant_have_to_be_meant(tmp_path, path, message):
    write(tmp_path / path, COHEN, cohen_rows(sigma=10.0 if "10.0" in path else 0.25))
    with pytest.raises(AcesError, match=rf"result\.txt: {message}.*--units-are-right"):
        import_logs(tmp_path)
    assert len(import_logs(tmp_path, units_are_right=True)) == 1


def test_only_archives_that_are_run_files_are_taken(tmp_path):
    import numpy as np

    np.savez(tmp_path / "attack.npz", images=np.zeros(3))
    runs.write_run(toy.core_run(), tmp_path / "core.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "core.npz").read_bytes()[:-200])
    taken = take(tmp_path)
    assert [run.meta.name for run in taken.runs] == ["toy-core"]
    assert [one.path.name for one in taken.wrong] == ["cut.npz"]
    assert taken.notes == ("passed over 1 files that are no logs (1 .npz)",)


@pytest.mark.timeout(60)
def test_pipes_and_loops_of_a_tree_are_not_waited_for(tree):
    os.mkfifo(tree / "cifar10/pipe")
    (tree / "cifar10/loop").symlink_to(tree)
    (tree / "cifar10/itself").symlink_to(tree / "cifar10/itself")
    assert len(take(tree).runs) == 2


def test_files_of_counts_are_told_from_logs(tmp_path):
    (tmp_path / "counts.txt").write_text("100 200 9700 2\n")
    others = {"pairs": "0 1\n", "permutation": "4 2 0 3 1\n", "few": "1 2 3 1\n", "huge": f"{'9' * 4000} 1 1 1\n"}
    for name, text in others.items():
        (tmp_path / name).write_text(text)
    found = sort_out([tmp_path])
    assert [path.name for path in found.counts] == ["counts.txt"]
    assert [path.name for path in found.others] == sorted(others)
    assert not found.passed
    assert not found.logs


@needs_authors
def test_the_authors_tree_is_taken_whole():
    taken = take(AUTHORS)
    assert not taken.passed
    assert not taken.notes
    assert {"cifar10", "imagenet"} == {run.meta.dataset for run in taken.runs}


def test_links_that_lead_out_of_a_tree_are_passed_over(tree, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.txt"
    secret.write_text("idx\tlabel\n")
    (tree / "cifar10/out").symlink_to(secret)
    taken = take(tree)
    assert len(taken.runs) == 2
    (passed,) = (one for one in taken.passed if one.path.name == "out")
    assert passed.reason.endswith("cifar10/out: a link that leads out of the folder: name the file itself")


def test_a_tree_of_too_many_files_is_not_walked_to_its_end(tree, monkeypatch):
    monkeypatch.setattr("engine.published.tree.MOST_FILES", 3)
    with pytest.raises(AcesError, match="more than 3 files: name the folder in it that holds the logs"):
        take(tree)
